//go:build e2e

package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// twoMirrors starts a control plane with mirrors a and b, and an edge that sends
// clients to both.
func twoMirrors(t *testing.T) (p *plane, a, b *mirror, e *edge) {
	t.Helper()
	p = discPlane(t)
	a, b = serve(t, copyTree(t, p.master), nil), serve(t, copyTree(t, p.master), nil)
	p.host(t, "a", []string{a.url})
	p.host(t, "b", []string{b.url})
	p.crawl(t, "a", "b")
	e = p.edge(t)
	wantSent(t, e, disc, a.url, b.url)
	return p, a, b, e
}

// TestRollback publishes an old snapshot again: it lasts until a publication is
// asked for.
func TestRollback(t *testing.T) {
	t.Parallel()
	p, a, b, e := twoMirrors(t)
	old := p.settled(t)

	p.ctl(t, "host", "set", "s/a", "user_active=false")
	wantSent(t, e, disc, b.url)
	p.ctl(t, "rollback", strconv.FormatUint(old, 10), "--wait", "2m")
	wantSent(t, e, disc, a.url, b.url)
	p.ctl(t, "host", "set", "s/b", "bandwidth=1000") // a change publishes nothing now
	held := p.version(t)
	<-time.After(6 * time.Second) // three times that it looks for changes
	if now := p.version(t); now != held {
		t.Errorf("version %d was published over the roll-back, %d", now, held)
	}
	wantSent(t, e, disc, a.url, b.url)
	p.ctl(t, "publish", "--wait", "2m")
	wantSent(t, e, disc, b.url)
}

// TestLongPoll leaves an edge alone for longer than it waits for news, which it
// then has at once.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	p, _, b, e := twoMirrors(t)
	p.settled(t)
	<-time.After(34 * time.Second)
	p.ctl(t, "host", "set", "s/a", "user_active=false")
	p.ctl(t, "publish", "--wait", "2m")
	until(t, 10*time.Second, "the edge has the news", func() bool { return e.sends(disc, outside, b.url) })
	if text := e.process.text(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "level=WARN") {
		t.Error("the edge complains")
	}
}
