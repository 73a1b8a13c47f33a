//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// reconfigure restarts the edge at once with another configuration; the
// speaker lives on.
func (s *site) reconfigure(edit ...string) {
	s.t.Helper()
	text, err := os.ReadFile(s.file("edge.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, s.file("edge.yaml"), strings.NewReplacer(edit...).Replace(string(text)))
	_ = s.process.cmd.Process.Kill()
	<-s.process.end
	s.startEdge()
}

// TestAnycastChanges changes the configuration while a speaker runs: its
// neighbours, and what only a new speaker can do, its AS.
func TestAnycastChanges(t *testing.T) {
	s := newSite(t)
	bird := deployed(t, "anycast-bird.conf")
	s.startBird(bird)
	s.startEdge()
	s.up()
	before := s.status().Speaker

	t.Run("a neighbour less", func(t *testing.T) {
		s.reconfigure(`      - {address: "2001:db8::2", asn: 64500}`+"\n", "", `, "2001:db8:5::/48"]`, "]",
			`      - {address: 192.0.2.2, asn: 64500, password_file: md5.txt, ttl_security: 1}`,
			`      - {address: 192.0.2.2, asn: 64500, password_file: md5.txt, ttl_security: 1, hold_time: 30s}`)
		eventually(t, "one is left", func() bool { st := s.status(); return len(st.Peers) == 1 && st.Peers[0].Established })
		eventually(t, "IPv4 is announced, IPv6 is not", func() bool { return s.route(prefix4) != "" && s.route(prefix6) == "" })
		if now := s.status().Speaker; now != before {
			t.Errorf("the speaker was %d and is %d", before, now)
		}
	})
	t.Run("both families over one session, by iBGP", func(t *testing.T) {
		write(t, s.file("bird.conf"), strings.NewReplacer("local as 64500;", "local as 64512;", "bgp_path.first != 64512 || bgp_path.last != 64512", "bgp_path.len > 0",
			"import limit 1 action restart;\n    export none; # the edge needs nothing of us\n  };", "import limit 1 action restart; export none;\n  };\n  ipv6 { import filter from_edge; import limit 1 action restart; export none; };").Replace(bird))
		s.birdc("configure")
		s.reconfigure("asn: 64500", "asn: 64512", "ttl_security: 1", "ttl_security: 1, both_families: true", "prefixes: [198.18.0.0/24]",
			"prefixes: [198.18.0.0/24, \"2001:db8:5::/48\"]\n    next_hop: [\"2001:db8::1\"]")
		eventually(t, "both are there over IPv4", func() bool {
			return strings.Contains(s.route(prefix4), "[edge4") && strings.Contains(s.route(prefix6), "[edge4")
		})
		wantAll(t, s.route(prefix6), "BGP.next_hop: 2001:db8::1", "BGP.as_path: \n", "BGP.local_pref: 100")
		wantAll(t, s.route(prefix4), "BGP.next_hop: 192.0.2.1", "BGP.as_path: \n")
	})
	t.Run("another AS", func(t *testing.T) {
		write(t, s.file("bird.conf"), strings.ReplaceAll(bird, "64512", "64513"))
		s.birdc("configure")
		s.reconfigure("asn: 64512, password", "asn: 64500, password", "local_asn: 64512", "local_asn: 64513", ", both_families: true", "",
			`, "2001:db8:5::/48"]`, "]", "    next_hop: [\"2001:db8::1\"]\n", "")
		eventually(t, "it is announced by the new AS", func() bool { return strings.Contains(s.route(prefix4), "BGP.as_path: 64513") })
		if now := s.status().Speaker; now == before {
			t.Error("the speaker is the old one")
		}
	})
}

// TestAnycastLateRouter has a router that comes long after the edge, and an
// edge that is told to stop while it is starting, and while all is down.
func TestAnycastLateRouter(t *testing.T) {
	s := newSite(t)
	s.startEdge()
	_ = s.process.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "an edge that has just been started ends", s.process.exited)
	s.startEdge()
	eventually(t, "it says that nobody is there", func() bool {
		st := s.status()
		return len(st.Peers) == 2 && st.Prefixes[0].State == "up" && st.Peers[1].Trouble != ""
	})
	s.startBird(deployed(t, "anycast-bird.conf"))
	s.up()
	if st := s.status(); st.Peers[0].Trouble+st.Peers[1].Trouble != "" {
		t.Errorf("%+v", st.Peers)
	}
	s.edge.run(t, "ip", "address", "delete", "198.18.0.1/32", "dev", "lo")
	eventually(t, "IPv4 is withdrawn", func() bool { return s.route(prefix4) == "" })
	if s.route(prefix6) == "" {
		t.Error("IPv6 is withdrawn, too")
	}
	s.edge.run(t, "ip", "-6", "address", "delete", "2001:db8:5::1/128", "dev", "lo")
	eventually(t, "IPv6 is withdrawn", func() bool { return s.route(prefix6) == "" })
	_ = s.process.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "an edge ends while all is down", s.process.exited)
	if s.process.err != nil {
		t.Error(s.process.err)
	}
}

// TestAnycastTwice has two edges with one data_dir, by mistake: the newer one
// rules, both say so, and when it ends so do its announcements, until the
// other one's count again.
func TestAnycastTwice(t *testing.T) {
	s := newSite(t)
	s.startBird(deployed(t, "anycast-bird.conf"))
	s.startEdge()
	s.up()
	old := s.process
	second := strings.NewReplacer("198.18.0.1:", "198.18.0.2:", "[2001:db8:5::1]:", "[2001:db8:5::2]:", "127.0.0.1:9090", "127.0.0.1:9091", "{med: 10}", "{med: 20}").Replace(anycastConfig)
	s.edge.address(t, "lo", "198.18.0.2/32")
	s.edge.address(t, "lo", "2001:db8:5::2/128")
	write(t, s.file("second.yaml"), second)
	newer := s.edge.start(t, built(t), "run", "-c", s.file("second.yaml"))
	eventually(t, "the newer one rules", func() bool { return strings.Contains(s.route(prefix4), "BGP.med: 20") })
	eventually(t, "the older one knows", func() bool { return s.status().Superseded })
	wantAll(t, s.edge.run(t, built(t), "anycast", "status"), "with the same data_dir")
	_ = newer.cmd.Process.Kill()
	<-newer.end
	eventually(t, "the older one rules", func() bool { return strings.Contains(s.route(prefix4), "BGP.med: 10") })
	if !strings.Contains(old.log.String(), "one with the same data_dir") {
		t.Error("the log says nothing")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "data", "speaker.log")); err != nil {
		t.Error(err)
	}
}
