//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestEmbargo releases something at a time: nobody gets it before, and everybody
// after, though the control plane is gone by then.
func TestEmbargo(t *testing.T) {
	t.Parallel()
	const secret = "/pub/os/44/iso/disc.iso"
	began := time.Now()
	master := t.TempDir()
	file(t, "the present disc", master, "43/iso/disc.iso")
	file(t, "the next disc", master, "44/iso/disc.iso")
	closed := filepath.Join(master, "44")
	chmod(t, closed, 0o750)

	p := newPlane(t, master, "")
	p.world(t)
	lift := time.Now().Add(40*time.Second + 5*time.Since(began)).UTC().Truncate(time.Second) // a slow machine gets longer
	p.ctl(t, "release", "set", "--new", "os-44", "paths=pub/os/44", "lift_at="+lift.Format(time.RFC3339))
	p.scan(t)

	// early gets it ahead and says so; silent has only what is public
	early, silent := serve(t, copyTree(t, master), nil), serve(t, copyTree(t, master), nil)
	remove(t, silent.dir, "44")
	p.host(t, "early", []string{early.url})
	p.host(t, "silent", []string{silent.url})
	p.host(t, "private", []string{privateURL}, "private=true", "netblocks=192.0.2.0/24")
	remove(t, early.dir, "44") // for the crawl; a mirror keeps it unreadable
	p.crawl(t, "early", "silent")
	early.dir = copyTree(t, master)
	for _, host := range []string{"early", "private"} {
		wantText(t, output(t, waypost, "report", "-c", p.reporter(t, host, early.dir)), "under embargo: 2")
	}
	e := p.edge(t)
	wantSent(t, e, disc, early.url, silent.url)
	p.settled(t)
	p.process.kill() // the edges lift it by themselves

	if left := time.Until(lift); left < 5*time.Second {
		t.Fatalf("%s are left before the lift: this machine is too slow", left)
	} else {
		t.Logf("%s are left before the lift", left)
	}
	if code := e.status(secret, inside); code != http.StatusNotFound {
		t.Errorf("before the lift, to the private host's clients: status %d, want 404", code)
	}
	for time.Until(lift) > time.Second {
		if code := e.status(secret, outside); code != http.StatusNotFound && time.Now().Before(lift) {
			t.Fatalf("%s before the lift: status %d, want 404", time.Until(lift), code)
		}
		<-time.After(200 * time.Millisecond)
	}
	until(t, 10*time.Second, "the release is there", func() bool { return e.sends(secret, outside, early.url) })
	if late := time.Since(lift); late < 0 {
		t.Errorf("the release was there %s before the lift", -late)
	}
	until(t, 5*time.Second, "it is there for the private host's clients", func() bool {
		_, location, _, _ := e.ask(secret, inside) //nolint:dogsled // only where to
		return location == privateURL+"/44/iso/disc.iso"
	})
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
