package http

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// clientOf returns who s takes the client of a request to be.
func clientOf(s *Server, peer, query string, header ...string) (client, given string, ok bool) {
	var req fasthttp.Request
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(peer), Port: 4711}, nil)
	r := &request{ctx: &ctx, target: target{query: []byte(query)}}
	ok = true
	if s.config.MirrorlistServer {
		s.findListClient(r)
	} else {
		ok = s.findClient(r)
	}
	return r.client.String(), r.given, ok
}

func TestFindClient(t *testing.T) {
	const xff, bad = "X-Forwarded-For", "invalid IP"
	s := newFixture()
	tests := []struct {
		name   string
		peer   string
		query  string
		header []string
		want   string
	}{
		{"peer", german, "", nil, german},
		{"mapped peer", "::ffff:" + german, "", nil, german},
		{"untrusted peer", german, "", []string{xff, american}, german},
		{"trusted peer", proxy, "", []string{xff, american}, american},
		{"trusted v6 peer", proxy6, "", []string{xff, american}, american},
		{"trusted peer, nothing forwarded", proxy, "", nil, proxy},
		{"made up", proxy, "", []string{xff, "6.6.6.6, " + american}, american},
		{"no blanks", proxy, "", []string{xff, "6.6.6.6,7.7.7.7," + american}, american},
		{"tabs", proxy, "", []string{xff, "6.6.6.6\t,\t" + american + "\t"}, american},
		{"two proxies", proxy, "", []string{xff, "6.6.6.6, " + american + ", 10.1.2.3, fd00::2"}, american},
		{"two lines", proxy, "", []string{xff, "6.6.6.6, " + american, xff, "10.1.2.3"}, american},
		{"only proxies", proxy, "", []string{xff, "10.3.3.3, 10.1.2.3"}, "10.3.3.3"},
		{"bad element", proxy, "", []string{xff, american + ", unknown"}, proxy},
		{"bad element behind a proxy", proxy, "", []string{xff, american + ", for=a, 10.1.2.3"}, "10.1.2.3"},
		{"empty elements", proxy, "", []string{xff, american + ", ,,"}, american},
		{"empty line", proxy, "", []string{xff, ""}, proxy},
		{"mapped element", proxy, "", []string{xff, "::ffff:" + american}, american},
		{"brackets", proxy, "", []string{xff, "[2001:db8::1]"}, "2001:db8::1"},
		{"brackets and port", proxy, "", []string{xff, "[2001:db8::1]:443"}, "2001:db8::1"},
		{"port", proxy, "", []string{xff, american + ":5678"}, american},
		{"mapped and port", proxy, "", []string{xff, "[::ffff:203.0.113.7]:1"}, american},
		{"bad port", proxy, "", []string{xff, american + ":http"}, proxy},
		{"no port", proxy, "", []string{xff, american + ":"}, proxy},
		{"big port", proxy, "", []string{xff, american + ":65536"}, proxy},
		{"v4 in brackets", proxy, "", []string{xff, "[1.2.3.4]:80"}, proxy},
		{"open bracket", proxy, "", []string{xff, "[2001:db8::1"}, proxy},
		{"zone", proxy, "", []string{xff, "fe80::1%eth0"}, proxy},
		{"leading zeros", proxy, "", []string{xff, "192.0.02.1"}, proxy},
		{"ip=", proxy, "ip=192.0.2.1", nil, "192.0.2.1"},
		{"ip=, encoded", proxy, "ip=2001%3adb8::1", nil, "2001:db8::1"},
		{"ip= twice", proxy, "ip=1.1.1.1&ip=192.0.2.1", nil, "192.0.2.1"},
		{"ip=, mapped", proxy, "ip=::ffff:192.0.2.1", nil, "192.0.2.1"},
		{"ip= behind proxies only", proxy, "ip=192.0.2.1", []string{xff, "10.3.3.3"}, "192.0.2.1"},
		{"ip= by somebody else", proxy, "ip=192.0.2.1", []string{xff, american}, american},
		{"ip= by nobody knows whom", proxy, "ip=192.0.2.1", []string{xff, "unknown"}, proxy},
		{"ip= from a stranger", german, "ip=192.0.2.1", nil, german},
		{"ip= bad", proxy, "ip=x", nil, bad},
		{"ip= with a zone", proxy, "ip=fe80::1%25eth0", nil, bad},
		{"ip= empty", proxy, "ip=", nil, bad},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, _, ok := clientOf(s, test.peer, test.query, test.header...)
			if got != test.want || ok != (test.want != bad) {
				t.Errorf("got %s, %t, want %s", got, ok, test.want)
			}
		})
	}
}

