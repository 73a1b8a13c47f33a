//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/control/web"
)

// TestKill kills the control plane again and again while it scans and
// publishes: what it said to have kept is kept, and the edge answers meanwhile.
func TestKill(t *testing.T) {
	t.Parallel()
	needs.Program(t, "rsync", "rsync")
	master := t.TempDir()
	file(t, "a disc", master, "43/iso/disc.iso")
	for i := range 300 {
		file(t, "more", master, fmt.Sprintf("43/more/%03d/file", i))
	}
	long := file(t, "", master, "43/long/disc.iso") // to hash it takes a second or two
	if err := os.Truncate(long, 300<<20); err != nil {
		t.Fatal(err)
	}
	p := newPlane(t, master, "  publish_every: 1ms\n") // each look publishes
	p.world(t)
	p.scan(t)
	m := serve(t, copyTree(t, master), nil)
	p.host(t, "m", []string{serveRsync(t, m.dir), m.url})
	p.crawl(t, "m")
	e := p.edge(t)
	wantSent(t, e, disc, m.url)

	stop := e.load()
	for i := range 6 {
		p.ctl(t, "host", "set", "--new", fmt.Sprintf("s/h%d", i), fmt.Sprintf("bandwidth=%d", i+1))
		file(t, "new", master, fmt.Sprintf("43/new/%d", i))
		p.ctl(t, "scan", "os")
		p.ctl(t, "publish")
		<-time.After(time.Duration(i) * 250 * time.Millisecond)
		p.process.kill()
		p.start(t)
	}
	asked, failed := stop()
	if failed > 0 || asked < 100 {
		t.Errorf("while the control plane was killed: %d of %d requests failed", failed, asked)
	}
	hosts := p.ctl(t, "host", "list")
	for i := range 6 {
		wantText(t, hosts, fmt.Sprintf("s/h%d", i))
	}
	p.ctl(t, "host", "set", "s/m", "user_active=false")
	until(t, soon, "what is changed afterwards gets to the edge", func() bool {
		code := e.status(disc, outside)
		return code == http.StatusNotFound || code == http.StatusServiceUnavailable
	})
	wantText(t, p.ctl(t, "scan", "os", "--wait", "2m"), "done")
}

// load asks the edge again and again until stop, which tells how often and with
// how many answers that were no redirect.
func (e *edge) load() (stop func() (asked, failed int)) {
	end := make(chan struct{})
	var wait sync.WaitGroup
	var asked, failed int
	wait.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				asked++
				if e.status(disc, outside) != http.StatusFound {
					failed++
				}
			}
		}
	})
	return func() (int, int) { close(end); wait.Wait(); return asked, failed }
}

// TestTwoPlanes has two control planes on one PostgreSQL. One is killed while it
// crawls; the other takes that over, and goes on to feed an edge.
func TestTwoPlanes(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	master := t.TempDir()
	file(t, "a disc", master, "43/iso/disc.iso")
	key := file(t, "", t.TempDir(), "key")
	remove(t, key) // the first makes it
	more := fmt.Sprintf("  database: %q\n  signing_key_file: %q\n", database, key)
	a := newPlane(t, master, more)
	b := newPlane(t, master, more)
	b.token = a.token
	a.world(t)
	b.scan(t)

	slow := newGate()
	m := serve(t, copyTree(t, master), slow.pass)
	b.host(t, "m", []string{m.url})
	b.ctl(t, "crawl", "s/m")
	until(t, soon, "somebody crawls", slow.waited)
	var jobs web.Jobs
	decode(t, a.ctl(t, "--json", "jobs", "crawl", "s/m os"), &jobs)
	if len(jobs.Jobs) != 1 || jobs.Jobs[0].State != "running" {
		t.Fatalf("want one crawl that runs, got %+v", jobs)
	}
	victim, heir := a, b
	if !a.does(jobs.Jobs[0]) {
		victim, heir = b, a
	}
	if !victim.does(jobs.Jobs[0]) {
		t.Fatalf("nobody has the job of %s", jobs.Jobs[0].Worker)
	}
	victim.process.kill()
	slow.open()
	e := heir.edge(t)
	until(t, 2*time.Minute, "the other has crawled", func() bool { return e.sends(disc, outside, m.url) })
	decode(t, heir.ctl(t, "--json", "jobs", "crawl", "s/m os"), &jobs)
	if j := jobs.Jobs[0]; j.State != "done" || !heir.does(j) || j.Attempt != 2 {
		t.Errorf("want the job done by the other at the second attempt, got %+v", j)
	}
}

// does reports whether a job is one of this process.
func (p *plane) does(j web.Job) bool {
	host, _ := os.Hostname()
	return strings.HasPrefix(j.Worker, fmt.Sprintf("%s-%d-", host, p.process.cmd.Process.Pid))
}

// A gate holds up requests until it opens.
type gate struct {
	come, opened chan struct{}
	once         sync.Once
}

func newGate() *gate { return &gate{come: make(chan struct{}), opened: make(chan struct{})} }

// pass waits, not for ever.
func (g *gate) pass() {
	g.once.Do(func() { close(g.come) })
	select {
	case <-g.opened:
	case <-time.After(25 * time.Second):
	}
}

// waited reports whether somebody has come.
func (g *gate) waited() bool {
	select {
	case <-g.come:
		return true
	default:
		return false
	}
}

func (g *gate) open() { close(g.opened) }
