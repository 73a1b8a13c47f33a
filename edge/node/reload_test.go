package node_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The data are swapped this often.
const swaps = 50

// TestReload swaps two catalogues under load. Every answer must be that of one
// of them: the same hosts have other numbers in the other, so that an index
// together with the other's health, sets or names would show. Some hosts are
// dead, as probes find out; no answer may have them.
func TestReload(t *testing.T) {
	mirrors := newMirrors(t)
	a, b := variants(mirrors)
	dir := t.TempDir()
	catalog := filepath.Join(dir, "catalog.yaml")
	write(t, catalog, a.catalog())
	writeCountries(t, dir)
	hangups := make(chan os.Signal, 1) // or SIGHUP could end this process
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	at := start(t, dir, `edge:
  source: {catalog: catalog.yaml}
  geo: {country: country.mmdb}
  http: {listen: ["127.0.0.1:0"], trusted_proxies: ["127.0.0.0/8"]}
  dns:
    listen: ["127.0.0.1:0"]
    zones: [{name: m.test, ns: {ns.example.org: []}, mirrors: [{name: "@", path: pub/os, count: 3, types: [txt]}]}]
  health: {interval: 1s, timeout: 1s, fall: 4, rise: 4}
`)
	ask := &asker{http: "http://" + at["http"][0].String(), dns: at["dns"][0].String(), client: newClient(t)}
	use := func(v *variant) {
		t.Helper()
		write(t, catalog, v.catalog())
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	a.want = ask.settled(t, a)
	use(b)
	b.want = ask.settled(t, b)
	for i := range a.want {
		if slices.Equal(a.want[i], b.want[i]) {
			t.Errorf("%v: both catalogues give %v: this does not test much", questions()[i], a.want[i])
		}
	}

	load := startLoad(t, ask, a, b)
	for i := range swaps {
		v := []*variant{a, b}[i%2]
		use(v)
		load.until(t, v)
	}
	load.stop()
	t.Logf("%d answers over %d swaps: %d of one catalogue, %d of the other", load.answers.Load(), swaps, load.of[0].Load(), load.of[1].Load())
	if load.answers.Load() < 2000 {
		t.Errorf("only %d answers", load.answers.Load())
	}
}

// A load asks questions without end and checks each answer.
type load struct {
	ask      *asker
	variants [2]*variant
	answers  atomic.Int64
	of       [2]atomic.Int64 // answers of each variant
	failed   atomic.Int64
	quit     chan struct{}
	workers  sync.WaitGroup
}

func startLoad(t *testing.T, ask *asker, a, b *variant) *load {
	t.Helper()
	l := &load{ask: ask, variants: [2]*variant{a, b}, quit: make(chan struct{})}
	for w := range 4 {
		l.workers.Go(func() { l.work(t, w) })
	}
	return l
}

// work asks all questions over and over, beginning somewhere.
func (l *load) work(t *testing.T, from int) {
	t.Helper()
	all := questions()
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for i := from * 7; ; i++ {
		select {
		case <-l.quit:
			return
		case <-pace.C:
		}
		q := i % len(all)
		got, err := l.ask.question(all[q])
		l.answers.Add(1)
		switch {
		case err == nil && slices.Equal(got, l.variants[0].want[q]):
			l.of[0].Add(1)
		case err == nil && slices.Equal(got, l.variants[1].want[q]):
			l.of[1].Add(1)
		default:
			if l.failed.Add(1) < 10 {
				t.Errorf("%v: %v, %v, want %v or %v", all[q], got, err, l.variants[0].want[q], l.variants[1].want[q])
			}
		}
	}
}

// until waits until some answers are of v.
func (l *load) until(t *testing.T, v *variant) {
	t.Helper()
	of := &l.of[slices.Index(l.variants[:], v)]
	enough := of.Load() + 60
	deadline := time.Now().Add(time.Minute)
	for of.Load() < enough {
		if time.Now().After(deadline) {
			t.Fatal("the new catalogue is not in use after a minute")
		}
		<-time.After(time.Millisecond)
	}
}

func (l *load) stop() {
	close(l.quit)
	l.workers.Wait()
}

// A variant is one of the two catalogues.
type variant struct {
	hosts []*host    // in order
	lacks string     // the name of the host that lacks pub/os/old
	want  [][]string // the answers to the questions
}

// A host is a mirror on an address of its own, of loopback.
type host struct {
	name, country, addr, url string
	dead                     bool
}

// newMirrors starts ten mirrors, m1 to m10; of these m4 and m8 are dead.
func newMirrors(t *testing.T) []*host {
	t.Helper()
	var hosts []*host
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	t.Cleanup(func() { _ = server.Close() })
	for i := range 10 {
		ip := fmt.Sprintf("127.0.1.%d", i+1)
		l, err := net.Listen("tcp", ip+":0")
		if err != nil {
			t.Fatal(err)
		}
		h := &host{
			name: fmt.Sprintf("m%d", i+1), country: []string{"DE", "JP", "US"}[i%3], addr: ip,
			url: "http://" + l.Addr().String() + "/os", dead: i == 3 || i == 7,
		}
		if h.dead {
			_ = l.Close()
		} else {
			go func() { _ = server.Serve(l) }()
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// variants makes two catalogues of the mirrors: m1 and m2 are in the first
// only, m9 and m10 in the second only, and the others in reverse order there.
func variants(m []*host) (a, b *variant) {
	a = &variant{hosts: m[:8], lacks: "m3"}
	b = &variant{hosts: slices.Clone(m[2:]), lacks: "m6"}
	slices.Reverse(b.hosts)
	return a, b
}

func (v *variant) catalog() string {
	var c strings.Builder
	c.WriteString("categories: [{name: os, path: pub/os, policy: {sticky: true}}]\nhosts:\n")
	for _, h := range v.hosts {
		lacks := ""
		if h.name == v.lacks {
			lacks = ", lacks: [pub/os/old]"
		}
		fmt.Fprintf(&c, "  - {name: %s, country: %s, addresses: [%s], urls: {os: [%q]}%s}\n", h.name, h.country, h.addr, h.url, lacks)
	}
	return c.String()
}

// up returns the addresses of the hosts that may be in answers about a path.
func (v *variant) up(path string) (addrs []string) {
	for _, h := range v.hosts {
		if !h.dead && (h.name != v.lacks || !strings.HasPrefix(path, "pub/os/old")) {
			addrs = append(addrs, h.addr)
		}
	}
	slices.Sort(addrs)
	return addrs
}
