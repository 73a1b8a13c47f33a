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

	"github.com/waypost/waypost/control/internal/needs"
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

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// put writes a file below top, readable by all, with its directories.
func put(tb testing.TB, top, path, text string) {
	tb.Helper()
	name := filepath.Join(top, path)
	check(tb, os.MkdirAll(filepath.Dir(name), 0o755))
	check(tb, os.WriteFile(name, []byte(text), 0o644))
	check(tb, os.Chtimes(name, aDay(), aDay()))
}

// touch sets a file's time of change.
func touch(tb testing.TB, top, path string, after time.Duration) {
	tb.Helper()
	check(tb, os.Chtimes(filepath.Join(top, path), aDay().Add(after), aDay().Add(after)))
}

// newTop returns a directory that all may read.
func newTop(tb testing.TB) string {
	tb.Helper()
	top := filepath.Join(tb.TempDir(), "master")
	check(tb, os.Mkdir(top, 0o755))
	return top
}

func scanner(tb testing.TB, c scan.Config) *scan.Scanner {
	tb.Helper()
	c.Category = "os"
	if c.Type == "" {
		c.Type = scan.Directory
	}
	c.Mapping.Rules = append(c.Mapping.Rules, mapping.Rule{Regex: `^pub/os/(?P<v>[^/]+)/`, Prefix: "os-${v}", Version: "${v}"})
	s, err := scan.New(c, "pub/os")
	check(tb, err)
	return s
}

// run scans a settled tree.
func run(tb testing.TB, s *scan.Scanner, last *scan.State) *scan.Result {
	tb.Helper()
	r, err := s.Scan(tb.Context(), scan.Request{Last: last, Now: long()})
	check(tb, err)
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
func createrepo(tb testing.TB, dir string) {
	tb.Helper()
	needs.Program(tb, "createrepo_c", "createrepo-c")
	check(tb, os.MkdirAll(dir, 0o755))
	out, err := exec.Command("createrepo_c", "--quiet", dir).CombinedOutput()
	if err != nil {
		tb.Fatalf("createrepo_c: %v: %s", err, out)
	}
}
