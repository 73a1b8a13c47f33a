//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/anycast"
)

// A site is an edge in a namespace, a bird that it announces to, and a second
// neighbour, an FRR.
type site struct {
	t            *testing.T
	edge, router namespace
	dir          string
	process      *process
	speakers     map[int]bool
}

const anycastConfig = `edge:
  name: edge1
  data_dir: data
  source: {catalog: catalog.yaml}
  http: {listen: ["198.18.0.1:80", "[2001:db8:5::1]:80"]}
  dns:
    listen: ["198.18.0.1:53", "[2001:db8:5::1]:53"]
    zones: [{name: m.test, ns: {ns1.m.test: [198.18.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
  admin: {listen: "127.0.0.1:9090"}
  anycast:
    local_asn: 64512
    router_id: 192.0.2.1
    prefixes: [198.18.0.0/24, "2001:db8:5::/48"]
    communities: ["64512:100", "4200000000:1:2"]
    hold_up: 200ms
    hold_down: 1s
    up: {med: 10}
    drain: {communities: ["65535:0"], prepend: 2, wait: 4s}
    peers:
      - {address: 192.0.2.2, asn: 64500, password_file: md5.txt, ttl_security: 1}
      - {address: "2001:db8::2", asn: 64500}
`

// deployed returns a file that the documentation gives to operators.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "bgp", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newSite makes an edge and the network of its router.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, edge: newNamespace(t, "edge"), router: newNamespace(t, "router"), dir: t.TempDir(), speakers: map[int]bool{}}
	join(t, s.edge, s.router, []string{"192.0.2.1/30", "2001:db8::1/64"}, []string{"192.0.2.2/30", "2001:db8::2/64"})
	s.edge.address(t, "lo", "198.18.0.1/32")
	s.edge.address(t, "lo", "2001:db8:5::1/128")
	write(t, s.file("catalog.yaml"), oneHost("http://first.test/os"))
	write(t, s.file("md5.txt"), "correct-horse\n")
	write(t, s.file("edge.yaml"), anycastConfig)
	t.Cleanup(s.killSpeakers)
	return s
}

// startBird starts a bird as the router.
func (s *site) startBird(config string) {
	s.t.Helper()
	need(s.t, "bird", "bird2")
	write(s.t, s.file("bird.conf"), config)
	s.router.start(s.t, "bird", "-f", "-c", s.file("bird.conf"), "-s", s.file("bird.ctl"), "-P", s.file("bird.pid"))
}

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

func (s *site) startEdge() {
	s.t.Helper()
	s.process = s.edge.start(s.t, built(s.t), "run", "-c", s.file("edge.yaml"))
}

