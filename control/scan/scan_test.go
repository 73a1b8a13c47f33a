package scan_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/scan"
)

const (
	md5x    = "9dd4e461268c8034f5c8564e155c67a6"                                 // of x
	sha256x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of x
)

func TestDirectory(t *testing.T) {
	top := newTop(t)
	for _, path := range []string{
		"a/one", "a/two words", "a/new\nline", "a/b\xff", "closed/x", "closed/below/y", ".snapshot/z", "a/.~tmp~/z", "iso/dvd.iso", "iso/skip/z", "-/ü",
	} {
		put(t, top, path, "x")
	}
	put(t, top, "a/secret", "x")
	check(t, os.Chmod(filepath.Join(top, "a/secret"), 0o640))
	check(t, os.Chmod(filepath.Join(top, "closed"), 0o750))
	check(t, syscall.Mkfifo(filepath.Join(top, "a/pipe"), 0o644))
	links := map[string]string{
		"a/good": "one", "a/up": "../iso/dvd.iso", "a/chain": "good", "a/loop": "loop", "a/out": "../../x", "a/abs": "/etc/passwd",
		"a/gone": "nothing", "a/dir": "../iso", "a/leak": "../closed/x", "closed/in": "x", "top": "a/one",
	}
	for name, target := range links {
		check(t, os.Symlink(target, filepath.Join(top, name)))
	}
	r := run(t, scanner(t, scan.Config{Path: top, Excludes: []string{"^iso/skip"}}), nil)
	want := `/
top 1
-/
-/ü 1
a/
a/chain 1
a/good 1
a/one 1
a/two words 1
a/up 1
closed/!
closed/in 1
closed/x 1
closed/below/!
closed/below/y 1
iso/
iso/dvd.iso 1
`
	if diff := cmp.Diff(want, show(&r.Tree)); diff != "" {
		t.Error(diff)
	}
	skipped := map[string]int{
		"control character in name": 1, "name not UTF-8": 1, "file not readable by all": 1, "device, pipe or socket": 1,
		"link that is absolute or unknown": 1, "link out of the tree": 1, "link to a directory": 1, "link to a link, and so on": 1,
		"link to nothing that is listed": 1, "link into a closed directory": 1,
	}
	if diff := cmp.Diff(skipped, r.Report.Skipped); diff != "" {
		t.Error(diff)
	}
	if got := r.Tree.Directories[1].Files[0].Changed; got != aDay().Unix() {
		t.Errorf("changed %d, want %d", got, aDay().Unix())
	}
	if r.Report.Files != 11 || r.Report.Directories != 6 || r.Report.Bytes != 11 {
		t.Errorf("report %+v", r.Report)
	}
}

func TestHashes(t *testing.T) {
	top := newTop(t)
	for _, name := range []string{"good", "bsd", "newer", "odd", "disputed", "sub/below", "same", "link-to"} {
		put(t, top, "d/"+name, "x")
	}
	check(t, os.Symlink("link-to", filepath.Join(top, "d/link")))
	touch(t, top, "d/newer", time.Minute)
	put(t, top, "d/x-CHECKSUM", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# odd: 2 bytes\nSHA256 (odd) = "+sha256x+
		"\nSHA256 (bsd) = "+sha256x+"\nSHA256 (same) = "+sha256x+"\nSHA256 (disputed) = "+strings.Repeat("0", 64)+
		"\n-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n")
	put(t, top, "d/MD5SUM", md5x+" *good\n"+md5x+"  disputed\n")
	sums := ""
	for _, name := range []string{"good", "newer", "disputed", "sub/below", "same", "link", "missing", "../d/bsd"} {
		sums += sha256x + "  " + name + "\n"
	}
	put(t, top, "d/SHA256SUMS", sums)
	for _, name := range []string{"d/SHA256SUMS", "d/x-CHECKSUM", "d/MD5SUM"} {
		touch(t, top, name, time.Second)
	}
	s := scanner(t, scan.Config{Path: top})
	want := map[string]string{
		"good": " 0:9d 2:2d", "bsd": " 2:2d", "newer": "", "odd": "", "disputed": "", "sub/below": " 2:2d", "same": " 2:2d",
		"link": " 2:2d", "link-to": " 2:2d",
	}
	var last *scan.State
	for round := range 3 {
		r := run(t, s, last)
		last = r.State
		lines := show(&r.Tree)
		for name, hashes := range want {
			if !strings.Contains(lines, "d/"+name+" 1"+hashes+"\n") {
				t.Errorf("round %d: %s: want%s in\n%s", round, name, hashes, lines)
			}
		}
		withheld := map[string]int{"newer than the file that says its hash": 1, "its size is not the one said": 1, "has two different hashes": 1}
		if diff := cmp.Diff(withheld, r.Report.Withheld); diff != "" || r.Report.Missing != 1 {
			t.Error(diff, r.Report.Missing)
		}
		if read := r.Report.Read; round > 0 && read != 0 {
			t.Errorf("round %d: read %d files again", round, read)
		}
	}
}

