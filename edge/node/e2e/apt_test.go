//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPT updates and downloads from a Debian archive on mirrors.
func TestAPT(t *testing.T) {
	for program, in := range map[string]string{"apt-get": "apt", "dpkg-deb": "dpkg", "apt-ftparchive": "apt-utils"} {
		need(t, program, in)
	}
	archive := debianArchive(t)
	m := startMirror(t, archive)
	e := startEdge(t, fmt.Sprintf(`categories:
  - {name: deb, path: deb}
hosts:
  - {name: m0, urls: {deb: [%q]}}
`, m.url), "")
	t.Run("redirects", func(t *testing.T) {
		aptDownload(t, "http://"+e.http+"/deb")
	})
	t.Run("mirror method", func(t *testing.T) {
		aptDownload(t, "mirror+http://"+e.http+"/mirrorlist?path=deb")
	})
	if m.gets.Load() == 0 {
		t.Error("the mirror was not asked for anything")
	}
}

// aptDownload updates the lists of packages from an archive, in private
// folders, and downloads a package.
func aptDownload(t *testing.T, archive string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sources.list"), "deb [trusted=yes] "+archive+" stable main\n")
	write(t, filepath.Join(dir, "state", "status"), "")
	write(t, filepath.Join(dir, "cache", "archives", "partial", "x"), "")
	write(t, filepath.Join(dir, "state", "lists", "partial", "x"), "")
	apt := func(args ...string) {
		t.Helper()
		var options []string
		for _, o := range []string{
			"Dir::Etc::sourcelist=" + filepath.Join(dir, "sources.list"), "Dir::Etc::sourceparts=/dev/null",
			"Dir::State=" + filepath.Join(dir, "state"), "Dir::State::status=" + filepath.Join(dir, "state", "status"),
			"Dir::Cache=" + filepath.Join(dir, "cache"), "APT::Sandbox::User=root", "Acquire::Languages=none",
			"Acquire::http::Proxy=DIRECT", "Acquire::http::Proxy::127.0.0.1=DIRECT", "Acquire::Retries=0",
			"APT::Update::Error-Mode=any",
		} {
			options = append(options, "-o", o)
		}
		run(t, "env", append(append([]string{"-C", dir, "apt-get"}, options...), args...)...)
	}
	apt("update")
	apt("download", "hello")
	if found, _ := filepath.Glob(filepath.Join(dir, "hello_*.deb")); len(found) != 1 {
		t.Errorf("downloaded %v, want hello", found)
	}
}

// debianArchive makes an archive with one package, hello.
func debianArchive(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tree, pool := filepath.Join(t.TempDir(), "hello"), filepath.Join(dir, "pool", "main", "hello_1_all.deb")
	write(t, filepath.Join(tree, "DEBIAN", "control"),
		"Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: A greeting\n")
	write(t, filepath.Join(tree, "usr", "share", "hello", "greeting"), "hello\n")
	write(t, filepath.Join(dir, "pool", "main", "README"), "packages\n")
	run(t, "dpkg-deb", "--root-owner-group", "-b", tree, pool)

	arch := strings.TrimSpace(run(t, "dpkg", "--print-architecture"))
	lists := filepath.Join("dists", "stable", "main", "binary-"+arch)
	write(t, filepath.Join(dir, lists, "Packages"), run(t, "env", "-C", dir, "apt-ftparchive", "packages", "pool"))
	release := run(t, "env", "-C", dir, "apt-ftparchive", "-o", "APT::FTPArchive::Release::Suite=stable",
		"-o", "APT::FTPArchive::Release::Components=main", "-o", "APT::FTPArchive::Release::Architectures="+arch, "release", "dists/stable")
	write(t, filepath.Join(dir, "dists", "stable", "Release"), release)
	return dir
}