// killSpeakers ends the speakers that the test saw; they outlive their edges.
func (s *site) killSpeakers() {
	for pid := range s.speakers {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// status returns the edge's own view.
func (s *site) status() (st anycast.Status) {
	text, err := s.edge.try(s.t, built(s.t), "anycast", "status", "--json")
	if err == nil {
		err = json.Unmarshal([]byte(text), &st)
	}
	if err == nil && st.Speaker != 0 {
		s.speakers[st.Speaker] = true
	}
	return st
}

// birdc asks bird, which it finds by a file: from outside of bird's network, for
// that is sooner done.
func (s *site) birdc(args ...string) string {
	s.t.Helper()
	return run(s.t, "birdc", append([]string{"-s", s.file("bird.ctl")}, args...)...)
}

// route returns what bird knows of a prefix, "" if nothing.
func (s *site) route(prefix string) string {
	s.t.Helper()
	text, err := try(s.t, "birdc", "-s", s.file("bird.ctl"), "show", "route", "all", prefix, "where", "source", "=", "RTS_BGP")
	if err != nil || strings.Contains(text, "Network not found") || !strings.Contains(text, "BGP.as_path") {
		return ""
	}
	return text
}

const (
	prefix4 = "198.18.0.0/24"
	prefix6 = "2001:db8:5::/48"
)

// up waits until both prefixes are announced plainly.
func (s *site) up() {
	s.t.Helper()
	for _, p := range []string{prefix4, prefix6} {
		eventually(s.t, p+" is announced", func() bool {
			r := s.route(p)
			return strings.Contains(r, "BGP.as_path: 64512\n") && strings.Contains(r, "BGP.med: 10")
		})
	}
	eventually(s.t, "the edge knows", func() bool { st := s.status(); return len(st.Peers) == 2 && st.Peers[1].Established })
}

// gone waits until both prefixes are withdrawn. What says when is the lease of 3
// seconds, or the end of a connection; within has some seconds more, for a slow
// machine, and by BGP's own hold time it would be 9.
func (s *site) gone(what string, within time.Duration) {
	s.t.Helper()
	began := time.Now()
	for _, p := range []string{prefix4, prefix6} {
		eventually(s.t, p+" is withdrawn after "+what, func() bool { return s.route(p) == "" })
	}
	if took := time.Since(began); took > within {
		s.t.Errorf("after %s it took %s until all was withdrawn, want at most %s", what, took, within)
	} else {
		s.t.Logf("after %s all was withdrawn within %s", what, took.Round(10*time.Millisecond))
	}
}

// established reports whether bird has both sessions.
func (s *site) established() bool {
	return strings.Count(s.birdc("show", "protocols"), "Established") == 2
}

// TestAnycast takes an edge through its life, as a router sees it.
func TestAnycast(t *testing.T) {
	need(t, "curl", "curl")
	need(t, "dig", "bind9-dnsutils")
	s := newSite(t)
	// this bird has routes of its own and would give them all
	s.startBird(strings.ReplaceAll(deployed(t, "anycast-bird.conf"), "export none;", "export all;") + `
protocol static { ipv4; route 203.0.113.0/24 blackhole; }
protocol static { ipv6; route 2001:db8:99::/48 blackhole; }
`)
	s.startEdge()
	s.up()
	wantAll(t, s.route(prefix4), "BGP.community: (64512,100)", "BGP.large_community: (4200000000, 1, 2)", "BGP.next_hop: 192.0.2.1")
	wantAll(t, s.route(prefix6), "BGP.community: (64512,100)", "BGP.next_hop: 2001:db8::1")
	t.Run("clients come by the route", func(t *testing.T) {
		for _, url := range []string{"http://198.18.0.1/pub/os/x", "http://[2001:db8:5::1]/pub/os/x"} {
			wantAll(t, s.router.run(t, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", url), "302 http://first.test/os/x")
		}
		wantAll(t, s.router.run(t, "dig", "+short", "@2001:db8:5::1", "m.test", "SOA"), "ns1.m.test.")
	})
	t.Run("nothing else is announced, nothing is learnt", func(t *testing.T) {
		wantAll(t, s.birdc("show", "route", "count", "where", "source", "=", "RTS_BGP"), "2 of ")
		if routes := s.edge.run(t, "ip", "route", "show", "proto", "bgp"); routes != "" {
			t.Errorf("the edge has routes of its neighbour:\n%s", routes)
		}
	})
	t.Run("drain and resume", s.drainAndResume)
	t.Run("it hangs", func(t *testing.T) {
		stopped := s.process.cmd.Process
		if err := stopped.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		s.gone("SIGSTOP", 8*time.Second)
		if !s.established() {
			t.Error("the sessions are gone, too")
		}
		if err := stopped.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		s.up()
	})
	t.Run("kill -9 and start again", func(t *testing.T) {
		before := s.status().Speaker
		_ = s.process.cmd.Process.Kill()
		<-s.process.end
		s.gone("kill -9", 8*time.Second)
		if !s.established() {
			t.Error("the sessions are gone, too")
		}
		s.startEdge()
		s.up()
		if now := s.status().Speaker; now != before {
			t.Errorf("the speaker was %d and is %d; want the one that lived on", before, now)
		}
	})
	t.Run("kill -9 of the speaker", func(t *testing.T) {
		before := s.status().Speaker
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.gone("kill -9 of the speaker", 5*time.Second)
		s.up()
		if now := s.status().Speaker; now == before {
			t.Error("no new speaker")
		}
	})
	t.Run("SIGTERM loses nothing", s.leave)
}

// drainAndResume drains by hand.
func (s *site) drainAndResume(t *testing.T) {
	wantAll(t, s.edge.run(t, built(t), "anycast", "drain", prefix4), "draining  yes")
	eventually(t, "it drains", func() bool {
		r := s.route(prefix4)
		return strings.Contains(r, "(65535,0)") && strings.Contains(r, "BGP.local_pref: 0") && strings.Contains(r, "BGP.as_path: 64512 64512 64512") && !strings.Contains(r, "BGP.med")
	})
	eventually(t, "it is withdrawn", func() bool { return s.route(prefix4) == "" })
	if s.route(prefix6) == "" || !s.established() {
		t.Error("the other prefix, or a session, has gone too")
	}
	wantAll(t, s.edge.run(t, built(t), "anycast", "status"), "maintenance  no ", "taken out by an operator", "established")
	s.edge.run(t, built(t), "anycast", "resume")
	s.up()
	if _, err := s.edge.try(t, built(t), "anycast", "drain", "192.0.2.0/24"); err == nil || !strings.Contains(err.Error(), "no service prefix") {
		t.Errorf("draining what is not ours: %v", err)
	}
}

// leave ends the edge while a client asks it again and again.
func (s *site) leave(t *testing.T) {
	var asked, failed atomic.Int64
	var sawDrain, sawWithdrawal bool
	ctx, stop := context.WithCancel(t.Context())
	var client sync.WaitGroup
	client.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.router.try(t, "ip", "route", "get", "198.18.0.1"); err != nil { // no route any more: it goes elsewhere
				return
			}
			text, err := s.router.try(t, "curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", "http://198.18.0.1/pub/os/x")
			asked.Add(1)
			if _, routed := s.router.try(t, "ip", "route", "get", "198.18.0.1"); routed == nil && (err != nil || text != "302") {
				failed.Add(1)
				t.Logf("%v: %s", err, text)
			}
		}
	})
	if err := s.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process has ended", func() bool {
		r := s.route(prefix4)
		sawDrain = sawDrain || strings.Contains(r, "(65535,0)")
		sawWithdrawal = sawWithdrawal || r == "" && !s.process.exited()
		return s.process.exited()
	})
	stop()
	client.Wait()
	if s.process.err != nil || !sawDrain || !sawWithdrawal {
		t.Errorf("exit %v, saw it drain: %v, saw the withdrawal before the end: %v", s.process.err, sawDrain, sawWithdrawal)
	}
	if failed.Load() > 0 || asked.Load() < 10 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	t.Logf("%d requests, none lost", asked.Load())
}

