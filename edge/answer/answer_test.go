package answer_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

func Example() {
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
		Hosts:       []snapshot.Host{host("a"), host("b")},
	}
	var e answer.Engine
	e.Swap(index.Compile(index.Inputs{Snapshot: s}), func(ix *index.Index) *health.State {
		return health.New(ix, []health.Target{{Host: "a", Scheme: index.HTTPS, Family: index.V4}})
	})

	view := e.View()
	target, _ := view.Index.Find([]byte("pub/os/43/x.iso"))
	var a answer.Answer
	view.Answer(&answer.Query{Client: netip.MustParseAddr("192.0.2.1"), Target: target, Schemes: index.HTTPS}, &a)
	for _, h := range a.Hosts() {
		fmt.Printf("%s/%s\n", a.URL(h, index.HTTPS, index.V4).Base, view.Index.Suffix(&target))
	}
	// Output: https://b.example/os/43/x.iso
}

// host holds the first directory, over https and http, at addresses of both families.
func host(name string) snapshot.Host {
	h := snapshot.Host{
		Name: name, Bandwidth: 100, DNS: true,
		Mounts:    []snapshot.Mount{{URLs: []string{"https://" + name + ".example/os", "http://" + name + ".example/os"}}},
		Addresses: []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8::1")},
	}
	h.Has.Add(0)
	return h
}

func compile(policy snapshot.Policy, hosts ...snapshot.Host) *index.Index {
	return index.Compile(index.Inputs{Snapshot: &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "os", Policy: policy}},
		Directories: []snapshot.Directory{{Path: "os"}},
		Hosts:       hosts,
	}})
}

// small returns a random catalogue with some hosts down.
func small(c synth.Config) (index.Inputs, *answer.View) {
	in := synth.Inputs(c)
	ix := index.Compile(in)
	return in, &answer.View{Index: ix, Health: randomHealth(ix, rand.New(rand.NewPCG(c.Seed, 'H')))}
}

// randomHealth has none, some or nearly all hosts down, and a few drained.
func randomHealth(ix *index.Index, r *rand.Rand) *health.State {
	share := []int{0, 10, 50, 95}[r.IntN(4)]
	var down []health.Target
	var drained []string
	for h := range uint32(ix.Hosts()) {
		if r.IntN(20) == 0 {
			drained = append(drained, ix.Registered(h).Name)
		}
		for _, scheme := range []index.Schemes{index.HTTP, index.HTTPS} {
			for _, f := range []index.Family{index.V4, index.V6} {
				if r.IntN(100) < share {
					down = append(down, health.Target{Host: ix.Registered(h).Name, Scheme: scheme, Family: f})
				}
			}
		}
	}
	return health.New(ix, down, drained...)
}

// neighbours returns clients that are close to one another and to the borders
// of what the inputs know.
func neighbours(in index.Inputs, seed uint64, n int) []netip.Addr {
	r := rand.New(rand.NewPCG(seed, 'N'))
	out := synth.Clients(in, seed, n/8)
	for i := range in.Snapshot.Hosts {
		for _, p := range in.Snapshot.Hosts[i].Netblocks {
			if len(out) < n/4 {
				out = append(out, p.Addr(), p.Addr().Prev())
			}
		}
	}
	for len(out) < n {
		b := out[r.IntN(len(out))].AsSlice()
		bit := 8*len(b) - 1 - r.IntN(12) // the last 12 bits, or around the /24 and the /48
		if r.IntN(2) == 0 {
			bit = min(20+r.IntN(8), 8*len(b)-1)
			if len(b) == 16 {
				bit = 44 + r.IntN(8)
			}
		}
		b[bit/8] ^= 0x80 >> (bit % 8)
		a, _ := netip.AddrFromSlice(b)
		out = append(out, a)
	}
	return out
}

// TestScopes: no two DNS answers that differ have overlapping scopes (RFC
// 7871, section 7.3.1: a resolver may then give one for the other).
func TestScopes(t *testing.T) {
	type said struct {
		client netip.Addr
		scope  netip.Prefix
		hosts  []uint32
	}
	narrow, wide := 0, 0
	for seed := range uint64(24) {
		c := synth.Small(seed)
		c.Nearest, c.Hosts = seed%3 == 0, 5+int(seed)*4
		in, view := small(c)
		r := rand.New(rand.NewPCG(seed, 'Q'))
		target := index.Target{Directory: uint32(r.IntN(view.Index.Directories()))}
		target.Category = in.Snapshot.Directories[target.Directory].Category
		record, count := index.Family(1+r.IntN(2)), 1+r.IntN(4)
		var all []said
		var a answer.Answer
		for _, client := range neighbours(in, seed, 500) {
			view.Answer(&answer.Query{Client: client, Target: target, Record: record, Sticky: true, Count: count}, &a)
			scope, err := client.Prefix(a.Scope())
			if err != nil {
				t.Fatalf("%v: scope %d", client, a.Scope())
			}
			all = append(all, said{client, scope, slices.Sorted(slices.Values(a.Hosts()))})
			if client.Is4() && scope.Bits() < 24 || client.Is6() && scope.Bits() < 48 {
				wide++
			} else {
				narrow++
			}
		}
		for i := range all {
			for j := range i {
				if all[i].scope.Overlaps(all[j].scope) && !slices.Equal(all[i].hosts, all[j].hosts) {
					t.Fatalf("seed %d, count %d: %+v and %+v", seed, count, all[i], all[j])
				}
			}
		}
	}
	if narrow < 1000 || wide < 1000 {
		t.Errorf("%d scopes of a draw's network and longer, %d shorter: not a test of both", narrow, wide)
	}
}

