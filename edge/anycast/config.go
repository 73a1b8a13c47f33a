package anycast

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/anycast/speaker"
)

// A Config says which prefixes an edge announces, to whom, and how. A field
// that is zero has its default.
type Config struct {
	// LocalASN is the AS the edge speaks as. Required.
	LocalASN uint32 `yaml:"local_asn"`

	// RouterID is the BGP identifier, an IPv4 address that no other router
	// has. Required.
	RouterID netip.Addr `yaml:"router_id"`

	// Prefixes are the service prefixes. Nothing else is ever announced. Required.
	Prefixes []netip.Prefix `yaml:"prefixes"`

	// Addresses are the service addresses that checks go to. Default: those of
	// http.listen and dns.listen; each prefix needs one.
	Addresses []netip.Addr `yaml:"addresses"`

	// Peers are the neighbours, whom all prefixes are announced to. Required.
	Peers []PeerConfig `yaml:"peers"`

	// NextHop are the next hops of routes, at most one of each family. Default:
	// this end of the session; a prefix that is announced over a session of the
	// other family needs one.
	NextHop []netip.Addr `yaml:"next_hop"`

	// Communities are on every announcement: ASN:VALUE (RFC 1997) or
	// ASN:VALUE:VALUE (RFC 8092).
	Communities []Community `yaml:"communities"`

	// CheckEvery is the time between checks of the service addresses; default
	// 1s. CheckTimeout is how long one may take; default 500ms.
	CheckEvery   time.Duration `yaml:"check_every"`
	CheckTimeout time.Duration `yaml:"check_timeout"`

	// UpAfter is how many good checks in a row make a prefix announced, DownAfter
	// how many bad ones have it withdrawn; default 3.
	UpAfter   int `yaml:"up_after"`
	DownAfter int `yaml:"down_after"`

	// HoldUp is how long checks must have been good before an announcement, on
	// top of UpAfter; default 5s. Up to half as much again is drawn, so that
	// edges which start together do not announce together.
	HoldUp time.Duration `yaml:"hold_up"`

	// HoldDown is how long a prefix that failed stays withdrawn at least;
	// default 15s. It doubles with each failure within the last ten minutes, up
	// to HoldDownMax, default 5m: other networks punish prefixes that flap for
	// far longer (RFC 2439).
	HoldDown    time.Duration `yaml:"hold_down"`
	HoldDownMax time.Duration `yaml:"hold_down_max"`

	// MaxBehind is by how much the data of another edge that announces the
	// prefix may be newer before this one withdraws; default 1h. Age by itself
	// withdraws nothing: if the control plane is away, all edges are old.
	MaxBehind time.Duration `yaml:"max_behind"`

	// Up, Drain, Maintenance and Down say how prefixes are announced in each
	// state. Default: Up plainly, Drain with 65535:0, GRACEFUL_SHUTDOWN (RFC
	// 8326), for 120s; not at all in the other two.
	Up          Announcement `yaml:"up"`
	Drain       Announcement `yaml:"drain"`
	Maintenance Announcement `yaml:"maintenance"`
	Down        Announcement `yaml:"down"`
}

// A PeerConfig is a BGP neighbour.
type PeerConfig struct {
	// Address and ASN are the neighbour's. Required.
	Address netip.Addr `yaml:"address"`
	ASN     uint32     `yaml:"asn"`

	// Port is the neighbour's; default 179.
	Port uint16 `yaml:"port"`

	// Local is the address to speak from; default: the system's choice.
	Local netip.Addr `yaml:"local"`

	// PasswordFile has the password of TCP MD5 (RFC 2385) in its first line.
	PasswordFile string `yaml:"password_file"`

	// Multihop is the TTL towards a neighbour of another AS that is not on the
	// link, 2 to 255.
	Multihop uint8 `yaml:"multihop"`

	// TTLSecurity is GTSM (RFC 5082): how many hops away the neighbour is, 1 for
	// one on the link. Packets that came farther are dropped.
	TTLSecurity uint8 `yaml:"ttl_security"`

	// HoldTime is that of BGP, 3s to 65535s; default 9s.
	HoldTime time.Duration `yaml:"hold_time"`

	// BothFamilies speaks of IPv4 and IPv6 on the session; default: only of
	// the family of Address. NextHop is needed for the other one.
	BothFamilies bool `yaml:"both_families"`
}

// An Announcement says how prefixes are announced in a state.
type Announcement struct {
	// Announce says whether they are at all. Default: where anything else here
	// is given, yes.
	Announce *bool `yaml:"announce"`

	// Communities are in addition to [Config.Communities].
	Communities []Community `yaml:"communities"`

	// MED is the multi-exit discriminator (RFC 4271 section 5.1.4).
	MED *uint32 `yaml:"med"`

	// Prepend is how many times more our ASN is in the path, up to 16.
	Prepend int `yaml:"prepend"`

	// Wait is how long draining lasts, before the prefixes are withdrawn. For
	// drain only; default 120s.
	Wait time.Duration `yaml:"wait"`
}

