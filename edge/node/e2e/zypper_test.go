//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"
)

// TestZypper lets zypper download a package. It names metalinks in the Accept
// header of every file: where a file's hash is known it gets one, and all
// other files are redirected.
func TestZypper(t *testing.T) {
	needRPM(t)
	need(t, "zypper", "zypper")
	repo := rpmRepository(t)
	m := startMirror(t, repo)
	e := startEdge(t, rpmCatalog(t, repo, deadURL(t), m.url), "  health: {interval: 2s, timeout: 2s}\n")
	eventually(t, "the dead mirror is found out", func() bool {
		return e.location(t, "/pub/os/43/x") == m.url+"/43/x"
	})

	dir := t.TempDir()
	write(t, filepath.Join(dir, "repos", "test.repo"),
		"[test]\nname=test\ntype=rpm-md\nenabled=1\nautorefresh=0\ngpgcheck=0\nbaseurl=http://"+e.http+"/pub/os/43/\n")
	zypper := func(args ...string) {
		t.Helper()
		base := []string{
			"--root", filepath.Join(dir, "root"), "--reposd-dir", filepath.Join(dir, "repos"), "--non-interactive",
			"--no-gpg-checks", "--pkg-cache-dir", filepath.Join(dir, "packages"),
		}
		run(t, "zypper", append(base, args...)...)
	}
	zypper("refresh")
	zypper("install", "-y", "--download-only", "hello")
	found, err := filepath.Glob(filepath.Join(dir, "packages", "*", "Packages", "*", "hello-*.rpm"))
	if err != nil || len(found) != 1 {
		t.Errorf("downloaded %v, %v, want hello", found, err)
	}
	for _, kind := range []string{"metalink4", "redirect"} {
		if n := e.metric(t, `waypost_http_requests_total{kind="`+kind+`"}`); n == "" || n == "0" {
			t.Errorf("no request was answered as %s", kind)
		}
	}
}
