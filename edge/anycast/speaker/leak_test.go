package speaker

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// A router is a gobgp that announces one prefix, and takes all.
type router struct {
	*server.BgpServer
	Peer
}

func startRouter(t *testing.T, address string, asn uint32, prefix string) router {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wants all of 127.0.0.0/8: ", err)
		}
		t.Skip("wants all of 127.0.0.0/8: ", err)
	}
	at, _ := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	quiet := newLogger(slog.New(slog.DiscardHandler))
	r := router{server.NewBgpServer(server.LoggerOption(quiet)), Peer{Address: netip.MustParseAddr(address), Port: uint16(at.Port), ASN: asn, Hops: 2}}
	go r.Serve()
	err = r.StartBgp(t.Context(), &api.StartBgpRequest{Global: &api.Global{
		Asn: asn, RouterId: address, ListenPort: int32(at.Port), ListenAddresses: []string{address},
	}})
	if err != nil {
		t.Fatal(err)
	}
	us := neighbour(&Peer{Address: netip.MustParseAddr("127.0.0.1"), ASN: 64512, Hops: 2})
	us.Transport.PassiveMode = true
	p := path(&Route{Prefix: netip.MustParsePrefix(prefix), NextHop: netip.MustParseAddr(address)}, asn)
	if err = r.AddPeer(t.Context(), &api.AddPeerRequest{Peer: us}); err != nil {
		t.Fatal(err)
	}
	if _, err = r.AddPath(t.Context(), &api.AddPathRequest{TableType: api.TableType_GLOBAL, Path: p}); err != nil {
		t.Fatal(err)
	}
	return r
}

// prefixes returns what a server has in a table.
func prefixes(t *testing.T, s *server.BgpServer, table api.TableType, neighbour string) (out []string) {
	t.Helper()
	_ = s.ListPath(t.Context(), &api.ListPathRequest{TableType: table, Name: neighbour, Family: family(true)},
		func(d *api.Destination) { out = append(out, d.GetPrefix()) })
	slices.Sort(out)
	return out
}

// TestNothingIsLeaked stands between two neighbours that announce routes of
// their own, one of them a part of the service prefix: none gets what the other
// one said, both get the service prefix and nothing else, and nothing is left
// when it is withdrawn.
func TestNothingIsLeaked(t *testing.T) {
	a := startRouter(t, "127.0.0.2", 64500, "203.0.113.0/24")
	b := startRouter(t, "127.0.0.3", 64501, "198.18.0.0/25")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	order := Order{
		Sessions: Sessions{LocalASN: 64512, RouterID: netip.MustParseAddr("192.0.2.1"), Peers: []Peer{a.Peer, b.Peer}},
		Routes:   []Route{{Prefix: netip.MustParsePrefix("198.18.0.0/24"), NextHop: netip.MustParseAddr("127.0.0.1")}},
	}
	us, err := newBGP(ctx, order.Sessions, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err = us.apply(ctx, &order); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	until := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("in vain: %s", what)
			}
		}
	}
	until("both say their routes", func() bool {
		return len(prefixes(t, us.server, api.TableType_ADJ_IN, "127.0.0.2")) == 1 && len(prefixes(t, us.server, api.TableType_ADJ_IN, "127.0.0.3")) == 1
	})
	for _, r := range []router{a, b} {
		until("the service prefix arrives", func() bool {
			return slices.Contains(prefixes(t, r.BgpServer, api.TableType_ADJ_IN, "127.0.0.1"), "198.18.0.0/24")
		})
		if got := prefixes(t, us.server, api.TableType_ADJ_OUT, r.Address.String()); !slices.Equal(got, []string{"198.18.0.0/24"}) {
			t.Errorf("%s is told of %q", r.Address, got)
		}
		if got := prefixes(t, r.BgpServer, api.TableType_ADJ_IN, "127.0.0.1"); len(got) != 1 {
			t.Errorf("%s has heard of %q", r.Address, got)
		}
	}
	if got := prefixes(t, us.server, api.TableType_GLOBAL, ""); !slices.Equal(got, []string{"198.18.0.0/24"}) {
		t.Errorf("the speaker's own table has %q", got)
	}
	order.Routes = nil
	if err = us.apply(ctx, &order); err != nil {
		t.Fatal(err)
	}
	for _, r := range []router{a, b} {
		until("the withdrawal arrives", func() bool { return len(prefixes(t, r.BgpServer, api.TableType_ADJ_IN, "127.0.0.1")) == 0 })
	}
}
