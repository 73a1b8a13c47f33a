package listing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/edge/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleParseRsync() {
	text := `Welcome to our mirror!

drwxr-xr-x        4096 2026/01/02 03:04:05 .
-rw-r--r--   1,234,567 2026/01/02 03:04:05 my\#012file
lrwxrwxrwx          11 2026/01/02 03:04:05 latest -> releases/43
drwx------        4096 2026/01/02 03:04:05 releases/44
`
	err := listing.ParseRsync(strings.NewReader(text), func(e listing.Entry) error {
		fmt.Printf("%q %d %v %q %q\n", e.Path, e.Size, e.Readable, e.Target, listing.Flaw(e.Path))
		return nil
	})
	fmt.Println(err)
	// Output:
	// "" 4096 true "" ""
	// "my\nfile" 1234567 true "" "control character in name"
	// "latest" 11 true "releases/43" ""
	// "releases/44" 4096 false "" ""
	// <nil>
}

func parseRsync(text string) (all []listing.Entry, err error) {
	err = listing.ParseRsync(strings.NewReader(text), func(e listing.Entry) error {
		all = append(all, e)
		return nil
	})
	return all, err
}

func TestParseRsync(t *testing.T) {
	const at = 1767323045 // 2026-01-02 03:04:05
	tests := []struct {
		name, in string
		want     []listing.Entry
		wantErr  string
	}{
		{"nothing", "", nil, ""},
		{"greeting only", "hello\n-rw-r--r-- we are closed\n", nil, ""},
		{
			"blanks in the name", "-rw-r--r--  5 2026/01/02 03:04:05  a  b \n",
			[]listing.Entry{{Path: " a  b ", Kind: listing.File, Readable: true, Size: 5, MTime: at}},
			"",
		},
		{
			"an arrow in a file's name", "-rw-r--r--  5 2026/01/02 03:04:05 a -> b\n",
			[]listing.Entry{{Path: "a -> b", Kind: listing.File, Readable: true, Size: 5, MTime: at}},
			"",
		},
		{
			"an arrow too many", "lrwxrwxrwx  5 2026/01/02 03:04:05 a -> b -> c\n",
			[]listing.Entry{{Path: "a -> b -> c", Kind: listing.Link, Readable: true, Size: 5, MTime: at}},
			"",
		},
		{
			"an escaped backslash", `-rw-r----- 5 2026/01/02 03:04:05 a\#134#123\#9` + "\r\n",
			[]listing.Entry{{Path: `a\#123\#9`, Kind: listing.File, Size: 5, MTime: at}},
			"",
		},
		{
			"a pipe, a sticky directory, a closed one",
			"prw-r--r-- 0 2026/01/02 03:04:05 p\ndrwxrwxrwt 0 2026/01/02 03:04:05 d\ndrwxr-xr-- 0 2026/01/02 03:04:05 e\n",
			[]listing.Entry{
				{Path: "p", Readable: true, MTime: at},
				{Path: "d", Kind: listing.Dir, Readable: true, MTime: at},
				{Path: "e", Kind: listing.Dir, MTime: at},
			},
			"",
		},
		{
			"statistics", "-rw-r--r-- 5 2026/01/02 03:04:05 a\n\nsent 1 bytes  received 2 bytes\ntotal size is 5\n",
			[]listing.Entry{{Path: "a", Kind: listing.File, Readable: true, Size: 5, MTime: at}},
			"",
		},
		{"noise", "-rw-r--r-- 5 2026/01/02 03:04:05 a\noops\n", nil, "line 2: want PERMISSIONS"},
		{"no such day", "drwxr-xr-x 5 2026/01/02 03:04:05 .\n-rw-r--r-- 5 2026/02/30 03:04:05 a\n", nil, "line 2"},
		{"negative size", "drwxr-xr-x 5 2026/01/02 03:04:05 .\n-rw-r--r-- -5 2026/02/20 03:04:05 a\n", nil, "line 2"},
		{"no name", "drwxr-xr-x 5 2026/01/02 03:04:05 .\n-rw-r--r-- 5 2026/02/20 03:04:05 \n", nil, "line 2"},
		{"cut off", "-rw-r--r-- 5 2026/01/02 03:04:05 a", nil, "incomplete"},
		{"endless line", strings.Repeat("x", 70000), nil, "line 1: longer"},
		{"endless greeting", strings.Repeat("x\n", 10002), nil, "no entry in 10000 lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseRsync(tt.in)
			if !matches(err, tt.wantErr) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" && err == nil {
				t.Error(diff)
			}
		})
	}
}

func matches(err error, text string) bool {
	if err == nil || text == "" {
		return err == nil && text == ""
	}
	return strings.Contains(err.Error(), text)
}

const fullList = `[Version]
2

[Files]
1767323045	d	4096	releases
1767323045.5	f	12	./releases/a b
1767323045	d-	4096	secret
1767323045	f*	13	secret/x
1767323045	l	3	latest
1767323045	f	3	bad
name
1767323045	f	3	good

[Other]
whatever

[Checksums SHA1]
da39a3ee5e6b4b0d3255bfef95601890afd80709	releases/a b

[End]
`

