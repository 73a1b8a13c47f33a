//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
)

// TestOlderMetadata has a mirror with the metadata of yesterday, which is a live
// alternate: it is the last in the metalink, clients are sent there for nothing
// that is new, and dnf installs from it when the only other mirror is gone.
func TestOlderMetadata(t *testing.T) {
	t.Parallel()
	for program, debian := range map[string]string{"rpmbuild": "rpm", "createrepo_c": "createrepo-c", "dnf": "dnf"} {
		needs.Program(t, program, debian)
	}
	master := t.TempDir()
	addPackage(t, master, "hello", 2*time.Hour)
	for i := range 30 { // no scan is believed that finds a third of all files gone
		file(t, "other things", master, fmt.Sprintf("43/doc/%d", i))
	}
	p := newPlane(t, master, "")
	p.world(t)
	p.scan(t)
	stale := serve(t, copyTree(t, master), nil)
	addPackage(t, master, "world", time.Hour)
	p.scan(t)
	whole := serve(t, copyTree(t, master), nil)
	p.host(t, "whole", []string{whole.url})
	p.host(t, "stale", []string{stale.url}, "bandwidth=100000") // it would be drawn first
	p.crawl(t, "whole", "stale")
	p.ctl(t, "publish", "--wait", "2m")

	e := p.edge(t)
	const query = "/metalink?repo=os-43&arch=x86_64"
	until(t, soon, "the metalink has both", func() bool {
		metalink := e.body(query, outside)
		return strings.Contains(metalink, whole.url) && strings.Contains(metalink, stale.url)
	})
	for range 20 {
		wantLast(t, e.body(query, outside), stale.url)
	}
	wantLast(t, e.body(repomd+".metalink", outside), stale.url)
	if meta4 := e.body(repomd+".meta4", outside); !strings.Contains(meta4, whole.url) || strings.Contains(meta4, stale.url) {
		t.Errorf("the hash of metalink 4 does not fit the stale mirror's file:\n%s", meta4)
	}
	wantSent(t, e, repomd, whole.url)
	dnfInstall(t, e, "hello", "world")

	t.Log("only the stale mirror is left")
	whole.stop()
	dnfInstall(t, e, "hello")
}

// wantLast wants the URLs of a metalink to end with those of a mirror.
func wantLast(t *testing.T, metalink, url string) {
	t.Helper()
	if last := strings.LastIndex(metalink, "<url "); last < 0 || !strings.Contains(metalink[last:], url) {
		t.Errorf("want %s to be the last URL of:\n%s", url, metalink)
	}
}
