//go:build e2e && linux

package e2e

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/netblock/asn"
)

// The table that is measured with.
const (
	fullV4, fullV6 = 1_000_000, 200_000
	fullHosts      = 200 // each in an AS of its own, those with the most prefixes
)

// TestFeedFullTable measures what make bench-bgp prints: a full table comes
// from a real bird while the edge answers. Without WAYPOST_BENCH_BGP it is
// skipped, for it takes two minutes; WAYPOST_BENCH_DATA names the folder with
// global_netblocks_full.txt.zst, or prefixes are made up.
//
//	injector ──► bird ──► edge ◄── asker: DNS and HTTP at a fixed rate
//	(this test)       └─► sink: another bird, for comparison
//
// All of it shares one machine, and others may work there, too. So the edge has
// a core of its own, at niceness -10. The routers, which are machines of their
// own elsewhere, have another one at -8, with who asks the edge at -19.
func TestFeedFullTable(t *testing.T) {
	if os.Getenv("WAYPOST_BENCH_BGP") == "" {
		t.Skip("WAYPOST_BENCH_BGP is not set: make bench-bgp sets it")
	}
	table := fullTable(t)
	b := newFeedBench(t, table)
	b.measureIdle()
	b.measureSink()
	b.measureEdge()
}

// A row of the table, for the injector.
type fullRow struct {
	prefix netip.Prefix
	origin uint32
}

// fullTable returns the table: real prefixes, and their halves until there are enough.
func fullTable(t *testing.T) []fullRow {
	t.Helper()
	seen := map[netip.Prefix]bool{}
	var rows []fullRow
	count := map[bool]int{} // by whether they are v4
	add := func(p netip.Prefix, origin uint32) {
		want, most := fullV4, 24
		if p.Addr().Is6() {
			want, most = fullV6, 48
		}
		if is4 := p.Addr().Is4(); count[is4] < want && p.Bits() <= most && p.Bits() >= 8 && !seen[p] {
			seen[p] = true
			count[is4]++
			rows = append(rows, fullRow{p, origin})
		}
	}
	if dir := os.Getenv("WAYPOST_BENCH_DATA"); dir != "" {
		path := filepath.Join(dir, "global_netblocks_full.txt.zst")
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // only read
		real, _, err := asn.Read(path, f)
		if err != nil {
			t.Fatal(err)
		}
		for p, origin := range real.All() {
			add(p, origin)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; len(rows) < 1000; i++ {
		add(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i%80), byte(r.IntN(256))}), 16), 1+r.Uint32N(70_000))
		add(netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, byte(r.IntN(256)), byte(r.IntN(256))}), 32), 1+r.Uint32N(70_000))
	}
	for i := 0; len(rows) < fullV4+fullV6; i++ {
		row := rows[i]
		if row.prefix.Bits() >= 48 || row.prefix.Addr().Is4() && row.prefix.Bits() >= 24 {
			continue
		}
		origin := row.origin
		if i%10 == 0 {
			origin = 1 + r.Uint32N(70_000)
		}
		low := netip.PrefixFrom(row.prefix.Addr(), row.prefix.Bits()+1)
		high := row.prefix.Addr().AsSlice()
		high[row.prefix.Bits()/8] |= 0x80 >> (row.prefix.Bits() % 8)
		a, _ := netip.AddrFromSlice(high)
		add(low, origin)
		add(netip.PrefixFrom(a, low.Bits()), origin)
	}
	return rows
}

// appendUpdate appends an UPDATE message: a path of four ASes and two communities.
func appendUpdate(b []byte, origin uint32, prefixes []netip.Prefix) []byte {
	var nlri []byte
	for _, p := range prefixes {
		nlri = append(nlri, byte(p.Bits()))
		nlri = append(nlri, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
	}
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, 18, 2, 4}
	for _, as := range []uint32{64501, 3320 + origin%7, 1299 + origin%11, origin} {
		attrs = binary.BigEndian.AppendUint32(attrs, as)
	}
	is4 := prefixes[0].Addr().Is4()
	if is4 {
		attrs = append(attrs, 0x40, 3, 4, 127, 0, 0, 3)
	}
	attrs = append(attrs, 0xc0, 8, 8, 0xfb, 0xf5, 0, 1, 0xfb, 0xf5, byte(origin>>8), byte(origin))
	if !is4 {
		next := netip.MustParseAddr("2001:db8::3").As16()
		value := append(append([]byte{0, 2, 1, 16}, next[:]...), 0)
		value = append(value, nlri...)
		attrs = binary.BigEndian.AppendUint16(append(attrs, 0x90, 14), uint16(len(value)))
		attrs, nlri = append(attrs, value...), nil
	}
	body := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attrs)))
	return appendBGP(b, 2, append(append(body, attrs...), nlri...))
}