func TestFindListClient(t *testing.T) {
	const xff, bad = "X-Forwarded-For", "invalid IP"
	s := New(Config{Engine: fixtureEngine(fixtureSnapshot()), MirrorlistServer: true})
	tests := []struct {
		name   string
		query  string
		header []string
		want   string
		given  string
	}{
		{"peer", "", nil, german, german},
		{"forwarded", "", []string{xff, american}, american, american},
		{"last element", "", []string{xff, "6.6.6.6, " + american}, american, american},
		{"no blank", "", []string{xff, "6.6.6.6," + american}, american, american},
		{"first line", "", []string{xff, american, xff, "6.6.6.6"}, american, american},
		{"ip= first", "ip=192.0.2.1", []string{xff, american}, "192.0.2.1", "192.0.2.1"},
		{"ip= empty", "ip=", []string{xff, american}, american, american},
		{"mapped", "", []string{xff, "::ffff:" + american}, american, "::ffff:" + american},
		{"bad", "", []string{xff, "unknown"}, bad, "unknown"},
		{"port", "", []string{xff, american + ":80"}, bad, american + ":80"},
		{"zone", "ip=fe80::1%eth0", nil, bad, "fe80::1%eth0"},
		{"broken encoding", "ip=1.2.3.%", nil, bad, "1.2.3.%"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, given, _ := clientOf(s, german, test.query, test.header...)
			if got != test.want || given != test.given {
				t.Errorf("got %s given as %q, want %s given as %q", got, given, test.want, test.given)
			}
		})
	}
}

// FuzzForwarded checks the walk along X-Forwarded-For against a slow twin, and
// that nothing left of a client that is not trusted has a say.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "1.2.3.4", "6.6.6.6, 10.0.0.2", "[::1]:1,\t10.0.0.3", "x, 10.0.0.3", "fe80::1%25,1.2.3.4:5", "[", "]:,", ":", "1.2.3.4:"} {
		f.Add(seed)
	}
	s := newFixture()
	f.Fuzz(func(t *testing.T, line string) {
		peer := netip.MustParseAddr(proxy)
		got, own := s.walk(peer, [][]byte{[]byte(line)})
		want, wantOwn := slowWalk(s, peer, line)
		if got != want || own != wantOwn {
			t.Errorf("%q: %s %t, want %s %t", line, got, own, want, wantOwn)
		}
		if !own {
			return
		}
		if after, _ := s.walk(peer, [][]byte{[]byte(line + ", 203.0.113.5")}); after != netip.MustParseAddr("203.0.113.5") {
			t.Errorf("%q hides a client", line)
		}
	})
}

func slowWalk(s *Server, peer netip.Addr, line string) (client netip.Addr, own bool) {
	elements := strings.Split(line, ",")
	for _, element := range slices.Backward(elements) {
		element = strings.Trim(element, " \t")
		if element == "" {
			continue
		}
		a, err := netip.ParseAddr(element)
		if err != nil {
			if ap, err := netip.ParseAddrPort(element); err == nil && !strings.HasSuffix(element, ":") {
				a = ap.Addr()
			} else if n := len(element); n > 1 && element[0] == '[' && element[n-1] == ']' {
				a, _ = netip.ParseAddr(element[1 : n-1])
				if a.Is4() {
					a = netip.Addr{}
				}
			}
		}
		if a = a.Unmap(); !a.IsValid() || a.Zone() != "" {
			return peer, false
		}
		if peer = a; !s.trusts(a) {
			return peer, false
		}
	}
	return peer, true
}