func TestYoungFilesGetNoHash(t *testing.T) {
	top := newTop(t)
	put(t, top, "a.iso", "x")
	put(t, top, "repodata/repomd.xml", "<repomd></repomd>")
	put(t, top, "MD5SUM", md5x+"  a.iso\n")
	s := scanner(t, scan.Config{Path: top, Compute: scan.Compute{Match: []string{`\.iso$`}}})
	r, err := s.Scan(t.Context(), scan.Request{Now: time.Now()}) // the inodes are young, whatever their content's time
	check(t, err)
	if got := show(&r.Tree); strings.Contains(got, ":") || r.Report.Withheld["younger than the settle time"] != 3 || !r.Unsettled() || len(r.Metadata) > 0 {
		t.Errorf("%s%+v", got, r.Report)
	}
	r = run(t, s, r.State)
	if got := show(&r.Tree); !strings.Contains(got, "a.iso 1 0:9d 1:11 2:2d 3:a4\n") || len(r.Metadata) != 1 || r.Unsettled() {
		t.Errorf("%s%+v", got, r.Report)
	}
}

// TestUnsettledEnds scans what never becomes whole: scans that follow soon end,
// until something else is not whole.
func TestUnsettledEnds(t *testing.T) {
	const partial = "43/x86_64/repodata/repomd.xml"
	content := newTop(t)
	put(t, content, "MD5SUM", md5x+"  none\n")
	put(t, content, "future/MD5SUM", md5x+"  file\n")
	future := time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)
	check(t, os.Chtimes(filepath.Join(content, "future/MD5SUM"), future, future))
	put(t, content, partial, fmt.Sprintf(
		`<repomd><data><checksum type="sha256">%s</checksum><location href="repodata/none"/><size>1</size></data></repomd>`, sha256x))
	size := func(path string) int64 {
		info, err := os.Stat(filepath.Join(content, path))
		check(t, err)
		return info.Size()
	}
	text := "drwxr-xr-x 1 2026/01/02 03:04:05 .\n" +
		fmt.Sprintf("-rw-r--r-- %d 2026/01/02 03:04:05 MD5SUM\n", size("MD5SUM"))
	for name, line := range map[string]string{
		"partial": fmt.Sprintf("-rw-r--r-- %d 2026/01/02 03:04:05 %s\n", size(partial), partial),
		"future": fmt.Sprintf("-rw-r--r-- %d 2126/01/02 03:04:05 future/MD5SUM\n-rw-r--r-- 1 2126/01/02 03:04:05 future/file\n",
			size("future/MD5SUM")),
		"gone":    "-rw-r--r-- 43 2026/01/02 03:04:05 gone/MD5SUM\n",
		"changed": "-rw-r--r-- 1 2025/01/02 03:04:05 " + partial + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			list := filepath.Join(t.TempDir(), "list")
			check(t, os.WriteFile(list, []byte(text+line), 0o600))
			s := scanner(t, scan.Config{Type: scan.Listing, Path: list, Content: content})
			start := long()
			var last *scan.State
			at := func(after time.Duration) bool {
				r, err := s.Scan(t.Context(), scan.Request{Last: last, Now: start.Add(after)})
				check(t, err)
				last = r.State
				if len(r.Report.Withheld) == 0 {
					t.Error("nothing was withheld")
				}
				return r.Unsettled()
			}
			if !at(0) || !at(9*time.Minute) {
				t.Error("no other scan follows soon")
			}
			if at(10*time.Minute) || at(11*time.Minute) {
				t.Error("another scan follows after ten minutes")
			}
			check(t, os.WriteFile(list, []byte(text+line+"-rw-r--r-- 43 2026/01/02 03:04:05 new/MD5SUM\n"), 0o600))
			if !at(12 * time.Minute) {
				t.Error("for another file no other scan follows soon")
			}
		})
	}
}