// TestMouthsAgree: under a sticky policy, a redirect and a DNS answer begin
// with the same host, wherever hosts have both URLs and addresses.
func TestMouthsAgree(t *testing.T) {
	for seed := range uint64(8) {
		c := synth.Small(seed)
		c.Sticky, c.Nearest = true, seed%2 == 0
		in := synth.Inputs(c)
		for i := range in.Snapshot.Hosts {
			h := &in.Snapshot.Hosts[i]
			full := host(h.Name)
			h.Mounts, h.Addresses, h.DNS = nil, full.Addresses, true
			for k := range in.Snapshot.Categories {
				h.Mounts = append(h.Mounts, snapshot.Mount{Category: uint32(k), URLs: full.Mounts[0].URLs})
			}
		}
		ix := index.Compile(in)
		view := &answer.View{Index: ix, Health: randomHealth(ix, rand.New(rand.NewPCG(seed, 'H')))}
		var byHTTP, byDNS answer.Answer
		for _, x := range draw(in, ix, 500) {
			x.target.HasFile = false // DNS knows directories only
			q, d := redirect(&x), dns(&x)
			d.Record = q.Reach
			view.Answer(&q, &byHTTP)
			view.Answer(&d, &byDNS)
			if n := min(len(byHTTP.Hosts()), len(byDNS.Hosts())); !slices.Equal(byHTTP.Hosts()[:n], byDNS.Hosts()[:n]) || n < len(byDNS.Hosts()) {
				t.Fatalf("%v: %v by HTTP, %v by DNS", x.client, byHTTP.Hosts(), byDNS.Hosts())
			}
		}
	}
}

// TestSticky: the policy or the query makes answers hang on the network alone.
func TestSticky(t *testing.T) {
	hosts := []snapshot.Host{host("a"), host("b"), host("c"), host("d")}
	for _, tt := range []struct {
		name          string
		policy, query bool
		a, b          string
		same          bool
	}{
		{name: "policy", policy: true, a: "192.0.2.1", b: "192.0.2.200", same: true},
		{name: "query", query: true, a: "192.0.2.1", b: "::ffff:192.0.2.9", same: true},
		{name: "neither", a: "192.0.2.1", b: "192.0.2.1"},
		{name: "other networks", policy: true, a: "192.0.2.1", b: "192.0.3.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := &answer.View{Index: compile(snapshot.Policy{Bands: snapshot.AllBands, Sticky: tt.policy}, hosts...)}
			var a, b answer.Answer
			same := true
			for random := range uint64(30) {
				v.Answer(&answer.Query{Client: netip.MustParseAddr(tt.a), Sticky: tt.query, Random: random}, &a)
				v.Answer(&answer.Query{Client: netip.MustParseAddr(tt.b), Sticky: tt.query, Random: random + 100}, &b)
				same = same && slices.Equal(a.Hosts(), b.Hosts())
			}
			if same != tt.same {
				t.Errorf("always the same: %v, want %v", same, tt.same)
			}
		})
	}
}

// TestClientSubnet: how much of an address is the client's own.
func TestClientSubnet(t *testing.T) {
	shut := host("shut")
	shut.Private, shut.Netblocks = true, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/48")}
	v := &answer.View{Index: compile(snapshot.Policy{Bands: snapshot.AllBands}, shut)}
	for _, tt := range []struct {
		client string
		source int
		want   int
	}{
		{"192.0.2.1", 0, 1},
		{"192.0.2.1", 32, 1},
		{"192.0.2.0", 24, 1},
		{"192.0.2.0", 23, 0},
		{"::ffff:192.0.2.1", 0, 1},
		{"::ffff:192.0.2.0", 120, 1},
		{"::ffff:192.0.2.0", 119, 0},
		{"::ffff:192.0.2.0", 24, 0},
		{"2001:db8::1", 0, 1},
		{"2001:db8::", 48, 1},
		{"2001:db8::", 47, 0},
		{"198.51.100.1", 0, 0},
	} {
		var a answer.Answer
		v.Answer(&answer.Query{Client: netip.MustParseAddr(tt.client), Source: tt.source}, &a)
		if got := len(a.Hosts()); got != tt.want {
			t.Errorf("%s, %d bits known: %d hosts, want %d", tt.client, tt.source, got, tt.want)
		}
	}
}

