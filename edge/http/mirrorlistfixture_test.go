package http

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// Clients of the lists' fixture beside german, american and nobody.
const (
	austrian = "192.0.3.7"    // in AT
	polish   = "192.0.4.7"    // in PL, in an AS of no host, though DE is asked for
	partner  = "192.0.5.7"    // in US, AS 64500
	campus   = "198.51.100.9" // in DE, in netblocks of net1, and of priv1
)

// newListFixture returns a mirrorlist-server of a small network with all the
// oddities of a real one.
func newListFixture(down ...health.Target) *Server {
	s := New(Config{Engine: listEngine(down...), MirrorlistServer: true})
	s.tick(tested)
	return s
}

func listEngine(down ...health.Target) *answer.Engine {
	country := func(prefix, code string) netblock.Entry {
		return netblock.Entry{Prefix: netip.MustParsePrefix(prefix), Value: geo.Country{code[0], code[1]}.Uint32()}
	}
	continents, err := geo.ReadContinents("test", strings.NewReader(
		"DE,EU\nAT,EU\nFR,EU\nPL,EU\nSE,EU\nIE,EU\nUS,NA\nCA,NA\nJP,AS\n"))
	if err != nil {
		panic(err)
	}
	e := &answer.Engine{Counter: new(statistics.Collector).Counter}
	e.Swap(index.Compile(index.Inputs{
		Snapshot: listSnapshot(), Continents: continents,
		Countries: netblock.NewTable([]netblock.Entry{
			country("192.0.2.0/24", "DE"), country("192.0.3.0/24", "AT"), country("192.0.4.0/24", "PL"),
			country("192.0.5.0/24", "US"), country("203.0.113.0/24", "US"), country("198.51.100.0/24", "DE"),
			country("233.252.9.0/24", "XK"), country("2001:db8::/32", "DE"),
		}),
		ASNs: netblock.NewTable([]netblock.Entry{
			{Prefix: netip.MustParsePrefix("192.0.5.0/24"), Value: 64500},
			{Prefix: netip.MustParsePrefix("192.0.4.0/24"), Value: 64999},
		}),
	}), func(ix *index.Index) *health.State { return health.New(ix, down) })
	return e
}

// Directories of the lists' fixture, by number.
const (
	listTop = iota
	listAmp
	listOS
	listRepodata
	listOdd
	listPlus
	listUS
	listZero
)

func listSnapshot() *snapshot.Snapshot {
	s := &snapshot.Snapshot{
		Created:    created,
		Categories: []snapshot.Category{{Name: "fedora", Path: "pub/fedora", Enumerated: true, Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{
			listTop:      {Path: "pub/fedora"},
			listAmp:      {Path: "pub/fedora/amp"},
			listOS:       {Path: "pub/fedora/os"},
			listRepodata: {Path: "pub/fedora/os/repodata"},
			listOdd:      {Path: "pub/fedora/os/x y"},
			listPlus:     {Path: "pub/fedora/plus+dir"},
			listUS:       {Path: "pub/fedora/us"},
			listZero:     {Path: "pub/fedora/zero"},
		},
		Repositories: []snapshot.Repository{
			{Name: "fedora-43", Arch: "x86_64", Path: "pub/fedora/os"},
			{Name: "fedora-source-43", Arch: "source", Path: "pub/fedora/os"},
			{Name: "direct", Arch: "x86_64", Path: "pub/fedora/os/repodata"},
			{Name: "bare", Arch: "x86_64", Path: "pub/fedora/us"},
			{Name: "lost", Arch: "x86_64", Path: "pub/fedora/gone"},
			{Name: "old", Arch: "x86_64", Path: "pub/fedora/os"},
			{Name: "x+y", Arch: "x86_64", Path: "pub/fedora/plus+dir"},
		},
		RepositoryRedirects: map[string]string{"core-43": "fedora-43", "older": "old"},
		Disabled:            map[string]bool{"old": true},
		ContinentOverrides:  map[geo.Country]geo.Continent{{'X', 'K'}: {'E', 'U'}},
		Hosts:               listHosts(),
	}
	s.Files = listFixtureFiles(len(s.Directories))
	return s
}

func listHosts() []snapshot.Host {
	host := func(name, country string, has snapshot.Bitmap, urls ...string) snapshot.Host {
		h := snapshot.Host{Name: name, Bandwidth: 100, Has: has, Mounts: []snapshot.Mount{{URLs: urls}}}
		if country != "" {
			h.Country = geo.Country{country[0], country[1]}
		}
		return h
	}
	os := has(listTop, listOS, listRepodata, listOdd, listPlus)
	de1 := host("de1", "DE", os, "http://de1.example.org/fedora", "https://de1.example.org/fedora", "rsync://de1.example.org/fedora")
	fr1 := host("fr1", "FR", os, "http://fr1.example.org")
	at1 := host("at1", "AT", os, "https://at1.example.org/f")
	at1.Allowed = []geo.Country{{'A', 'T'}}
	us1 := host("us1", "US", has(listTop, listOS, listRepodata, listUS), "https://us1.example.org/f", "https://us1.example.org/g")
	us1.ASNs = []uint32{64500}
	jp1 := host("jp1", "JP", os, "https://jp1.example.org/f")
	jp1.PeerASNs = []uint32{64500}
	net1 := host("net1", "PL", os, "https://net1.example.org/f")
	net1.Netblocks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:9::/48")}
	priv1 := host("priv1", "DE", os, "https://priv1.example.org/f")
	priv1.Private, priv1.Netblocks = true, []netip.Prefix{netip.MustParsePrefix("198.51.100.8/29")}
	amp := host("amp", "US", has(listAmp), `https://amp.example.org/get?a=1&b=<"'>`)
	se1 := host("se1", "SE", os, "rsync://se1.example.org/f", "gopher://se1.example.org/f")
	ie1 := host("ie1", "IE", os)
	zero1 := host("zero1", "DE", has(listZero), "https://zero1.example.org")
	zero2 := host("zero2", "DE", has(listZero), "https://zero2.example.org")
	zero1.Bandwidth, zero2.Bandwidth = 0, 0
	return []snapshot.Host{de1, fr1, at1, us1, jp1, net1, priv1, amp, se1, ie1, zero1, zero2}
}

func listFixtureFiles(dirs int) snapshot.Files {
	now, before := snapshot.Version{Size: 4711, MTime: changed.Unix()}, snapshot.Version{}
	for k := range snapshot.HashKinds {
		now.Hashes[k] = hash(strings.Repeat("ab", k.Size()))
	}
	before.Hashes[snapshot.SHA256] = hash(strings.Repeat("cd", 32))
	var files snapshot.FileBuilder
	files.Add(listRepodata, "repomd.xml", []snapshot.Version{now, before}, nil)
	files.Add(listOS, "a--b.iso", []snapshot.Version{now}, nil)
	files.Add(listOS, "it's.iso", []snapshot.Version{now}, nil)
	files.Add(listOS, odd, []snapshot.Version{now}, nil)
	files.Add(listOS, "bare.iso", nil, nil)
	files.Add(listAmp, "f.iso", []snapshot.Version{now}, nil)
	return files.Build(dirs)
}

// urlsOf returns the URLs of a text list, without its header.
func urlsOf(tb testing.TB, body string) []string {
	tb.Helper()
	var urls []string
	for line := range strings.Lines(body) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "#") {
			urls = append(urls, line)
		}
	}
	return urls
}
