package speaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A bgp is the BGP server and what it was told. It is for one goroutine.
type bgp struct {
	server   *server.BgpServer
	sessions Sessions
	routes   map[netip.Prefix]Route
	log      logger
}

// newBGP starts a server without sessions. A process starts one at most:
// gobgp does not stop cleanly.
func newBGP(ctx context.Context, s Sessions, log *slog.Logger) (*bgp, error) {
	lines := newLogger(log)
	b := &bgp{
		server:   server.NewBgpServer(server.LoggerOption(lines)),
		log:      lines,
		sessions: Sessions{LocalASN: s.LocalASN, RouterID: s.RouterID},
		routes:   map[netip.Prefix]Route{},
	}
	go b.server.Serve()
	err := b.server.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: s.LocalASN, RouterId: s.RouterID.String(), ListenPort: -1,
	}})
	if err != nil {
		return nil, fmt.Errorf("starting BGP: %w", err)
	}
	if err = b.guard(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// guard lets nothing in, and nothing out that is not our own.
func (b *bgp) guard(ctx context.Context) error {
	own := &api.Policy{Name: "own", Statements: []*api.Statement{{
		Name:       "own",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	err := b.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: own})
	for _, direction := range []api.PolicyDirection{api.PolicyDirection_IMPORT, api.PolicyDirection_EXPORT} {
		err = errors.Join(err, b.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Name: "global", Direction: direction, Policies: []*api.Policy{{Name: "own"}}, DefaultAction: api.RouteAction_REJECT,
		}}))
	}
	if err != nil {
		return fmt.Errorf("setting policies: %w", err)
	}
	return nil
}

// errRestart says that it takes a new process.
var errRestart = errors.New("a new speaker is needed")

// apply makes sessions and routes those of an order. What can be done is done;
// the error says what could not.
func (b *bgp) apply(ctx context.Context, o *Order) error {
	if o.Sessions.LocalASN != b.sessions.LocalASN || o.Sessions.RouterID != b.sessions.RouterID {
		return fmt.Errorf("the local ASN or router ID has changed: %w", errRestart)
	}
	return errors.Join(b.announce(ctx, o.Routes), b.meet(ctx, o.Sessions.Peers))
}

// meet makes the neighbours these.
func (b *bgp) meet(ctx context.Context, peers []Peer) (err error) {
	var kept []Peer
	for _, p := range b.sessions.Peers {
		if slices.Contains(peers, p) {
			kept = append(kept, p)
			continue
		}
		if bad := b.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: p.Address.String()}); bad != nil {
			err = errors.Join(err, fmt.Errorf("leaving the neighbour %s: %w", p.Address, bad))
		}
	}
	for _, p := range peers {
		if slices.Contains(kept, p) {
			continue
		}
		if bad := b.server.AddPeer(ctx, &api.AddPeerRequest{Peer: neighbour(&p)}); bad != nil {
			err = errors.Join(err, fmt.Errorf("adding the neighbour %s: %w", p.Address, bad))
			continue
		}
		kept = append(kept, p)
	}
	b.sessions.Peers = kept
	return err
}

// neighbour returns a neighbour as gobgp has it.
func neighbour(p *Peer) *api.Peer {
	hold := uint64(cmp.Or(p.Hold, 9*time.Second) / time.Second)
	out := &api.Peer{
		Conf:         &api.PeerConf{NeighborAddress: p.Address.String(), PeerAsn: p.ASN, AuthPassword: p.Password},
		Transport:    &api.Transport{RemotePort: uint32(p.Port)},
		EbgpMultihop: &api.EbgpMultihop{Enabled: p.Hops > 0, MultihopTtl: uint32(p.Hops)},
		TtlSecurity:  &api.TtlSecurity{Enabled: p.MinTTL > 0, TtlMin: uint32(p.MinTTL)},
		Timers: &api.Timers{Config: &api.TimersConfig{
			ConnectRetry: 5, HoldTime: hold, KeepaliveInterval: max(1, hold/3), IdleHoldTimeAfterReset: 5,
		}},
	}
	if p.Local.IsValid() {
		out.Transport.LocalAddress = p.Local.String()
	}
	for _, v4 := range []bool{true, false} {
		if p.carries(v4) {
			out.AfiSafis = append(out.AfiSafis, &api.AfiSafi{Config: &api.AfiSafiConfig{Family: family(v4), Enabled: true}})
		}
	}
	return out
}

func family(v4 bool) *api.Family {
	if v4 {
		return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
	}
	return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
}

