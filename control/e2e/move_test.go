//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMove moves a version from development to the releases while a client asks all
// the time and always gets a mirror; then its old metadata is expired.
func TestMove(t *testing.T) {
	t.Parallel()
	master := t.TempDir()
	metadata := func(revision int) string {
		return fmt.Sprintf(`<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>%d</revision></repomd>`, revision)
	}
	for _, dir := range []string{"development/44", "releases/44"} {
		file(t, metadata(1), master, dir, "x86_64/os/repodata/repomd.xml")
		for i := range 10 {
			file(t, "other things", master, dir, fmt.Sprintf("doc/%d", i))
		}
	}
	p := newPlane(t, master, "")
	p.world(t)
	p.ctl(t, "repository", "set", "--new", "r-44+x86_64", "name=r-44", "arch=x86_64", "path=pub/os/development/44/x86_64/os", "category=os")
	p.scan(t)
	m := serve(t, copyTree(t, master), nil)
	p.host(t, "m", []string{m.url})
	p.crawl(t, "m")
	p.ctl(t, "publish", "--wait", "2m")
	e := p.edge(t)
	const query = "?repo=r-44&arch=x86_64"
	leads := func(dir string) func() bool {
		return func() bool {
			return strings.Contains(e.body("/mirrorlist"+query, outside), m.url+"/"+dir) && strings.Contains(e.body("/metalink"+query, outside), m.url+"/"+dir)
		}
	}
	until(t, soon, "the repository is in development", leads("development/44/x86_64/os"))

	var client sync.WaitGroup
	done := make(chan struct{})
	client.Go(func() {
		for asked := 0; ; asked++ {
			select {
			case <-done:
				t.Logf("asked %d times", asked)
				return
			case <-time.After(5 * time.Millisecond):
			}
			if list := e.body("/mirrorlist"+query, outside); !strings.Contains(list, m.url) {
				t.Errorf("a client got no mirror: %q", list)
				return
			}
		}
	})
	wantText(t, p.ctl(t, "release", "move", "os", "44", "--dry-run"), "pub/os/releases/44/x86_64/os", "would be moved")
	wantText(t, p.ctl(t, "release", "move", "os", "44"), "moved")
	until(t, soon, "the repository is a release", leads("releases/44/x86_64/os"))
	close(done)
	client.Wait()

	old := sha256Of(t, master, "releases/44/x86_64/os/repodata/repomd.xml")
	file(t, metadata(2), master, "releases/44/x86_64/os/repodata/repomd.xml")
	p.scan(t)
	until(t, soon, "the old metadata is an alternate", func() bool { return strings.Contains(e.body("/metalink"+query, outside), old) })
	wantText(t, p.ctl(t, "release", "expire-metadata", "r-44"), "1 old versions are good no more, below pub/os/releases/44/x86_64/os")
	gone := func() bool {
		metalink := e.body("/metalink"+query, outside)
		return metalink != "" && !strings.Contains(metalink, old)
	}
	until(t, soon, "the old metadata is no alternate", gone)
	p.scan(t)
	p.settled(t)
	if !gone() {
		t.Error("a scan has brought it back")
	}
	wantText(t, p.ctl(t, "audit", "file"), "pub/os/releases/44/x86_64/os/repodata/repomd.xml")
}
