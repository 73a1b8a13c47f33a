package http

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// The clients of the fixture.
const (
	german   = "192.0.2.7"    // in DE
	american = "203.0.113.7"  // in US
	german6  = "2001:db8::7"  // in DE
	insider  = "198.51.100.7" // in the netblock of the private host
	proxy    = "10.0.0.1"     // trusted
	proxy6   = "fd00::1"      // trusted
	nobody   = "233.252.0.1"  // in no country
)

// odd is a name with everything that needs care in URLs, XML and HTML.
const odd = "a b#c?d%e+f&<g>\"h'\u00fc\x01.iso"

var (
	sum256  = strings.Repeat("ab", 32)
	created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tested  = time.Date(2026, 1, 2, 4, 4, 5, 0, time.UTC)
	changed = time.Date(2025, 12, 24, 18, 0, 0, 0, time.UTC)
)

// directories of the fixture, by number.
const (
	dirOS = iota
	dirComplete
	dirMirrors
	dirApt
	dirLone
)

func hash(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func has(dirs ...uint32) (b snapshot.Bitmap) {
	for _, d := range dirs {
		b.Add(d)
	}
	return b
}

func mount(category uint32, urls ...string) snapshot.Mount {
	return snapshot.Mount{Category: category, URLs: urls}
}

func fixtureSnapshot() *snapshot.Snapshot {
	s := &snapshot.Snapshot{
		Version: 42, Created: created,
		Categories: []snapshot.Category{
			{
				Name: "os", Path: "pub/os", Origin: "https://origin.example.org/pub/os",
				Policy: snapshot.Policy{Minimum: 5, Sticky: true, Bands: snapshot.AllBands},
			},
			{
				Name: "apt", Path: "apt", Origin: "http://origin.example.org/apt",
				Policy: snapshot.Policy{Minimum: 5, SameScheme: true, Bands: snapshot.AllBands},
			},
			{Name: "lone", Path: "lone", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}},
		},
		Directories: []snapshot.Directory{
			{Path: "pub/os", Category: 0},
			{Path: "pub/os/complete", Category: 0, Complete: true},
			{Path: "pub/os/mirrorlist", Category: 0},
			{Path: "apt", Category: 1},
			{Path: "lone", Category: 2},
		},
		Hosts: []snapshot.Host{
			{
				Name: "de1", Country: geo.Country{'D', 'E'}, Bandwidth: 1000, Has: has(0, 1, 2, 3),
				Mounts: []snapshot.Mount{
					mount(0, "http://de1.example.org/os", "https://de1.example.org/os", "rsync://de1.example.org/os"),
					mount(1, "http://de1.example.org/apt", "https://de1.example.org/apt"),
				},
			},
			{
				Name: "fr1", Country: geo.Country{'F', 'R'}, Bandwidth: 1000, Has: has(0, 1, 2, 3),
				Mounts: []snapshot.Mount{mount(0, "http://fr1.example.org/os"), mount(1, "http://fr1.example.org/apt")},
			},
			{
				Name: "us1", Country: geo.Country{'U', 'S'}, Bandwidth: 1000, Has: has(0, 1, 2),
				Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.80")},
				Mounts:    []snapshot.Mount{mount(0, "https://us1.example.org/os")},
			},
			{
				Name: "jp1", Country: geo.Country{'J', 'P'}, Bandwidth: 1000, Has: has(0, 1, 2),
				Addresses: []netip.Addr{netip.MustParseAddr("2001:db8:ffff::80")},
				Mounts:    []snapshot.Mount{mount(0, "https://jp1.example.org/os")},
			},
			{
				Name: "secret", Country: geo.Country{'D', 'E'}, Private: true, Has: has(0, 4),
				Netblocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
				Mounts:    []snapshot.Mount{mount(0, "https://secret.example.org/os"), mount(2, "http://secret.example.org/lone")},
			},
			{
				Name: "choosy", Country: geo.Country{'C', 'A'}, Has: has(0), Allowed: []geo.Country{{'C', 'A'}},
				Mounts: []snapshot.Mount{mount(0, "https://choosy.example.org/os")},
			},
		},
	}
	var files snapshot.FileBuilder
	v := snapshot.Version{Size: 10485760, MTime: changed.Unix()}
	v.Hashes[snapshot.SHA256] = hash(sum256)
	v.Hashes[snapshot.MD5] = hash(strings.Repeat("cd", 16))
	files.Add(dirOS, "f.iso", []snapshot.Version{v}, nil)
	files.Add(dirOS, odd, []snapshot.Version{v}, nil)
	files.Add(dirOS, "bare.iso", nil, nil)
	files.Add(dirOS, "new.iso", []snapshot.Version{v}, []uint32{0, 1, 2, 3, 4, 5}) // only the origin has it
	files.Add(dirOS, "real.iso", []snapshot.Version{v}, nil)
	files.Add(dirOS, "real.iso.sha256", []snapshot.Version{{Size: 77}}, nil)
	files.Add(dirOS, "metalink", []snapshot.Version{{Size: 77}}, nil)
	files.Add(dirComplete, "g.iso", []snapshot.Version{{Size: 1, MTime: 1}}, nil)
	files.Add(dirLone, "l.iso", []snapshot.Version{v}, nil)
	s.Files = files.Build(len(s.Directories))
	return s
}

func fixtureEngine(s *snapshot.Snapshot, down ...health.Target) *answer.Engine {
	de, us := geo.Country{'D', 'E'}, geo.Country{'U', 'S'}
	ix := index.Compile(index.Inputs{
		Snapshot: s,
		Countries: netblock.NewTable([]netblock.Entry{
			{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Value: de.Uint32()},
			{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Value: us.Uint32()},
			{Prefix: netip.MustParsePrefix("2001:db8::/32"), Value: de.Uint32()},
		}),
	})
	e := &answer.Engine{Counter: new(statistics.Collector).Counter}
	e.Swap(ix, func(ix *index.Index) *health.State { return health.New(ix, down) })
	return e
}

// newFixture returns a server in normal mode, with the given targets down.
func newFixture(down ...health.Target) *Server {
	s := New(Config{
		Engine:         fixtureEngine(fixtureSnapshot(), down...),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
	})
	s.tick(tested)
	return s
}

// ask sends one request. header is name, value, name, value, …
func ask(tb testing.TB, s *Server, peer, method, uri string, header ...string) *fasthttp.Response {
	tb.Helper()
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.Header.SetRequestURI(uri)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(peer), Port: 4711}, nil)
	s.Handle(&ctx)
	res := &fasthttp.Response{}
	ctx.Response.CopyTo(res)
	return res
}

// get is ask with GET.
func get(tb testing.TB, s *Server, peer, uri string, header ...string) *fasthttp.Response {
	tb.Helper()
	return ask(tb, s, peer, fasthttp.MethodGet, uri, header...)
}

// peek returns a header of a response; all lines of it, joined by a newline.
func peek(res *fasthttp.Response, name string) string {
	var lines []string
	for _, v := range res.Header.PeekAll(name) {
		lines = append(lines, string(v))
	}
	return strings.Join(lines, "\n")
}