func parseFull(text string) (all []listing.Entry, sums map[string]string, err error) {
	sums = map[string]string{}
	err = listing.Full{
		Entry: func(e listing.Entry) error { all = append(all, e); return nil },
		Sum: func(path string, kind snapshot.HashKind, hash []byte) error {
			sums[path] = fmt.Sprintf("%s %x", kind, hash)
			return nil
		},
	}.Parse(strings.NewReader(text))
	return all, sums, err
}

func TestParseFull(t *testing.T) {
	const at = 1767323045
	all, sums, err := parseFull(fullList)
	if err != nil {
		t.Fatal(err)
	}
	want := []listing.Entry{
		{Path: "releases", Kind: listing.Dir, Readable: true, Size: 4096, MTime: at},
		{Path: "releases/a b", Kind: listing.File, Readable: true, Size: 12, MTime: at},
		{Path: "secret", Kind: listing.Dir, Size: 4096, MTime: at},
		{Path: "secret/x", Kind: listing.File, Readable: true, Size: 13, MTime: at},
		{Path: "latest", Kind: listing.Link, Readable: true, Size: 3, MTime: at},
		{Path: "bad\nname", Kind: listing.File, Readable: true, Size: 3, MTime: at},
		{Path: "good", Kind: listing.File, Readable: true, Size: 3, MTime: at},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"releases/a b": "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709"}, sums); diff != "" {
		t.Error(diff)
	}
	if _, _, err := parseFull(strings.Replace(fullList, "\n2\n", "\n3\n", 1)); err != nil {
		t.Errorf("version 3: %v", err)
	}
}

func TestParseFullRefuses(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"no end", "[End]\n", "", "incomplete"},
		{"end cut off", "[End]\n", "[End]", "incomplete"},
		{"more after the end", "[End]\n", "[End]\nx\n", "want nothing after"},
		{"version 4", "\n2\n", "\n4\n", "line 2: want version 2 or 3"},
		{"no version", "[Version]\n2\n", "", "want [Version]"},
		{"no number", "[Version]\n2\n", "[Version]\n", "want [Version] and its number"},
		{"no files", "[Files]", "[Filets]", "no [Files]"},
		{"a bad first row", "1767323045	d	", "now	d	", "line 5: want TIME"},
		{"a bad hash", "da39", "zz39", "line 18: want a sha1 hash"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parseFull(strings.Replace(fullList, tt.from, tt.to, 1))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParsePassesErrorsOn(t *testing.T) {
	stop := errors.New("stop")
	err := listing.ParseRsync(strings.NewReader("-rw-r--r-- 5 2026/01/02 03:04:05 a\n"), func(listing.Entry) error { return stop })
	if !errors.Is(err, stop) {
		t.Error(err)
	}
	err = listing.Full{Entry: func(listing.Entry) error { return stop }}.Parse(strings.NewReader(fullList))
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestFlaw(t *testing.T) {
	bad := []string{"..", ".", "a/../b", "/a", "a/", "a//b", "a/.", "a\nb", "\xff", "a\x7f", strings.Repeat("a", 5000)}
	for _, path := range bad {
		if listing.Flaw(path) == "" {
			t.Errorf("Flaw(%q) is empty", path)
		}
	}
	for _, path := range []string{"", "a", "a/b", "...", ".a", "ü/a b"} {
		if why := listing.Flaw(path); why != "" {
			t.Errorf("Flaw(%q) = %s", path, why)
		}
	}
}

func FuzzParseRsync(f *testing.F) {
	f.Add("drwxr-xr-x        4096 2026/01/02 03:04:05 .\n-rw-r--r--   1,234 2026/01/02 03:04:05 my\\#012file\n")
	f.Add("lrwxrwxrwx 1 2026/01/02 03:04:05 a -> b\n") // links
	f.Add("crw-r--r-- 1,3 2026/01/02 03:04:05 null\n") // a device
	f.Fuzz(func(_ *testing.T, text string) {
		all, err := parseRsync(text)
		for _, e := range all {
			if err == nil && e.Size < 0 {
				panic("negative size")
			}
		}
	})
}

func FuzzParseFull(f *testing.F) {
	f.Add(fullList)
	f.Add("[Version]\n3\n[Files]\n[End]\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := parseFull(text)
		if err == nil && !strings.Contains(text, "[End") {
			t.Errorf("accepted without an end: %q", text)
		}
	})
}

func BenchmarkParseRsync(b *testing.B) {
	const lines = 10000
	text := strings.Repeat("-rw-r--r--       1,234,567 2026/01/02 03:04:05 releases/43/Everything/x86_64/os/Packages/a/abc-1.2.3-4.fc43.x86_64.rpm\n", lines)
	for b.Loop() {
		if err := listing.ParseRsync(strings.NewReader(text), func(listing.Entry) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
}
