//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDNF installs packages with dnf, by each of the ways it knows to find mirrors.
func TestDNF(t *testing.T) {
	needRPM(t)
	need(t, "dnf", "dnf")
	repo := rpmRepository(t)
	t.Run("metalink", func(t *testing.T) { dnfMetalink(t, repo) })
	t.Run("mirrorlist", func(t *testing.T) { dnfMirrorlist(t, repo) })
	t.Run("baseurl", func(t *testing.T) { dnfRedirect(t, repo) })
}

// In the metalink the first mirror, of the client's own network, is dead.
func dnfMetalink(t *testing.T, repo string) {
	t.Helper()
	m, dead := startMirror(t, repo), deadURL(t)
	e := startEdge(t, rpmCatalog(t, repo, dead, m.url), "")
	list := get(t, "http://"+e.http+"/metalink?repo=os-43&arch=x86_64")
	if first, second := strings.Index(list, dead), strings.Index(list, m.url); first < 0 || second < first {
		t.Fatalf("want %s, then %s in the metalink:\n%s", dead, m.url, list)
	}
	newDNF(t, "metalink=http://"+e.http+"/metalink?repo=os-43&arch=$basearch").install(t, "hello")
	if m.gets.Load() == 0 {
		t.Error("the mirror was not asked for anything")
	}
}

func dnfMirrorlist(t *testing.T, repo string) {
	t.Helper()
	m := startMirror(t, repo)
	e := startEdge(t, rpmCatalog(t, repo, deadURL(t), m.url), "")
	newDNF(t, "mirrorlist=http://"+e.http+"/mirrorlist?repo=os-43&arch=$basearch").install(t, "hello")
}

// Every file is redirected, to the mirror of the client's own network at first.
// That mirror dies: when probes have found out, nobody is sent there.
func dnfRedirect(t *testing.T, repo string) {
	t.Helper()
	own, other, third := startMirror(t, repo), startMirror(t, repo), startMirror(t, repo)
	e := startEdge(t, rpmCatalog(t, repo, own.url, other.url, third.url), "  health: {interval: 2s, timeout: 2s}\n")
	newDNF(t, "baseurl=http://"+e.http+"/pub/os/43").install(t, "hello")
	if own.gets.Load() == 0 || other.gets.Load()+third.gets.Load() > 0 {
		t.Errorf("requests: %d, %d, %d, want all to the first", own.gets.Load(), other.gets.Load(), third.gets.Load())
	}

	own.dead.Store(true)
	const file = "/pub/os/43/repodata/repomd.xml"
	sentToOwn := func() bool { return strings.HasPrefix(e.location(t, file), own.url) }
	eventually(t, "the dead mirror is left out", func() bool { return !sentToOwn() })
	before := own.gets.Load()
	newDNF(t, "baseurl=http://"+e.http+"/pub/os/43").install(t, "hello", "world")
	for range 100 {
		if sentToOwn() {
			t.Fatal("a client is sent to a mirror that is down")
		}
	}
	if n := own.gets.Load() - before; n > 0 {
		t.Errorf("dnf was sent to the dead mirror %d times", n)
	}
	wantAll(t, get(t, "http://"+e.admin+"/explain?ip=127.0.0.1&path="+file), "down")

	own.dead.Store(false)
	eventually(t, "the mirror is back", sentToOwn)
}

// A dnf is a folder for dnf to work in, and one repository.
type dnf struct{ dir, root string }

// newDNF makes a dnf that knows one repository; where is a line of its configuration.
func newDNF(t *testing.T, where string) *dnf {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "log", "dnf.log"), "")
	write(t, filepath.Join(dir, "repos", "test.repo"),
		"[test]\nname=test\n"+where+"\nenabled=1\ngpgcheck=0\nmetadata_expire=0\n")
	return &dnf{dir, filepath.Join(dir, "root")}
}

// install installs packages and checks that their file is there.
func (d *dnf) install(t *testing.T, packages ...string) {
	t.Helper()
	args := []string{
		"-y", "--installroot=" + d.root, "--releasever=43", "--repo", "test", "--setopt=reposdir=" + d.dir + "/repos",
		"--setopt=cachedir=" + d.dir + "/cache", "--setopt=logdir=" + d.dir + "/log", "--setopt=persistdir=" + d.dir + "/persist",
		"--setopt=timeout=60", "install",
	}
	run(t, "dnf", append(args, packages...)...)
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(d.root, "usr/share", p, "greeting")); err != nil {
			t.Errorf("%s is not installed: %v", p, err)
		}
	}
}

func needRPM(t *testing.T) {
	t.Helper()
	need(t, "rpmbuild", "rpm")
	need(t, "createrepo_c", "createrepo-c")
}

// rpmRepository makes a tree whose folder 43 is a repository of two packages,
// hello and world.
func rpmRepository(t *testing.T) string {
	t.Helper()
	top, repo := t.TempDir(), t.TempDir()
	for _, name := range []string{"hello", "world"} {
		spec := filepath.Join(top, name+".spec")
		write(t, spec, fmt.Sprintf(`Name: %[1]s
Version: 1
Release: 1
Summary: A greeting
License: CC0-1.0
BuildArch: noarch
%%description
A greeting.
%%install
mkdir -p %%{buildroot}/usr/share/%[1]s
echo %[1]s > %%{buildroot}/usr/share/%[1]s/greeting
%%files
/usr/share/%[1]s/greeting
`, name))
		run(t, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+top, "--define", "_rpmdir "+filepath.Join(repo, "43", "Packages"), spec)
	}
	run(t, "createrepo_c", "-q", filepath.Join(repo, "43"))
	return repo
}

// rpmCatalog is a catalogue of mirrors of a repository. The first is of the
// network of all clients on loopback, so that it comes first for them.
func rpmCatalog(t *testing.T, repo string, mirrors ...string) string {
	t.Helper()
	const repomd = "43/repodata/repomd.xml"
	data, err := os.ReadFile(filepath.Join(repo, repomd))
	if err != nil {
		t.Fatal(err)
	}
	var c strings.Builder
	fmt.Fprintf(&c, `categories:
  - {name: os, path: pub/os}
repositories:
  - {name: os-43, arch: x86_64, path: pub/os/43}
  - {name: os-43, arch: aarch64, path: pub/os/43}
files:
  - {path: pub/os/%s, size: %d, sha256: %x}
hosts:
`, repomd, len(data), sha256.Sum256(data))
	for i, url := range mirrors {
		own := ""
		if i == 0 {
			own = `netblocks: ["127.0.0.0/8"], `
		}
		fmt.Fprintf(&c, "  - {name: m%d, %surls: {os: [%q]}}\n", i, own, url)
	}
	return c.String()
}
