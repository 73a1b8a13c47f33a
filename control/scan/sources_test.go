//go:build unix

package scan_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/edge/snapshot"
)

// rsyncd runs an rsync daemon for root on loopback, reading as a user, and
// returns its URL.
func rsyncd(t *testing.T, root, user string) string {
	t.Helper()
	needs.Program(t, "rsync", "rsync")
	conf := filepath.Join(t.TempDir(), "rsyncd.conf")
	check(t, os.WriteFile(conf, fmt.Appendf(nil, "use chroot = no\nlog file = /dev/null\nuid = %s\n[m]\npath = %s\n", user, root), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			_ = c.Close()
			if err != nil {
				return
			}
			cmd := exec.Command("rsync", "--daemon", "--config="+conf)
			cmd.Stdin, cmd.Stdout = f, f
			_ = cmd.Run()
			_ = f.Close()
		}
	}()
	return "rsync://" + l.Addr().String() + "/m/"
}

// master makes a tree with two repositories and a file of checksums.
func master(t *testing.T) (top string) {
	t.Helper()
	top = newTop(t)
	createrepo(t, filepath.Join(top, "43/x86_64"))
	createrepo(t, filepath.Join(top, "44/aarch64"))
	put(t, top, "iso/dvd.iso", "x")
	put(t, top, "iso/SHA256SUMS", sha256x+"  dvd.iso\n")
	check(t, os.Symlink("dvd.iso", filepath.Join(top, "iso/latest.iso")))
	check(t, os.Chmod(filepath.Join(top, "44"), 0o700))
	return top
}