func TestComputedHashes(t *testing.T) {
	top := newTop(t)
	put(t, top, "a.iso", "x")
	put(t, top, "liar.iso", "y")
	put(t, top, "large.iso", "xxxxxxxxx")
	put(t, top, "MD5SUM", md5x+"  liar.iso\n")
	c := scan.Config{Path: top, Compute: scan.Compute{Match: []string{`\.iso$`}, MaxSize: 8}}
	r := run(t, scanner(t, c), nil)
	want := "/\nMD5SUM 43\na.iso 1 0:9d 1:11 2:2d 3:a4\nlarge.iso 9\nliar.iso 1\n"
	if diff := cmp.Diff(want, show(&r.Tree)); diff != "" || r.Report.Withheld["has two different hashes"] != 1 {
		t.Error(diff, r.Report.Withheld)
	}
	saved, err := r.State.MarshalBinary()
	check(t, err)
	var state scan.State
	check(t, state.UnmarshalBinary(saved))
	again := run(t, scanner(t, c), &state)
	if diff := cmp.Diff(show(&r.Tree), show(&again.Tree)); diff != "" || again.Report.Read != 1 { // MD5SUM
		t.Errorf("%s read %d files after a restart", diff, again.Report.Read)
	}
	if again.Report.Reused != 1 {
		t.Errorf("took over %d of 1 directory after a restart", again.Report.Reused)
	}
	other := c
	other.Excludes = []string{"liar"}
	if got := show(&run(t, scanner(t, other), &state).Tree); strings.Contains(got, "liar") {
		t.Errorf("a state outlives the configuration it was made with:\n%s", got)
	}
	put(t, top, "a.iso", "z") // as large and as old as it was
	r = run(t, scanner(t, c), again.State)
	if got := show(&r.Tree); !strings.Contains(got, "a.iso 1 0:fb") {
		t.Errorf("a new file with the old size and time has the old hash:\n%s", got)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, want string
		in         scan.Config
	}{
		{"no URL", `url: want rsync://HOST/MODULE/PATH/, got "master.example.org/os"`, scan.Config{Category: "c", Type: scan.Rsync, URL: "master.example.org/os"}},
		{"no type", "type: want directory, rsync", scan.Config{Category: "c"}},
		{"no path", "type directory: want path", scan.Config{Category: "c", Type: scan.Directory}},
		{"no URL", "type rsync: want url", scan.Config{Category: "c", Type: scan.Rsync, Path: "x"}},
		{"no category", "category: want", scan.Config{Type: scan.Listing, Path: "x"}},
		{"strip", "strip: only", scan.Config{Category: "c", Type: scan.Listing, Path: "x", Strip: "y"}},
		{"content", "content: a directory", scan.Config{Category: "c", Type: scan.Directory, Path: "x", Content: "y"}},
		{"excludes", "excludes[0]", scan.Config{Category: "c", Type: scan.Listing, Path: "x", Excludes: []string{"("}}},
		{"compute", "compute.match[0]", scan.Config{Category: "c", Type: scan.Listing, Path: "x", Compute: scan.Compute{Match: []string{"("}}}},
		{"below zero", "want none below 0", scan.Config{Category: "c", Type: scan.Listing, Path: "x", Parallel: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := scan.New(tt.in, ""); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestMasterGone(t *testing.T) {
	top := newTop(t)
	put(t, top, "a", "x")
	s := scanner(t, scan.Config{Path: top})
	check(t, os.RemoveAll(top))
	if _, err := s.Scan(t.Context(), scan.Request{Now: long()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that it does not exist", err)
	}
	put(t, filepath.Dir(top), "master", "a file")
	if _, err := s.Scan(t.Context(), scan.Request{Now: long()}); err == nil {
		t.Error("a file was scanned as a directory")
	}
}

func TestCancelled(t *testing.T) {
	top := newTop(t)
	put(t, top, "a/b", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scanner(t, scan.Config{Path: top}).Scan(ctx, scan.Request{Now: long()}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	_, err := scanner(t, scan.Config{Path: top, MaxEntries: 2}).Scan(t.Context(), scan.Request{Now: long()})
	if err == nil || !strings.Contains(err.Error(), "more than 2 entries") {
		t.Error(err)
	}
}

// TestFuture has a file and its checksums from a clock that is years ahead.
func TestFuture(t *testing.T) {
	top := newTop(t)
	put(t, top, "a", "x")
	put(t, top, "MD5SUM", md5x+"  a\n")
	for _, name := range []string{"a", "MD5SUM", "."} {
		touch(t, top, name, 20*365*24*time.Hour)
	}
	s := scanner(t, scan.Config{Path: top, StatEvery: 1000})
	r := run(t, s, nil)
	if got := show(&r.Tree); !strings.Contains(got, "a 1 0:9d\n") {
		t.Errorf("%s%+v", got, r.Report)
	}
	if r = run(t, s, r.State); r.Report.Reused != 1 {
		t.Errorf("reused %d, want the top", r.Report.Reused)
	}
}
