package crawl_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// epoch is when the files of test trees were changed.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// content makes a test tree: paths and contents.
func content() map[string]string {
	rng := rand.New(rand.NewPCG(1, 2))
	c := map[string]string{
		"README":                       "read me\n",
		"os/repodata/repomd.xml":       "<repomd>2</repomd>",
		"os/repodata/2-primary.xml.gz": "primary two",
		"os/.treeinfo":                 "[general]\n",
		"iso/SHA256SUMS":               "sums\n",
		"iso/live.iso":                 strings.Repeat("0123456789abcdef", 8<<10),
	}
	for i := range 20 {
		b := make([]byte, 100+rng.IntN(9000))
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		c[fmt.Sprintf("os/Packages/p/pack age+%d.rpm", i)] = string(b)
	}
	return c
}

// write writes a tree to a new directory.
func write(tb testing.TB, c map[string]string) string {
	tb.Helper()
	root := tb.TempDir()
	for path, text := range c {
		name := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chtimes(name, epoch, epoch); err != nil {
			tb.Fatal(err)
		}
	}
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) { // daemons may run as nobody
		_ = os.Chmod(dir, 0o755)
	}
	return root
}

// scan makes the tree of a directory, with hashes of all files.
func scan(tb testing.TB, root string) *registry.Tree {
	tb.Helper()
	t := &registry.Tree{Category: "os", Scanned: time.Now()}
	at := map[string]int{}
	var dirs []string
	files := map[string][]registry.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if rel == "." {
			rel = ""
		}
		if d.IsDir() {
			dirs = append(dirs, rel)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		dir := strings.TrimPrefix(filepath.Dir("/"+rel), "/")
		files[dir] = append(files[dir], registry.File{
			Name: d.Name(), Size: info.Size(), Changed: info.ModTime().Unix(),
			Hashes: &registry.Hashes{snapshot.SHA256: sum[:]},
		})
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	sort.Strings(dirs)
	for i, dir := range dirs {
		at[dir] = i
		sort.Slice(files[dir], func(a, b int) bool { return files[dir][a].Name < files[dir][b].Name })
		t.Directories = append(t.Directories, registry.Directory{Path: dir, Changed: epoch.Unix(), Readable: true, Files: files[dir]})
	}
	return t
}

// job returns a full crawl of URLs against a tree.
func job(t *registry.Tree, urls ...string) crawl.Job {
	j := crawl.Job{Host: registry.Host{Site: "uni", Name: "m1"}, Carry: registry.Carry{Category: "os"}, Tree: t, Seed: 7}
	for _, u := range urls {
		j.Carry.URLs = append(j.Carry.URLs, registry.URL{URL: u})
	}
	return j
}

// quick are limits that suit tests.
func quick() crawl.Limits {
	return crawl.Limits{Private: true, Requests: -1, Timeout: 2 * time.Second, MaxWait: time.Second, Time: 30 * time.Second}
}

// do crawls.
func do(tb testing.TB, j crawl.Job, l crawl.Limits) (registry.Listing, crawl.Report) {
	tb.Helper()
	listing, r, err := crawl.Crawl(tb.Context(), j, l)
	if err != nil {
		tb.Fatal(err)
	}
	return listing, r
}

// verdicts writes a listing as a line for each directory: + held, - lacked,
// ? unknown, and the holes.
func verdicts(t *registry.Tree, l registry.Listing) string {
	var b strings.Builder
	for d, dir := range t.Directories {
		mark := "-"
		switch {
		case l.Unknown.Has(uint32(d)):
			mark = "?"
		case l.Holds.Has(uint32(d)):
			mark = "+"
		}
		fmt.Fprintf(&b, "%s/%s", mark, dir.Path)
		for _, r := range l.Lacks {
			if int(r.Directory) == d {
				b.WriteString(" !" + r.Name)
			}
		}
		for _, r := range l.Older {
			if int(r.Directory) == d {
				b.WriteString(" <" + r.Name)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// expect compares verdicts.
func expect(tb testing.TB, t *registry.Tree, l registry.Listing, r crawl.Report, want ...string) {
	tb.Helper()
	if got := verdicts(t, l); got != strings.Join(want, "\n")+"\n" {
		tb.Errorf("got\n%s\nwant\n%s\nreport %+v", got, strings.Join(want, "\n"), r)
	}
}

// daemon runs a program until the test ends and waits until it listens.
func daemon(tb testing.TB, port int, name string, args ...string) {
	tb.Helper()
	cmd := exec.Command(needs.Program(tb, name, name), args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	end := os.Interrupt
	if name == "rsync" { // half a second faster, and its children are gone by then
		end = os.Kill
	}
	tb.Cleanup(func() { _ = cmd.Process.Signal(end); _ = cmd.Wait() })
	for range 6000 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = conn.Close()
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	tb.Fatalf("%s does not listen", name)
}

// rsyncd serves a directory and returns its URL.
func rsyncd(tb testing.TB, root string) string {
	tb.Helper()
	port := needs.Port(tb)
	dir := tb.TempDir()
	config := fmt.Sprintf("use chroot = no\nmax connections = 60\nlog file = %s/log\nlock file = %s/lock\n[os]\npath = %s\nread only = yes\n", dir, dir, root)
	if os.Getuid() == 0 {
		config = "uid = nobody\ngid = nogroup\n" + config
	}
	if err := os.WriteFile(dir+"/conf", []byte(config), 0o644); err != nil {
		tb.Fatal(err)
	}
	daemon(tb, port, "rsync", "--daemon", "--no-detach", "--address=127.0.0.1", fmt.Sprintf("--port=%d", port), "--config="+dir+"/conf")
	return fmt.Sprintf("rsync://127.0.0.1:%d/os", port)
}

// files serves a directory over HTTP; wrap may be nil.
func files(tb testing.TB, root string, wrap func(http.Handler) http.Handler) string {
	tb.Helper()
	h := http.FileServer(http.Dir(root))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s.URL
}

var wholeTree = []string{"+/", "+/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata"}

func TestWhole(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	t.Run("rsync", func(t *testing.T) {
		l, r := do(t, job(tree, rsyncd(t, root)), quick())
		expect(t, tree, l, r, wholeTree...)
		if r.Method != "rsync" || r.Outcome != crawl.OK || !r.Attempts[0].Whole {
			t.Errorf("%+v", r)
		}
	})
	t.Run("http without index pages", func(t *testing.T) {
		l, r := do(t, job(tree, files(t, root, noIndex)), quick())
		expect(t, tree, l, r, wholeTree...)
	})
	t.Run("http.FileServer's index pages, without sizes", func(t *testing.T) {
		l, r := do(t, job(tree, files(t, root, nil)), quick())
		expect(t, tree, l, r, wholeTree...)
	})
	t.Run("rsync refused, then http", func(t *testing.T) {
		l, r := do(t, job(tree, fmt.Sprintf("rsync://127.0.0.1:%d/os", needs.Port(t)), files(t, root, noIndex)), quick())
		expect(t, tree, l, r, wholeTree...)
		if r.Method != "http" || len(r.Attempts) != 2 || r.Attempts[0].Stderr == "" {
			t.Errorf("%+v", r)
		}
	})
}

// noIndex forbids directories.
func noIndex(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
