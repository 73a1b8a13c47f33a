package scan_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/control/scan/mapping"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is when files made by a test are long settled.
func long() time.Time { return time.Now().Add(time.Hour) }

// aDay is the time of change that put gives to files.
func aDay() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file below top, readable by all, with its directories.
func put(t testing.TB, top, path, text string) {
	t.Helper()
	name := filepath.Join(top, path)
	check(t, os.MkdirAll(filepath.Dir(name), 0o755))
	check(t, os.WriteFile(name, []byte(text), 0o644))
	check(t, os.Chtimes(name, aDay(), aDay()))
}

// touch sets a file's time of change.
func touch(t testing.TB, top, path string, after time.Duration) {
	t.Helper()
	check(t, os.Chtimes(filepath.Join(top, path), aDay().Add(after), aDay().Add(after)))
}

// newTop returns a directory that all may read.
func newTop(t testing.TB) string {
	t.Helper()
	top := filepath.Join(t.TempDir(), "master")
	check(t, os.Mkdir(top, 0o755))
	return top
}

func scanner(t testing.TB, c scan.Config) *scan.Scanner {
	t.Helper()
	c.Category = "os"
	if c.Type == "" {
		c.Type = scan.Directory
	}
	c.Mapping.Rules = append(c.Mapping.Rules, mapping.Rule{Regex: `^pub/os/(?P<v>[^/]+)/`, Prefix: "os-${v}", Version: "${v}"})
	s, err := scan.New(c, "pub/os")
	check(t, err)
	return s
}

// run scans a settled tree.
func run(t testing.TB, s *scan.Scanner, last *scan.State) *scan.Result {
	t.Helper()
	r, err := s.Scan(t.Context(), scan.Request{Last: last, Now: long()})
	check(t, err)
	return r
}

// show prints a tree: closed directories with !, files with their size and the
// first byte of each hash they have.
func show(tree *registry.Tree) string {
	var b strings.Builder
	for _, d := range tree.Directories {
		mark := ""
		if !d.Readable {
			mark = "!"
		}
		fmt.Fprintf(&b, "%s/%s\n", d.Path, mark)
		for _, f := range d.Files {
			fmt.Fprintf(&b, "%s %d", listing.Join(d.Path, f.Name), f.Size)
			if f.Hashes != nil {
				for k, h := range f.Hashes {
					if len(h) > 0 {
						fmt.Fprintf(&b, " %d:%x", k, h[:1])
					}
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// createrepo makes an RPM repository, or skips the test where the program is missing.
func createrepo(t testing.TB, dir string) {
	t.Helper()
	if _, err := exec.LookPath("createrepo_c"); err != nil {
		t.Skip("no createrepo_c here")
	}
	check(t, os.MkdirAll(dir, 0o755))
	out, err := exec.Command("createrepo_c", "--quiet", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("createrepo_c: %v: %s", err, out)
	}
}