// set reports whether anything is given that has to do with an announcement.
func (a *Announcement) set() bool {
	return a.Announce != nil || len(a.Communities) > 0 || a.MED != nil || a.Prepend != 0
}

// A Community is a BGP community of two numbers (RFC 1997) or three (RFC 8092).
type Community struct {
	Large bool
	Parts [3]uint32 // of the first kind only two
}

// gracefulShutdown is GRACEFUL_SHUTDOWN (RFC 8326 section 3).
func gracefulShutdown() Community { return Community{Parts: [3]uint32{65535, 0}} }

// UnmarshalText reads ASN:VALUE or ASN:VALUE:VALUE.
func (c *Community) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), ":")
	bits := 16
	if len(parts) == 3 {
		c.Large, bits = true, 32
	} else if len(parts) != 2 {
		return fmt.Errorf("want ASN:VALUE or ASN:VALUE:VALUE, got %.60q", text)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, bits)
		if err != nil {
			return fmt.Errorf("want numbers of %d bits between colons, got %.60q", bits, text)
		}
		c.Parts[i] = uint32(n)
	}
	return nil
}

// WithDefaults returns c with defaults where nothing is given. listening are
// the addresses of the service.
func (c Config) WithDefaults(listening []netip.Addr) Config {
	for _, d := range []struct {
		of *time.Duration
		is time.Duration
	}{
		{&c.CheckEvery, time.Second},
		{&c.CheckTimeout, 500 * time.Millisecond},
		{&c.HoldUp, 5 * time.Second},
		{&c.HoldDown, 15 * time.Second},
		{&c.HoldDownMax, 5 * time.Minute},
		{&c.MaxBehind, time.Hour},
		{&c.Drain.Wait, 2 * time.Minute},
	} {
		if *d.of == 0 {
			*d.of = d.is
		}
	}
	for _, n := range []*int{&c.UpAfter, &c.DownAfter} {
		if *n == 0 {
			*n = 3
		}
	}
	if len(c.Addresses) == 0 {
		c.Addresses = slices.DeleteFunc(slices.Clone(listening), func(a netip.Addr) bool { return c.prefixOf(a) < 0 })
	}
	yes := true
	if c.Up.Announce == nil {
		c.Up.Announce = &yes
	}
	if !c.Drain.set() {
		c.Drain.Communities = []Community{gracefulShutdown()}
	}
	for _, a := range []*Announcement{&c.Drain, &c.Maintenance, &c.Down} {
		if a.Announce == nil {
			announce := a.set()
			a.Announce = &announce
		}
	}
	return c
}