// TestAnycastTrouble has a neighbour that will not have us.
func TestAnycastTrouble(t *testing.T) {
	for name, x := range map[string]struct{ from, to, why string }{
		"wrong password": {`password "correct-horse"`, `password "wrong"`, "another TCP MD5 password"},
		"wrong AS":       {"neighbor 192.0.2.1 as 64512", "neighbor 192.0.2.1 as 64513", "another AS number than local_asn"},
		"it is another":  {"neighbor 192.0.2.1 as 64512;", "neighbor 192.0.2.1 as 64512; local as 64501;", "of another AS than asn says"},
		"too far":        {"ttl security on;", "multihop 3; ttl security off;", "ttl_security"},
		"it is disabled": {"local 192.0.2.2;", "local 192.0.2.2; disabled;", "no answer: it is down"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.startBird(strings.Replace(deployed(t, "anycast-bird.conf"), x.from, x.to, 1))
			s.startEdge()
			eventually(t, prefix6+" is announced", func() bool { return s.route(prefix6) != "" })
			eventually(t, "the edge knows", func() bool { st := s.status(); return len(st.Peers) == 2 && len(st.Peers[1].Prefixes) == 1 })
			if st := s.status(); st.Peers[0].Established || !st.Peers[1].Established {
				t.Errorf("%+v", st.Peers)
			}
			eventually(t, "the edge says why", func() bool { return strings.Contains(s.status().Peers[0].Trouble, x.why) })
			wantAll(t, s.edge.run(t, built(t), "anycast", "status"), "192.0.2.2: ", x.why)
			wantAll(t, s.edge.run(t, "curl", "-sS", "http://127.0.0.1:9090/metrics"),
				`waypost_anycast_session_up{neighbour="192.0.2.2"} 0`, `waypost_anycast_session_up{neighbour="2001:db8::2"} 1`,
				fmt.Sprintf(`waypost_anycast_announced{neighbour="2001:db8::2",prefix=%q} 1`, prefix6))
			wantAll(t, s.edge.run(t, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://198.18.0.1/pub/os/x"), "302")
			log, err := os.ReadFile(filepath.Join(s.dir, "data", "speaker.log"))
			if err != nil || !strings.Contains(string(log), "192.0.2.2") {
				t.Errorf("the log says nothing of the neighbour: %v\n%s", err, log)
			}
		})
	}
}

// TestAnycastRouters has other routers than bird, with the configurations that
// operators are given.
func TestAnycastRouters(t *testing.T) {
	for name, x := range map[string]struct {
		start func(t *testing.T, s *site)
		show  []string // prints the prefix and its attributes
		drain string   // in what it prints while the edge drains
	}{
		"FRR":    {startFRR, []string{"vtysh", "--vty_socket", "DIR", "-c", "show bgp all"}, " 0 64512 64512 64512 i"},
		"gobgpd": {startGobgpd, []string{"gobgp", "global", "rib", "-a", "FAMILY"}, "planned-shut"}, // as it calls 65535:0
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			x.start(t, s)
			s.startEdge()
			show := func(family, text string) bool {
				var args []string
				for _, a := range x.show {
					args = append(args, strings.ReplaceAll(strings.ReplaceAll(a, "DIR", s.dir), "FAMILY", family))
				}
				out, err := s.router.try(t, args...)
				return err == nil && strings.Contains(out, text)
			}
			eventually(t, "both prefixes are there", func() bool { return show("ipv4", prefix4) && show("ipv6", prefix6) })
			s.edge.run(t, built(t), "anycast", "drain")
			eventually(t, "it drains", func() bool { return show("ipv4", x.drain) && show("ipv6", x.drain) })
			eventually(t, "both are withdrawn", func() bool { return !show("ipv4", prefix4) && !show("ipv6", prefix6) })
			if st := s.status(); len(st.Peers) != 2 || !st.Peers[0].Established || !st.Peers[1].Established {
				t.Errorf("%+v", st.Peers)
			}
		})
	}
}

func startFRR(t *testing.T, s *site) {
	t.Helper()
	daemon := "/usr/lib/frr/bgpd"
	need(t, daemon, "frr")
	need(t, "vtysh", "frr")
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, s.file("bgpd.conf"), deployed(t, "anycast-frr.conf"))
	s.router.start(t, daemon, "--no_zebra", "--log", "stdout", "--config_file", s.file("bgpd.conf"), "--pid_file", s.file("bgpd.pid"),
		"--vty_socket", s.dir, "--skip_runas", "--bgp_port", "179")
}

func startGobgpd(t *testing.T, s *site) {
	t.Helper()
	need(t, "gobgpd", "gobgpd")
	write(t, s.file("gobgpd.toml"), deployed(t, "anycast-gobgpd.toml"))
	s.router.start(t, "gobgpd", "-f", s.file("gobgpd.toml"), "--api-hosts", "127.0.0.1:50051")
}
