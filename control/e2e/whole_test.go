//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
)

const (
	repomd = "/pub/os/43/repodata/repomd.xml"
	disc   = "/pub/os/43/iso/disc.iso"
	soon   = time.Minute // publishing, and the edge's long poll: some seconds; the rest is for a slow machine
)

// TestWholeWay registers mirrors, scans, crawls and publishes; clients get
// lists of the good ones, and dnf installs by them. Then mirrors break.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	for program, debian := range map[string]string{
		"rpmbuild": "rpm", "createrepo_c": "createrepo-c", "rsync": "rsync", "nginx": "nginx-light", "dnf": "dnf",
	} {
		needs.Program(t, program, debian)
	}
	master := t.TempDir()
	addPackage(t, master, "hello", 2*time.Hour)
	file(t, "a disc", master, "43/iso/disc.iso")
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
	other := serveNginx(t, copyTree(t, master))
	half := serve(t, copyTree(t, master), nil)
	remove(t, half.dir, "43/iso")

	p.host(t, "whole", []string{serveRsync(t, whole.dir), whole.url})
	p.host(t, "other", []string{other.url})
	p.host(t, "half", []string{half.url})
	p.host(t, "stale", []string{stale.url})
	p.host(t, "private", []string{"http://private.test/os"}, "private=true", "netblocks=192.0.2.0/24")
	p.crawl(t, "whole", "other", "half", "stale")
	p.ctl(t, "publish", "--wait", "2m")
	wantText(t, p.ctl(t, "jobs", "crawl", "s/whole os"), "ok by rsync", "0 lacked, 0 unknown")
	wantText(t, p.ctl(t, "jobs", "crawl", "s/other os"), "ok by http", "0 lacked, 0 unknown")

	e := p.edge(t)
	until(t, soon, "the lists have the mirrors with the new metadata", func() bool {
		return e.lists("os-43", outside, []string{whole.url, other.url, half.url}, []string{"private.test"})
	})
	metalink := e.body("/metalink?repo=os-43&arch=x86_64", outside)
	wantText(t, metalink, sha256Of(t, master, "43/repodata/repomd.xml"), "<mm0:alternates>", sha256Of(t, stale.dir, "43/repodata/repomd.xml"))
	wantLast(t, metalink, stale.url)
	wantSent(t, e, repomd, whole.url, other.url, half.url)
	wantSent(t, e, disc, whole.url, other.url, stale.url)
	dnfInstall(t, e, "hello", "world")

	t.Log("a mirror stops")
	other.stop()
	began := time.Now()
	p.crawl(t, "other")
	until(t, soon, "the lists are without it", func() bool {
		return e.lists("os-43", outside, []string{whole.url, half.url}, []string{other.url})
	})
	t.Logf("left the lists after %s", time.Since(began).Round(time.Millisecond))
	wantSent(t, e, disc, whole.url, stale.url)

	t.Log("a mirror loses a directory")
	remove(t, whole.dir, "43/iso")
	p.crawl(t, "whole")
	wantSent(t, e, disc, stale.url)
	wantSent(t, e, repomd, whole.url, half.url)

	t.Log("a host is switched off")
	p.ctl(t, "host", "set", "s/half", "user_active=false")
	wantSent(t, e, repomd, whole.url)
	if !e.lists("os-43", outside, []string{whole.url}, []string{half.url, other.url}) {
		t.Errorf("want only %s in:\n%s", whole.url, e.body("/metalink?repo=os-43&arch=x86_64", outside))
	}
}

// sha256Of returns the hash of a file in hexadecimal.
func sha256Of(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// wantSent waits until clients of a path are sent to exactly these mirrors.
func wantSent(t *testing.T, e *edge, path string, urls ...string) {
	t.Helper()
	until(t, soon, fmt.Sprintf("clients of %s are sent to %v", path, urls), func() bool {
		return e.sends(path, outside, urls...)
	})
}

// addPackage builds a package into the repository 43 of a tree, whose new files
// are then of some age.
func addPackage(t *testing.T, tree, name string, old time.Duration) {
	t.Helper()
	work, repository := t.TempDir(), filepath.Join(tree, "43")
	spec := file(t, fmt.Sprintf(`Name: %[1]s
Version: 1
Release: 1
Summary: Says %[1]s
License: CC0-1.0
BuildArch: noarch
%%description
Says %[1]s.
%%install
mkdir -p %%{buildroot}/usr/share/%[1]s
echo %[1]s >%%{buildroot}/usr/share/%[1]s/says
%%files
/usr/share/%[1]s
`, name), work, "package.spec")
	output(t, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+work, "--define", "_rpmdir "+filepath.Join(work, "out"), spec)
	age(t, filepath.Join(work, "out"), old)
	if err := os.MkdirAll(filepath.Join(repository, "Packages"), 0o755); err != nil {
		t.Fatal(err)
	}
	output(t, "cp", "-a", filepath.Join(work, "out/noarch")+"/.", filepath.Join(repository, "Packages"))
	output(t, "createrepo_c", "-q", repository)
	age(t, filepath.Join(repository, "repodata"), old)
}

// dnfInstall installs packages by the edge's metalink.
func dnfInstall(t *testing.T, e *edge, packages ...string) {
	t.Helper()
	dir := t.TempDir()
	file(t, "[os]\nname=os\nmetalink=http://"+e.address+"/metalink?repo=os-43&arch=x86_64\ngpgcheck=0\n", dir, "repos/os.repo")
	file(t, "", dir, "log/dnf.log")
	args := []string{"-y", "--installroot=" + dir + "/root", "--releasever=43", "--setopt=timeout=60"}
	for option, folder := range map[string]string{"reposdir": "repos", "cachedir": "cache", "logdir": "log", "persistdir": "persist"} {
		args = append(args, "--setopt="+option+"="+filepath.Join(dir, folder))
	}
	output(t, "dnf", append(append(args, "install"), packages...)...)
	for _, name := range packages {
		if got := word(t, filepath.Join(dir, "root/usr/share", name, "says")); got != name {
			t.Errorf("%s says %q", name, got)
		}
	}
}