func appendBGP(b []byte, kind byte, body []byte) []byte {
	b = append(b, slices.Repeat([]byte{0xff}, 16)...)
	b = binary.BigEndian.AppendUint16(b, uint16(19+len(body)))
	return append(append(b, kind), body...)
}

// messages are the UPDATE messages of a table, and one message for each of
// some changes. Half of those are between ASes of hosts.
func messages(rows []fullRow, hosts []uint32) (table, changes []byte) {
	type group struct {
		origin uint32
		is4    bool
	}
	groups := map[group][]netip.Prefix{}
	var order []group
	for _, row := range rows {
		g := group{row.origin, row.prefix.Addr().Is4()}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], row.prefix)
	}
	for _, g := range order {
		for chunk := range slices.Chunk(groups[g], 400) {
			table = appendUpdate(table, g.origin, chunk)
		}
	}
	table = appendBGP(table, 2, []byte{0, 0, 0, 0})
	table = appendBGP(table, 2, []byte{0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1})
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		origin := 1 + r.Uint32N(70_000)
		if r.IntN(2) == 0 {
			origin = hosts[r.IntN(len(hosts))]
		}
		changes = appendUpdate(changes, origin, []netip.Prefix{rows[r.IntN(len(rows))].prefix})
	}
	return table, changes
}

// topOrigins are the ASes with the most prefixes.
func topOrigins(rows []fullRow, n int) []uint32 {
	count := map[uint32]int{}
	for _, row := range rows {
		count[row.origin]++
	}
	var all []uint32
	for as := range count {
		all = append(all, as)
	}
	slices.SortFunc(all, func(a, b uint32) int { return count[b] - count[a] })
	return all[:n]
}

// A feedBench is the network of the measurement.
type feedBench struct {
	*site
	sink   namespace
	router *process
	inject *helper
	rows   int
	asker  *helper
	pid    string // of the edge
}

const benchBird = `
log stderr all;
router id 192.0.2.2;
protocol device {}
protocol direct { ipv4; ipv6; interface "*"; }
protocol bgp upstream {
  local 127.0.0.1 as 64500; neighbor 127.0.0.3 as 64501; multihop; passive on;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
template bgp feeds {
  local as 64500; disabled;
  ipv4 { import none; export where source = RTS_BGP; };
  ipv6 { import none; export where source = RTS_BGP; next hop address 2001:db8::2; };
}
protocol bgp edge from feeds { neighbor 192.0.2.1 as 64512; }
protocol bgp sink from feeds { neighbor 192.0.2.6 as 64513; ipv6 { next hop address 2001:db8:6::1; }; }
`

const sinkBird = `
log stderr all;
router id 192.0.2.6;
protocol device {}
protocol bgp upstream {
  local as 64513; neighbor 192.0.2.5 as 64500; connect delay time 1;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`

func newFeedBench(t *testing.T, rows []fullRow) *feedBench {
	t.Helper()
	config := strings.Replace(feedConfig, ", password_file: md5.txt, ttl_security: 1", "", 1)
	b := &feedBench{site: newFeedSite(t, strings.Replace(config, "apply_every: 1s", "apply_every: 2s", 1)), sink: newNamespace(t, "sink"), rows: len(rows)}
	join(t, b.site.router, b.sink, []string{"192.0.2.5/30", "2001:db8:6::1/64"}, []string{"192.0.2.6/30", "2001:db8:6::2/64"})
	hosts := topOrigins(rows, fullHosts)
	catalog := "categories: [{name: os, path: pub/os}]\nhosts:\n"
	for i, as := range hosts {
		catalog += fmt.Sprintf("  - {name: h%d, asn: %d, addresses: [192.0.%d.%d], urls: {os: [\"http://h%d.test/os\"]}}\n", i, as, 3+i/250, i%250, i)
	}
	write(t, b.file("catalog.yaml"), catalog)
	table, changes := messages(rows, hosts)
	write(t, b.file("table.bin"), string(table))
	write(t, b.file("changes.bin"), string(changes))
	write(t, b.file("bird.conf"), benchBird)
	b.router = b.site.router.start(t, "taskset", "-c", "1", "nice", "-n", "-8", "bird", "-f", "-c", b.file("bird.conf"), "-s", b.file("bird.ctl"), "-P", b.file("bird.pid"))
	b.inject = b.helper(b.site.router, "TestHelperInject", b.file("table.bin"), b.file("changes.bin"))
	began := time.Now()
	b.inject.ask("table")
	b.waitRoutes("bird.ctl", time.Minute)
	t.Logf("the first bird has the table after %.1f s, RSS %d MiB", time.Since(began).Seconds(), rss(t, b.file("bird.pid"), "VmRSS"))
	return b
}