// prefixOf returns which prefix an address is in, -1 if none.
func (c *Config) prefixOf(a netip.Addr) int {
	return slices.IndexFunc(c.Prefixes, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// A Problem is what is wrong with a value.
type Problem struct{ Key, Text string }

// Check returns all that is wrong with c, which has its defaults. Keys are
// below anycast.
func (c *Config) Check() (all []Problem) {
	problem := func(key, format string, args ...any) { all = append(all, Problem{key, fmt.Sprintf(format, args...)}) }
	if c.LocalASN == 0 {
		problem("local_asn", "want the AS number to speak as")
	}
	if !c.RouterID.Is4() || c.RouterID.IsUnspecified() {
		problem("router_id", "want an IPv4 address that no other router has")
	}
	if len(c.Peers) == 0 {
		problem("peers", "want at least one neighbour")
	}
	c.checkPrefixes(problem)
	for i := range c.Peers {
		c.Peers[i].check(func(key, format string, args ...any) { problem(fmt.Sprintf("peers[%d].%s", i, key), format, args...) })
		for _, other := range c.Peers[:i] {
			if other.Address == c.Peers[i].Address {
				problem(fmt.Sprintf("peers[%d].address", i), "%s is a neighbour already", other.Address)
			}
		}
	}
	c.checkTimes(problem)
	for key, a := range map[string]*Announcement{"up": &c.Up, "drain": &c.Drain, "maintenance": &c.Maintenance, "down": &c.Down} {
		if a.Prepend < 0 || a.Prepend > 16 {
			problem(key+".prepend", "want 0 to 16, got %d", a.Prepend)
		}
		if a.Wait != 0 && a != &c.Drain {
			problem(key+".wait", "want it at drain only")
		}
	}
	return all
}

type problemFunc func(key, format string, args ...any)

func (c *Config) checkPrefixes(problem problemFunc) {
	if len(c.Prefixes) == 0 {
		problem("prefixes", "want at least one service prefix")
	}
	for i, p := range c.Prefixes {
		key := fmt.Sprintf("prefixes[%d]", i)
		switch {
		case p != p.Masked() || p.Addr().Is4In6():
			problem(key, "want %s, got %s", p.Masked(), p)
		case p.Bits() == 0:
			problem(key, "want a service prefix, got the default route")
		case p.Bits() < shortest(p):
			problem(key, "want a service prefix of /%d or longer, got %s", shortest(p), p)
		case slices.Contains(c.Prefixes[:i], p):
			problem(key, "%s is given twice", p)
		case !slices.ContainsFunc(c.Addresses, p.Contains):
			problem(key, "want a service address inside %s among addresses, http.listen or dns.listen", p)
		}
		c.checkTold(p, key, problem)
	}
	for i, a := range c.Addresses {
		if c.prefixOf(a) < 0 {
			problem(fmt.Sprintf("addresses[%d]", i), "want an address inside one of prefixes, got %s", a)
		}
	}
	if len(c.NextHop) > 2 || len(c.NextHop) == 2 && c.NextHop[0].Is4() == c.NextHop[1].Is4() {
		problem("next_hop", "want at most one of each family")
	}
}

// shortest is how short a prefix may be that somebody can have: one that is
// shorter is a slip, and would draw in half of the world.
func shortest(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 8
	}
	return 16
}

// checkTold checks that somebody is told of a prefix, and where to send packets.
func (c *Config) checkTold(p netip.Prefix, key string, problem problemFunc) {
	v4, told := p.Addr().Is4(), false
	hop := slices.ContainsFunc(c.NextHop, func(a netip.Addr) bool { return a.Is4() == v4 })
	for _, peer := range c.Peers {
		same := peer.Address.Unmap().Is4() == v4
		told = told || same || peer.BothFamilies
		if !same && peer.BothFamilies && !hop {
			problem("next_hop", "want one for %s, which %s is told of", p, peer.Address)
		}
	}
	if !told && len(c.Peers) > 0 {
		problem(key, "want a neighbour of its family, or one with both_families")
	}
}

func (c *Config) checkTimes(problem problemFunc) {
	for key, n := range map[string]int{"up_after": c.UpAfter, "down_after": c.DownAfter} {
		if n < 1 || n > 1000 {
			problem(key, "want 1 to 1000, got %d", n)
		}
	}
	if c.CheckEvery < 50*time.Millisecond || c.CheckEvery > time.Minute {
		problem("check_every", "want 50ms to 1m, got %s", c.CheckEvery)
	}
	if c.CheckTimeout < 10*time.Millisecond || c.CheckTimeout > c.CheckEvery {
		problem("check_timeout", "want 10ms to check_every, %s, got %s", c.CheckEvery, c.CheckTimeout)
	}
	for key, d := range map[string]time.Duration{
		"hold_up": c.HoldUp, "hold_down": c.HoldDown, "max_behind": c.MaxBehind, "drain.wait": c.Drain.Wait,
	} {
		if d < 0 || d > 24*time.Hour {
			problem(key, "want up to 24h, got %s", d)
		}
	}
	if c.HoldDownMax < c.HoldDown {
		problem("hold_down_max", "want at least hold_down, %s, got %s", c.HoldDown, c.HoldDownMax)
	}
}

// sessions returns what the speaker needs to know of BGP.
func (c *Config) sessions() (s speaker.Sessions, err error) {
	s = speaker.Sessions{LocalASN: c.LocalASN, RouterID: c.RouterID}
	for _, p := range c.Peers {
		password, bad := p.password()
		err = errors.Join(err, bad)
		out := speaker.Peer{
			Address: p.Address.Unmap(), Port: p.Port, ASN: p.ASN, Local: p.Local, Password: password,
			Hops: p.Multihop, Hold: p.HoldTime, Both: p.BothFamilies,
		}
		if p.TTLSecurity > 0 {
			out.MinTTL = 255 - p.TTLSecurity + 1
		}
		s.Peers = append(s.Peers, out)
	}
	return s, err
}

// route returns how a prefix is announced by a; ok is false if it is not.
func (c *Config) route(prefix netip.Prefix, a *Announcement) (r speaker.Route, ok bool) {
	if !*a.Announce {
		return r, false
	}
	r = speaker.Route{Prefix: prefix, MED: a.MED, Prepend: a.Prepend}
	for _, hop := range c.NextHop {
		if hop.Is4() == prefix.Addr().Is4() {
			r.NextHop = hop
		}
	}
	for _, x := range slices.Concat(c.Communities, a.Communities) {
		if x.Large {
			r.Large = append(r.Large, x.Parts)
		} else {
			r.Communities = append(r.Communities, x.Parts[0]<<16|x.Parts[1])
		}
	}
	return r, true
}
