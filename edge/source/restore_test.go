package source_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// What another process keeps after a Restore is taken by the next one; what is in
// use stays if that is of no use, and does not stand in the way of the same
// snapshot from the control plane.
func TestRestoreAgain(t *testing.T) {
	c, dir := newControl(), t.TempDir()
	old := follow(t, c, dir, nil)
	keep := func(version uint64, hosts ...string) {
		t.Helper()
		c.publish(t, network(version, hosts...), signer(1))
		if err := old.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r := follow(t, c, dir, nil)
	updated := func() bool {
		select {
		case <-r.Updated():
			return true
		default:
			return false
		}
	}
	for v := range uint64(2) {
		keep(10+v, "a", "b")
		for i := range 2 {
			if err := r.Restore(); err != nil || version(r) != 10+v || updated() != (i == 0) {
				t.Fatalf("version %d, %v", version(r), err)
			}
		}
	}
	keep(12, "a", "b", "c")
	sections, err := filepath.Glob(filepath.Join(dir, "sections", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sections {
		if err = os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err = r.Restore(); err == nil || version(r) != 11 {
		t.Errorf("version %d, %v", version(r), err)
	}
	if err = r.Poll(t.Context()); err != nil || version(r) != 12 {
		t.Errorf("version %d, %v", version(r), err)
	}
	c.set(nil, http.StatusBadGateway)
	if err = follow(t, c, dir, nil).Restore(); err != nil {
		t.Error(err)
	}
}