// waitRoutes waits until a bird has the whole table.
func (b *feedBench) waitRoutes(ctl string, within time.Duration) {
	b.t.Helper()
	last := ""
	for began := time.Now(); time.Since(began) < within; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("birdc", "-s", b.file(ctl), "show", "route", "count").CombinedOutput()
		if last = string(out); err == nil {
			n := 0
			for f := range strings.FieldsSeq(last) {
				if v, err := strconv.Atoi(f); err == nil && v > n {
					n = v
				}
			}
			if strings.Contains(last, "Total") && n >= b.rows {
				return
			}
		}
	}
	b.t.Fatalf("a bird does not have %d routes: %s", b.rows, last)
}

func rss(t *testing.T, pidfile, what string) int {
	t.Helper()
	pid, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	return rssOf(t, strings.TrimSpace(string(pid)), what)
}

// rssOf returns a figure of a process in MiB: VmRSS now, VmHWM at most.
func rssOf(t *testing.T, pid, what string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == what+":" {
			n, _ := strconv.Atoi(f[1])
			return n >> 10
		}
	}
	return 0
}

// cpuOf returns the CPU time that a process has used, in seconds.
func cpuOf(t *testing.T, pid string) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return float64(user+system) / 100
}

// measureSink sends the table to another bird, or to the program that
// WAYPOST_BENCH_SINK names, for comparison.
func (b *feedBench) measureSink() {
	b.t.Helper()
	if other := os.Getenv("WAYPOST_BENCH_SINK"); other != "" {
		p := b.sink.start(b.t, strings.Fields(other)...)
		b.birdc("enable", "sink")
		time.Sleep(60 * time.Second)
		pid := p.pid()
		lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
		b.t.Logf("%s: RSS %d MiB at most, %d in the end, CPU %.1f s\n%s", other, rssOf(b.t, pid, "VmHWM"), rssOf(b.t, pid, "VmRSS"), cpuOf(b.t, pid),
			strings.Join(lines[max(0, len(lines)-4):], "\n"))
		b.birdc("disable", "sink")
		return
	}
	write(b.t, b.file("sink.conf"), sinkBird)
	b.sink.start(b.t, "taskset", "-c", "1", "nice", "-n", "-8", "bird", "-f", "-c", b.file("sink.conf"), "-s", b.file("sink.ctl"), "-P", b.file("sink.pid"))
	eventually(b.t, "the second bird is there", func() bool { _, err := os.Stat(b.file("sink.pid")); return err == nil })
	b.birdc("enable", "sink")
	eventually(b.t, "the birds have a session", func() bool {
		out, _ := exec.Command("birdc", "-s", b.file("sink.ctl"), "show", "protocols", "upstream").CombinedOutput()
		return strings.Contains(string(out), "Established")
	})
	b.asker.say("10")
	began := time.Now()
	b.waitRoutes("sink.ctl", 2*time.Minute)
	b.t.Logf("bird: %d routes %.1f s after the session was up, RSS %d MiB at most, %d then", b.rows, time.Since(began).Seconds(),
		rss(b.t, b.file("sink.pid"), "VmHWM"), rss(b.t, b.file("sink.pid"), "VmRSS"))
	b.t.Logf("the edge meanwhile, which does nothing else: %s", b.asker.hear())
	b.birdc("disable", "sink")
	pid, _ := strconv.Atoi(strings.TrimSpace(readFile(b.t, b.file("sink.pid"))))
	if p, err := os.FindProcess(pid); err == nil && pid > 1 {
		_ = p.Kill()
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// measureIdle starts the edge and asks it.
func (b *feedBench) measureIdle() {
	t := b.t
	t.Helper()
	b.process = b.edge.start(t, "taskset", "-c", "0", "nice", "-n", "-10", built(t), "run", "-c", b.file("edge.yaml"))
	eventually(t, "the edge is up", func() bool { return b.host("5.1.2.3") != "" })
	b.pid, b.asker = b.process.pid(), b.helper(b.edge, "TestHelperAsk")
	b.asker.ask("2") // warm
	t.Logf("idle: RSS %d MiB, %s", rssOf(t, b.pid, "VmRSS"), b.asker.ask("10"))
}

// measureEdge sends the table to the edge, which answers meanwhile.
func (b *feedBench) measureEdge() {
	t, pid, asker := b.t, b.pid, b.asker
	t.Helper()
	_ = os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0)
	before := cpuOf(t, pid)
	b.birdc("enable", "edge")
	for b.peer().State != "established" { // the edge tries now and then
		time.Sleep(200 * time.Millisecond)
	}
	if file := os.Getenv("WAYPOST_BENCH_PROFILE"); file != "" {
		b.edge.start(t, "curl", "-s", "-o", file, "http://127.0.0.1:9090/debug/pprof/"+filepath.Base(file)+"?seconds=9")
	}
	asker.say("10")
	st := b.peer()
	for ; !st.Complete || st.UsedAfter == 0; st = b.peer() {
		time.Sleep(time.Second) // to ask costs 10 ms
	}
	t.Logf("import: %d prefixes, session up to End-of-RIB and complete %.2f s, to use %.2f s, CPU %.1f s", st.Prefixes,
		st.CompleteAfter.Seconds(), st.UsedAfter.Seconds(), cpuOf(t, pid)-before)
	t.Logf("during and after the import: %s", asker.hear())
	t.Logf("RSS at most %d MiB, then %d MiB", rssOf(t, pid, "VmHWM"), rssOf(t, pid, "VmRSS"))

	before, updates := cpuOf(t, pid), b.peer().Updates
	b.inject.say("500 20")
	time.Sleep(20 * time.Second)
	b.inject.hear()
	t.Logf("500 updates a second: %.1f %% of a core without questions, %d updates in 20 s", (cpuOf(t, pid)-before)/20*100, b.peer().Updates-updates)
	b.inject.say("500 10")
	t.Logf("500 updates a second: %s", asker.ask("10"))
	b.inject.hear()

	before, updates = cpuOf(t, pid), b.peer().Updates
	began := time.Now()
	b.inject.ask("100000 1")
	quiet := b.peer().Updates
	for {
		time.Sleep(200 * time.Millisecond)
		now := b.peer().Updates
		if now == quiet {
			break
		}
		quiet = now
	}
	t.Logf("as fast as bird can: %d updates in %.1f s, CPU %.1f s", quiet-updates, time.Since(began).Seconds(), cpuOf(t, pid)-before)
	time.Sleep(5 * time.Second)
	t.Logf("RSS at most %d MiB, now %d MiB", rssOf(t, pid, "VmHWM"), rssOf(t, pid, "VmRSS"))
}

// pid is that of the program, which `ip netns exec` has become.
func (p *process) pid() string { return strconv.Itoa(p.cmd.Process.Pid) }

// A helper is this test binary in a namespace, where it does a part on command.
type helper struct {
	t   *testing.T
	in  interface{ Write([]byte) (int, error) }
	out *bufio.Scanner
}

func (b *feedBench) helper(in namespace, test string, args ...string) *helper {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	niceness := "-8"
	if in == b.edge { // who asks must not wait for a router
		niceness = "-19"
	}
	cmd := exec.Command("ip", in.command("taskset", "-c", "1", "nice", "-n", niceness, self, "-test.run", "^"+test+"$", "-test.v")...)
	arguments, _ := json.Marshal(args)
	cmd.Env = append(os.Environ(), "WAYPOST_HELPER="+string(arguments))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &helper{b.t, stdin, bufio.NewScanner(stdout)}
}

func (h *helper) say(command string) { fmt.Fprintln(h.in, command) }

// hear returns the answer to a command.
func (h *helper) hear() string {
	h.t.Helper()
	for h.out.Scan() {
		if text, ok := strings.CutPrefix(h.out.Text(), "> "); ok {
			return text
		}
	}
	h.t.Fatal("a helper has ended")
	return ""
}

func (h *helper) ask(command string) string {
	h.t.Helper()
	h.say(command)
	return h.hear()
}