// announce makes the routes these. Withdrawals go first: they matter most.
func (b *bgp) announce(ctx context.Context, routes []Route) (err error) {
	for prefix, r := range b.routes {
		if slices.ContainsFunc(routes, func(wanted Route) bool { return wanted.Prefix == prefix }) {
			continue
		}
		if bad := b.server.DeletePath(ctx, &api.DeletePathRequest{TableType: api.TableType_GLOBAL, Path: path(&r, b.sessions.LocalASN)}); bad != nil {
			err = errors.Join(err, fmt.Errorf("withdrawing %s: %w", prefix, bad))
			continue
		}
		delete(b.routes, prefix)
	}
	for _, r := range routes {
		if old, ok := b.routes[r.Prefix]; ok && old.same(&r) {
			continue
		}
		_, bad := b.server.AddPath(ctx, &api.AddPathRequest{TableType: api.TableType_GLOBAL, Path: path(&r, b.sessions.LocalASN)})
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("announcing %s: %w", r.Prefix, bad))
			continue
		}
		b.routes[r.Prefix] = r
	}
	return err
}

// path returns a route as gobgp has it.
func path(r *Route, asn uint32) *api.Path {
	v4 := r.Prefix.Addr().Is4()
	nlri := packed(&api.IPAddressPrefix{Prefix: r.Prefix.Addr().String(), PrefixLen: uint32(r.Prefix.Bits())})
	hop := r.NextHop
	if !hop.IsValid() && v4 {
		hop = netip.IPv4Unspecified() // gobgp puts its end of each session there
	} else if !hop.IsValid() {
		hop = netip.IPv6Unspecified()
	}
	attributes := []*anypb.Any{packed(&api.OriginAttribute{Origin: 0})}
	if r.Prepend > 0 {
		attributes = append(attributes, packed(&api.AsPathAttribute{Segments: []*api.AsSegment{
			{Type: api.AsSegment_AS_SEQUENCE, Numbers: slices.Repeat([]uint32{asn}, r.Prepend)},
		}}))
	}
	if v4 {
		attributes = append(attributes, packed(&api.NextHopAttribute{NextHop: hop.String()}))
	} else {
		attributes = append(attributes, packed(&api.MpReachNLRIAttribute{
			Family: family(false), NextHops: []string{hop.String()}, Nlris: []*anypb.Any{nlri},
		}))
	}
	if r.MED != nil {
		attributes = append(attributes, packed(&api.MultiExitDiscAttribute{Med: *r.MED}))
	}
	if len(r.Communities) > 0 {
		attributes = append(attributes, packed(&api.CommunitiesAttribute{Communities: r.Communities}))
	}
	if len(r.Large) > 0 {
		large := &api.LargeCommunitiesAttribute{}
		for _, c := range r.Large {
			large.Communities = append(large.Communities, &api.LargeCommunity{GlobalAdmin: c[0], LocalData1: c[1], LocalData2: c[2]})
		}
		attributes = append(attributes, packed(large))
	}
	return &api.Path{Family: family(v4), Nlri: nlri, Pattrs: attributes}
}

// packed returns a message in an envelope.
func packed(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic("speaker: " + err.Error()) // only for text that is no UTF-8
	}
	return a
}

// list returns the routes that are announced, by prefix.
func (b *bgp) list() []Route {
	out := make([]Route, 0, len(b.routes))
	for _, r := range b.routes {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y Route) int { return x.Prefix.Compare(y.Prefix) })
	return out
}

// peers returns how the sessions do, in the order of the configuration.
func (b *bgp) peers(ctx context.Context) (out []PeerReport, err error) {
	states := map[string]*api.Peer{}
	err = b.server.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) { states[p.GetConf().GetNeighborAddress()] = p })
	for _, p := range b.sessions.Peers {
		is := states[p.Address.String()]
		state := is.GetState().GetSessionState()
		r := PeerReport{
			Address: p.Address, ASN: p.ASN, State: strings.ToLower(state.String()),
			Established: state == api.PeerState_ESTABLISHED, Flaps: is.GetState().GetFlops(),
		}
		if r.Established {
			r.Since = is.GetTimers().GetState().GetUptime().AsTime()
			r.Prefixes = b.told(ctx, &p)
		} else {
			r.Trouble = b.log.troubles.of(p.Address.String())
			if r.Trouble == "" && state == api.PeerState_OPENSENT {
				r.Trouble = "connected, but it has not said a word yet: it may have another ttl_security than here"
			}
		}
		out = append(out, r)
	}
	return out, err
}

// told returns the prefixes that a neighbour is told of.
func (b *bgp) told(ctx context.Context, p *Peer) (out []netip.Prefix) {
	for _, v4 := range []bool{true, false} {
		if !p.carries(v4) {
			continue
		}
		_ = b.server.ListPath(ctx, &api.ListPathRequest{TableType: api.TableType_ADJ_OUT, Name: p.Address.String(), Family: family(v4)},
			func(d *api.Destination) { // an error is a session that has just gone
				if prefix, err := netip.ParsePrefix(d.GetPrefix()); err == nil {
					out = append(out, prefix)
				}
			})
	}
	return out
}

// stop withdraws all and ends the sessions with a notice.
func (b *bgp) stop(ctx context.Context) error {
	return errors.Join(b.announce(ctx, nil), b.server.StopBgp(ctx, &api.StopBgpRequest{}))
}