func TestURL(t *testing.T) {
	h := snapshot.Host{Name: "a", Mounts: []snapshot.Mount{{URLs: []string{
		"ftp://a/f", "http://a/1", "rsync://a/r", "http://a/2", "https://a/s", "gopher://a/g",
	}}}}
	ix := compile(snapshot.Policy{}, h)
	down := func(schemes ...index.Schemes) []health.Target {
		var out []health.Target
		for _, s := range schemes {
			out = append(out, health.Target{Host: "a", Scheme: s, Family: index.V4})
		}
		return out
	}
	tests := []struct {
		name    string
		down    []health.Target
		schemes index.Schemes
		family  index.Family
		want    string
	}{
		{"https first", nil, index.AnyScheme, index.V4, "https://a/s"},
		{"the first of its scheme", nil, index.HTTP, index.V4, "http://a/1"},
		{"ftp before rsync", nil, index.RSYNC | index.FTP, index.V4, "ftp://a/f"},
		{"others", nil, index.OtherScheme, index.V4, "gopher://a/g"},
		{"none wanted", nil, 0, index.V4, ""},
		{"https down", down(index.HTTPS), index.Web, index.V4, "http://a/1"},
		{"https down over the other family", down(index.HTTPS), index.Web, index.V6, "https://a/s"},
		{"https down, family unknown", down(index.HTTPS), index.Web, 0, "https://a/s"},
		{"https down, nothing else wanted", down(index.HTTPS), index.HTTPS, index.V4, "https://a/s"},
		{"both down", down(index.HTTPS, index.HTTP), index.Web, index.V4, "https://a/s"},
		{"both down, ftp will do", down(index.HTTPS, index.HTTP), index.AnyScheme, index.V4, "ftp://a/f"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &answer.View{Index: ix}
			if tt.down != nil {
				v.Health = health.New(ix, tt.down)
			}
			var a answer.Answer
			v.Answer(&answer.Query{Client: netip.MustParseAddr("192.0.2.1")}, &a)
			got := ""
			if u := a.URL(0, tt.schemes, tt.family); u != nil {
				got = u.Base
			}
			if got != tt.want {
				t.Errorf("URL = %q, want %q", got, tt.want)
			}
		})
	}
	var a answer.Answer
	empty := &answer.View{Index: compile(snapshot.Policy{}, snapshot.Host{Name: "nothing"})}
	empty.Answer(&answer.Query{}, &a)
	if u := a.URL(0, index.AnyScheme, index.V4); u != nil {
		t.Errorf("URL of a host without any: %v", u)
	}
}

// TestDown checks what health does to answers of each kind.
func TestDown(t *testing.T) {
	ftp := host("ftp")
	ftp.Mounts[0].URLs = []string{"ftp://ftp.example/os"}
	half := host("half")
	half.Mounts[0].URLs = half.Mounts[0].URLs[:1] // https only
	ix := compile(snapshot.Policy{Bands: snapshot.AllBands, Minimum: 5}, host("a"), ftp, half)
	down := func(name string, schemes index.Schemes) (out []health.Target) {
		for _, f := range []index.Family{index.V4, index.V6} {
			for s := index.HTTPS; s <= index.HTTP; s <<= 1 {
				if s&schemes != 0 {
					out = append(out, health.Target{Host: name, Scheme: s, Family: f})
				}
			}
		}
		return out
	}
	tests := []struct {
		name    string
		down    []health.Target
		query   answer.Query
		want    []string
		allDown bool
	}{
		{"all up", nil, answer.Query{}, []string{"a", "ftp", "half"}, false},
		{"one down", down("a", index.Web), answer.Query{}, []string{"ftp", "half"}, false},
		{"one down by half", down("a", index.HTTPS), answer.Query{}, []string{"a", "ftp", "half"}, false},
		{"one down by half, that half is wanted", down("a", index.HTTPS), answer.Query{Schemes: index.HTTPS}, []string{"half"}, false},
		{"DNS, unprobed hosts are not down", down("a", index.Web), answer.Query{Record: index.V6}, []string{"ftp", "half"}, false},
		{"only the unprobed is left", slices.Concat(down("a", index.Web), down("half", index.Web)), answer.Query{}, []string{"ftp"}, false},
		{"all down", slices.Concat(down("a", index.Web), down("half", index.Web)), answer.Query{Schemes: index.Web}, []string{"a", "half"}, true},
		{"a list, all down", slices.Concat(down("a", index.Web), down("half", index.Web)), answer.Query{Schemes: index.Web, List: true}, []string{"a", "half"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &answer.View{Index: ix, Health: health.New(ix, tt.down)}
			tt.query.Client = netip.MustParseAddr("192.0.2.1")
			var a answer.Answer
			v.Answer(&tt.query, &a)
			if diff := cmp.Diff(tt.want, names(&a)); diff != "" || a.AllDown() != tt.allDown {
				t.Errorf("AllDown %v, want %v; hosts (-want +got):\n%s", a.AllDown(), tt.allDown, diff)
			}
		})
	}
}

// names returns the names of an answer's hosts, sorted.
func names(a *answer.Answer) (out []string) {
	for _, h := range a.Hosts() {
		out = append(out, a.View.Index.Registered(h).Name)
	}
	slices.Sort(out)
	return out
}