// TestSourcesAgree scans one master in each way.
func TestSourcesAgree(t *testing.T) {
	top := master(t)
	want := run(t, scanner(t, scan.Config{Path: top}), nil)
	if len(want.Found.Repositories) != 2 || len(want.Metadata) != 2 || !strings.Contains(show(&want.Tree), "iso/latest.iso 1 2:2d\n") {
		t.Fatalf("%+v\n%s", want.Found, show(&want.Tree))
	}
	server := httptest.NewServer(http.FileServer(http.Dir(top)))
	t.Cleanup(server.Close)
	out, err := exec.Command("sh", "-c", `LC_ALL=C TZ=UTC rsync -rl --list-only --no-h "$0/" > "$0.list"`, top).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tests := map[string]scan.Config{
		"rsync, content on disk":   {Type: scan.Rsync, URL: rsyncd(t, top, ourselves()), Content: top},
		"rsync, content by HTTP":   {Type: scan.Rsync, URL: rsyncd(t, top, ourselves()), Content: server.URL},
		"listing, content by HTTP": {Type: scan.Listing, Path: top + ".list", Content: server.URL + "/"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := scanner(t, c)
			got := run(t, s, nil)
			if diff := cmp.Diff(show(&want.Tree), show(&got.Tree)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want.Found, got.Found); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want.Metadata, got.Metadata); diff != "" {
				t.Error(diff)
			}
			if again := run(t, s, got.State); again.Report.Read != 0 || show(&again.Tree) != show(&got.Tree) {
				t.Errorf("read %d files again", again.Report.Read)
			}
		})
	}
	t.Run("rsync, no content", func(t *testing.T) {
		got := run(t, scanner(t, scan.Config{Type: scan.Rsync, URL: rsyncd(t, top, ourselves())}), nil)
		if len(got.Found.Repositories) != 2 || len(got.Metadata) != 0 || got.Report.Files != want.Report.Files || len(got.Report.Withheld) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestClosedToRsync has a daemon that may not read what is under embargo.
func TestClosedToRsync(t *testing.T) {
	needs.Root(t)
	top := newTop(t)
	for dir := top; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) { // t.TempDir's are for us alone
		check(t, os.Chmod(dir, 0o755))
	}
	put(t, top, "open/a", "x")
	put(t, top, "closed/a", "x")
	check(t, os.Chmod(filepath.Join(top, "closed"), 0o700))
	r := run(t, scanner(t, scan.Config{Type: scan.Rsync, URL: rsyncd(t, top, "nobody")}), nil)
	if diff := cmp.Diff("/\nclosed/!\nopen/\nopen/a 1\n", show(&r.Tree)); diff != "" {
		t.Error(diff)
	}
	if len(r.Report.Warnings) != 1 || !strings.Contains(r.Report.Warnings[0], "Permission denied") {
		t.Errorf("warnings %q", r.Report.Warnings)
	}
}

// ourselves returns the user that the test runs as.
func ourselves() string { return strconv.Itoa(os.Getuid()) }

func TestFileList(t *testing.T) {
	top := newTop(t)
	put(t, top, "linux/43/x86_64/repodata/repomd.xml", "<repomd/>")
	put(t, top, "linux/a.iso", "x")
	list := filepath.Join(top, "fullfiletimelist-x")
	info, err := os.Stat(filepath.Join(top, "linux/a.iso"))
	check(t, err)
	at := time.Now().Add(time.Minute).Unix() // as if an inode had changed then
	text := fmt.Sprintf("[Version]\n2\n\n[Files]\n%[1]d\tf\t9\tlinux/43/x86_64/repodata/repomd.xml\n%[1]d\td\t1\tlinux\n%[1]d\tf\t1\tlinux/a.iso\n"+
		"%[1]d\tf*\t1\tlinux/44/x\n%[1]d\td-\t4\tlinux/44\n%[1]d\tf-\t1\tlinux/no\n%[1]d\tl\t1\tlinux/link\n%[1]d\tf\t1\tother/x\n\n"+
		"[Checksums SHA1]\n11f6ad8ec52a2984abaafd7c3b516503785c2072\tlinux/a.iso\n\n[End]\n", at)
	check(t, os.WriteFile(list, []byte(text), 0o644))
	check(t, os.Chtimes(list, time.Unix(at, 0), time.Unix(at, 0)))
	r := run(t, scanner(t, scan.Config{Type: scan.FileList, Path: list, Strip: "linux"}), nil)
	want := "/\na.iso 1 1:11\n43/\n43/x86_64/\n43/x86_64/repodata/\n43/x86_64/repodata/repomd.xml 9\n44/!\n44/x 1\n"
	if diff := cmp.Diff(want, show(&r.Tree)); diff != "" {
		t.Error(diff)
	}
	if r.Tree.Directories[0].Files[0].Changed != 0 {
		t.Error("the time of an inode's change passes for a file's time")
	}
	// with content, times are known and repomd.xml is read
	inode := func(text string) string {
		id := max(info.ModTime().Unix(), time.Now().Unix())
		return strings.ReplaceAll(text, fmt.Sprint(at), fmt.Sprint(id))
	}
	check(t, os.WriteFile(list, []byte(inode(text)), 0o644))
	for range 2 { // the clock may have gone on by a second since the files were made
		r = run(t, scanner(t, scan.Config{Type: scan.FileList, Path: list, Strip: "linux", Content: filepath.Join(top, "linux")}), nil)
		if len(r.Metadata) == 1 {
			break
		}
		now := time.Now()
		check(t, os.Chtimes(filepath.Join(top, "linux/43/x86_64/repodata/repomd.xml"), now, now))
		check(t, os.WriteFile(list, []byte(strings.ReplaceAll(text, fmt.Sprint(at), fmt.Sprint(now.Unix()))), 0o644))
	}
	if len(r.Metadata) != 1 {
		t.Errorf("%+v", r.Report)
	}
	check(t, os.WriteFile(list, []byte(strings.TrimSuffix(text, "[End]\n")), 0o644))
	if _, err = scanner(t, scan.Config{Type: scan.FileList, Path: list}).Scan(t.Context(), scan.Request{Now: long()}); err == nil {
		t.Error("a list without its end was taken")
	}
}

// TestMetadata follows a repository through two versions and two that are not
// whole: the last whole one stays.
func TestMetadata(t *testing.T) {
	const path = "43/x86_64/repodata/repomd.xml"
	top := newTop(t)
	repomd := func(size int) string {
		return fmt.Sprintf(`<repomd><data><checksum type="sha256">%s</checksum><location href="repodata/p"/><size>%d</size></data></repomd>`, sha256x, size)
	}
	s := scanner(t, scan.Config{Path: top})
	expect := func(r *scan.Result, want string) {
		t.Helper()
		if sum := sha256.Sum256([]byte(want)); !bytes.Equal(r.Metadata[path].Hashes[snapshot.SHA256], sum[:]) {
			t.Errorf("%+v is not %s\n%+v", r.Metadata[path], want, r.Report)
		}
	}
	put(t, top, "43/x86_64/repodata/p", "x")
	put(t, top, path, repomd(1))
	r := run(t, s, nil)
	if got := show(&r.Tree); !strings.Contains(got, "repodata/p 1 2:2d\n") {
		t.Fatalf("%+v\n%s", r.Report, got)
	}
	expect(r, repomd(1))
	put(t, top, path, repomd(10)) // its file is not there in full
	touch(t, top, path, time.Minute)
	r = run(t, s, r.State)
	expect(r, repomd(1))
	if r.Report.Withheld["a file that it lists is not there in full"] != 1 {
		t.Errorf("%+v", r.Report)
	}
	put(t, top, "43/x86_64/repodata/p", "xxxxxxxxxx")
	r = run(t, s, r.State)
	expect(r, repomd(10))
	put(t, top, path, repomd(10)[:50]) // not whole
	touch(t, top, path, 2*time.Minute)
	r = run(t, s, r.State)
	expect(r, repomd(10))
	if r.Report.Withheld["is no whole file of its kind"] != 1 {
		t.Errorf("%+v", r.Report)
	}
}

// TestContentLies has a server that gives other bytes than were listed.
func TestContentLies(t *testing.T) {
	top := newTop(t)
	put(t, top, "MD5SUM", md5x+"  a\n")
	list := top + ".list"
	check(t, os.WriteFile(list, []byte("drwxr-xr-x 1 2026/01/02 03:04:05 .\n-rw-r--r-- 1 2026/01/02 03:04:05 a\n"+
		"-rw-r--r-- 36 2026/01/02 03:04:05 MD5SUM\n"), 0o644))
	for name, answer := range map[string]http.HandlerFunc{
		"other size": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("not found, sorry")) },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"other time": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2023 03:04:05 GMT")
			_, _ = w.Write([]byte(md5x + "  a\n"))
		},
		"missing": http.NotFound,
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "36")
			_, _ = w.Write([]byte(md5x))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			r := run(t, scanner(t, scan.Config{Type: scan.Listing, Path: list, Content: server.URL}), nil)
			if got := show(&r.Tree); strings.Contains(got, ":") || len(r.Report.Withheld) != 1 {
				t.Errorf("%s%+v", got, r.Report)
			}
		})
	}
}
