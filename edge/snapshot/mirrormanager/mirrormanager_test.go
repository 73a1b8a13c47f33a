package mirrormanager_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
	"github.com/waypost/waypost/geo"
)

func decode(t *testing.T, data []byte) (*snapshot.Snapshot, mirrormanager.Report) {
	t.Helper()
	snap, report, err := mirrormanager.Decode("cache.pb", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return snap, report
}

// code is a valid country, for tests.
func code(s string) geo.Country { return geo.Country{s[0], s[1]} }

// The whole snapshot of the mirrorlist-server's own test fixture.
func TestFixtureF(t *testing.T) {
	policy := snapshot.Policy{Minimum: snapshot.DefaultMinimum, Bands: snapshot.AllBands}
	mounts := func(id int64) (ms []snapshot.Mount) {
		for category := range uint32(2) {
			m := snapshot.Mount{Category: category}
			for i := id*10 + 1; i <= id*10+3; i++ {
				m.URLs = append(m.URLs, fmt.Sprintf("http://hcurl%d/test-%d", i, i))
			}
			ms = append(ms, m)
		}
		return ms
	}
	want := &snapshot.Snapshot{
		Version: 1_700_000_000_000,
		Created: time.Unix(1_700_000_000, 0).UTC(),
		Categories: []snapshot.Category{
			{Name: "directory/level/three", Path: "directory/level/three", Policy: policy, Enumerated: true},
			{Name: "directory/level/three/repodata", Path: "directory/level/three/repodata", Policy: policy, Enumerated: true},
		},
		Hosts: []snapshot.Host{
			{Name: "hcurl11", ID: 1, Bandwidth: 100, Mounts: mounts(1), Has: snapshot.Bitmap{3}},
			{Name: "hcurl421", ID: 42, Country: code("SE"), Bandwidth: 83, Mounts: mounts(42), Has: snapshot.Bitmap{3}},
			{Name: "hcurl1001", ID: 100, Bandwidth: 1000, Mounts: mounts(100), Has: snapshot.Bitmap{3}},
		},
		Directories: []snapshot.Directory{
			{Path: "directory/level/three", Category: 0},
			{Path: "directory/level/three/repodata", Category: 1},
		},
	}
	fields := fixtureF()
	for seed := range uint64(20) { // fields may come in any order
		rng := rand.New(rand.NewPCG(seed, 0))
		rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		got, report := decode(t, join(fields))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(snapshot.Files{})); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		text := "3 hosts (0 private), 2 categories, 2 directories, 0 files, 0 repositories\n" +
			"1 × country of a host taken from ByCountry: HostCountryCache has none: host 42: SE"
		if report.String() != text {
			t.Fatalf("report: %s\nwant: %s", report, text)
		}
	}
}

func TestTables(t *testing.T) {
	snap, report := decode(t, minimal(
		message{}.sub(2, textText("10.99.3.4/16", "de")),
		message{}.sub(2, textText("10.98.0.1", "FR")),
		message{}.sub(2, textText("junk", "FR")),
		message{}.sub(3, textNums("location", 1)),
		message{}.sub(6, message{}.text(1, "off").num(2, 1)),
		message{}.sub(6, message{}.text(1, "on").num(2, 0)),
		message{}.sub(7, textText("IL", "EU")),
		message{}.sub(7, textText("I", "EU")),
		message{}.sub(8, textText("a", "b")),
		message{}.sub(8, textText("a", "c")),
		message{}.sub(9, textText("os-c++-9+x86_64", "/top/x86_64/")),
		message{}.sub(9, textText("noarch", "top")),
		message{}.sub(9, textText("a+b", "gone")),
		message{}.sub(10, numNums(680, 1, 7)),
		message{}.sub(10, numNums(553, 1)),
		message{}.sub(10, numNums(553, 1)),
		message{}.sub(10, numNums(1<<32, 1)),
		message{}.sub(11, numNums(1, 2)),
		message{}.sub(12, numText(1, "se")),
		message{}.sub(12, numText(7, "Sweden")),
		message{}.sub(13, numNums(1, 1<<40)),
		message{}.sub(13, numNums(7, -5)),
		message{}.sub(14, numTexts(1, "DE", "AUT", "DE")),
		message{}.sub(14, numTexts(7, "?")),
		message{}.sub(15, textNums("192.0.2.77/24", 1)),
		message{}.sub(15, textNums("198.51.100.7", 1, 7)),
		message{}.sub(15, textNums("203.0.113.9/255.255.255.128", 1)),
		message{}.sub(15, textNums("203.0.113.9/255.0.255.0", 1)),
		message{}.sub(15, textNums("::ffff:10.0.0.0/104", 1)),
		message{}.sub(15, textNums("2001:db8::1", 1)),
		message{}.sub(15, textNums("mirror.example.org", 1)),
		message{}.sub(99, message("from the future")),
	))
	one, seven := snap.Hosts[0], snap.Hosts[1]
	want := snapshot.Host{
		Name: "one.example.org", ID: 1, Country: code("SE"), Bandwidth: 1<<32 - 1, ASNs: []uint32{553, 680},
		Netblocks: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"),
			netip.MustParsePrefix("198.51.100.7/32"), netip.MustParsePrefix("203.0.113.0/25"),
			netip.MustParsePrefix("2001:db8::1/128"),
		},
		Allowed: []geo.Country{code("DE")},
		Mounts:  []snapshot.Mount{{URLs: []string{"https://one.example.org/top"}}},
		Has:     snapshot.Bitmap{1},
	}
	if diff := cmp.Diff(want, one, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("host 1 (-want +got):\n%s", diff)
	}
	if seven.Name != "host-7" || seven.Country.Known() || seven.Bandwidth != 0 || !seven.Down || seven.Private || len(seven.ASNs) != 1 {
		t.Errorf("host 7: %+v", seven)
	}
	wantRepos := []snapshot.Repository{{Name: "a", Arch: "b", Path: "gone"}, {Name: "os-c++-9", Arch: "x86_64", Path: "top/x86_64"}}
	if diff := cmp.Diff(wantRepos, snap.Repositories); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"off": true}, snap.Disabled); diff != "" {
		t.Errorf("disabled (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "b"}, snap.RepositoryRedirects); diff != "" {
		t.Errorf("redirects (-want +got):\n%s", diff)
	}
	wantCountries := "[{10.99.0.0/16 DE} {10.98.0.1/32 FR}] map[IL:EU]"
	if got := fmt.Sprint(snap.CountryOverrides, snap.ContinentOverrides); got != wantCountries {
		t.Errorf("overrides %s, want %s", got, wantCountries)
	}
	if diff := cmp.Diff(tablesReport, strings.Split(report.String(), "\n")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

var tablesReport = []string{
	`2 hosts (0 private), 1 categories, 1 directories, 0 files, 2 repositories`,
	`1 × country of a netblock skipped: want a prefix and a country of two letters: "junk" → "FR"`,
	`1 × continent of a country skipped: want two codes of two letters: "I" → "EU"`,
	`1 × repository skipped: want REPO+ARCH, each once: "noarch"`,
	`1 × AS number skipped: want 1 to 4294967295: 4294967296`,
	`2 × netblock of hosts skipped: want a prefix, an address or ADDRESS/NETMASK: "203.0.113.9/255.0.255.0", "mirror.example.org"`,
	`1 × unknown field of MirrorList skipped: field 99 at byte 508`,
	`2 × country in a host's HostCountryAllowedCache dropped: want two letters: host 1: "AUT", host 7: "?"`,
	`1 × country of a host is not two letters: host 7: "Sweden"`,
	`1 × host taken out: no country in its HostCountryAllowedCache can be read: host 7`,
}

func TestHostNames(t *testing.T) {
	snap, _ := decode(t, join([]message{
		message{}.num(1, 1),
		message{}.sub(4, numText(10, "rsync://r.example.org/x")),
		message{}.sub(4, numText(11, "https://same.example.org:8443/x")),
		message{}.sub(4, numText(12, "http://same.example.org/y")),
		message{}.sub(4, numText(13, "not a url")),
		message{}.sub(16, dir("d", "", []int64{1, 2, 3, 4, 5},
			carrier{1, []int64{10}}, carrier{2, []int64{10, 11}}, carrier{3, []int64{12}}, carrier{4, []int64{13, 99}})),
	}))
	var got []string
	for _, h := range snap.Hosts {
		got = append(got, h.Name)
	}
	want := []string{"r.example.org", "same.example.org#2", "same.example.org#3", "host-4", "host-5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrivate(t *testing.T) {
	snap, report := decode(t, join([]message{
		message{}.num(1, 1),
		message{}.sub(4, numText(10, "https://one.example.org")),
		message{}.sub(4, numText(20, "https://two.example.org")),
		// 1 is public, though not for a/b; 2 is private; 3 is public and has no public URL.
		message{}.sub(16, dir("a", "", []int64{1, 3}, carrier{1, []int64{10}}, carrier{2, []int64{20}})),
		message{}.sub(16, dir("a/b", "b", []int64{3}, carrier{1, []int64{10}}, carrier{2, []int64{20}})),
	}))
	for i, want := range []struct {
		private bool
		has     snapshot.Bitmap
		urls    int
	}{{false, snapshot.Bitmap{1}, 1}, {true, snapshot.Bitmap{3}, 1}, {false, snapshot.Bitmap{3}, 0}} {
		h := snap.Hosts[i]
		if h.Private != want.private || !cmp.Equal(h.Has, want.has) || len(h.Mounts) != 1 || len(h.Mounts[0].URLs) != want.urls {
			t.Errorf("host %d: %+v, want %+v", h.ID, h, want)
		}
	}
	want := `3 hosts (1 private), 1 categories, 2 directories, 0 files, 0 repositories
1 × public host in ByHostId but not in Global of a directory: taken as lacking it: host 1 in "a/b"`
	if report.String() != want {
		t.Errorf("report %s\nwant %s", report, want)
	}
}

func TestTopDirectories(t *testing.T) {
	tests := []struct{ name, subpath, path, top string }{
		{"pub/os", "", "pub/os", "pub/os"},
		{"pub/os/a/b", "a/b", "pub/os/a/b", "pub/os"},
		{"10-stream/os", "10-stream/os", "10-stream/os", ""},
		{"/pub/os/a/", "/a", "pub/os/a", "pub/os"},
		{"", "", "", ""},
	}
	for _, tt := range tests {
		snap, _ := decode(t, join([]message{message{}.num(1, 1), message{}.sub(16, dir(tt.name, tt.subpath, []int64{1}))}))
		got := [2]string{snap.Directories[0].Path, snap.Categories[0].Path}
		if want := [2]string{tt.path, tt.top}; got != want {
			t.Errorf("directory %q, Subpath %q: path and top %q, want %q", tt.name, tt.subpath, got, want)
		}
	}
	// A Subpath that is not the end of the name says nothing about URLs.
	_, report := decode(t, minimal(
		message{}.sub(16, dir("top/abc", "bc", []int64{1})),
		message{}.sub(16, dir("top/x", "y", []int64{1})),
		message{}.sub(16, dir("top", "", []int64{1})),
	))
	want := []mirrormanager.Oddity{
		{Text: "directory skipped: it does not end with its Subpath", Count: 2, Examples: []string{`"top/abc", "bc"`, `"top/x", "y"`}},
		{Text: "directory is listed twice: the first counts", Count: 1, Examples: []string{`"top"`}},
	}
	if diff := cmp.Diff(want, report.Odd); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A host with other URLs in a part of the tree gets a second category for it.
func TestVariants(t *testing.T) {
	snap, report := decode(t, join([]message{
		message{}.num(1, 1),
		message{}.sub(4, numText(1, "https://a.example.org/1")),
		message{}.sub(4, numText(2, "https://a.example.org/2")),
		message{}.sub(4, numText(3, "https://b.example.org")),
		message{}.sub(16, dir("pub", "", []int64{1}, carrier{1, []int64{1, 2}})),
		message{}.sub(16, dir("pub/a", "a", []int64{1, 2}, carrier{1, []int64{2}}, carrier{2, []int64{3}})),
		message{}.sub(16, dir("pub/b", "b", []int64{2}, carrier{2, []int64{3}})),
	}))
	var got []string
	for _, d := range snap.Directories {
		line := fmt.Sprintf("%s in %s:", d.Path, snap.Categories[d.Category].Name)
		for _, h := range snap.Hosts {
			line += fmt.Sprint(" ", mounted(h, d.Category))
		}
		got = append(got, line)
	}
	want := []string{
		"pub in pub: [https://a.example.org/1 https://a.example.org/2] [https://b.example.org]",
		"pub/a in pub (2): [https://a.example.org/2] [https://b.example.org]",
		"pub/b in pub: [https://a.example.org/1 https://a.example.org/2] [https://b.example.org]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(report.Odd) != 1 || report.Odd[0].Examples[0] != `"pub (2)"` {
		t.Errorf("report: %s", report)
	}
}

func TestFiles(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	detail := func(mtime, size int64) message { return message{}.num(1, mtime).num(2, size) }
	list := func(name string, details ...message) message {
		m := message{}.text(1, name)
		for _, d := range details {
			m = m.sub(2, d)
		}
		return m
	}
	snap, report := decode(t, minimal(
		message{}.sub(5, message{}.sub(2, list("f", detail(20, 2).text(5, sum), detail(10, 1))).text(1, "top").
			sub(2, list("empty")).sub(2, list("a", detail(0, 0).text(3, "xyz"))).sub(2, list("f", detail(5, 9).text(4, sum[:32])))),
		message{}.sub(5, message{}.text(1, "elsewhere").sub(2, list("g", detail(1, 1)))),
	))
	var got []string
	from, to := snap.Files.In(0)
	for file := from; file < to; file++ {
		line := string(snap.Files.Name(file)) + ":"
		v, end := snap.Files.Versions(file)
		for ; v < end; v++ {
			line += fmt.Sprintf(" %d,%d,%x,%x", snap.Files.Size(v), snap.Files.MTime(v),
				snap.Files.Hash(v, snapshot.MD5), snap.Files.Hash(v, snapshot.SHA256))
		}
		got = append(got, line)
	}
	want := []string{"a: -1,0,,", "empty:", "f: 2,20,," + sum + " 1,10,, 9,5," + sum[:32] + ","}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantOdd := []mirrormanager.Oddity{
		{Text: "file hash dropped", Count: 1, Examples: []string{`sha1: want 40 hexadecimal digits, got "xyz"`}},
		{Text: "details of a file skipped: its directory is not listed", Count: 1, Examples: []string{`"elsewhere/g"`}},
	}
	if diff := cmp.Diff(wantOdd, report.Odd); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrors(t *testing.T) {
	time := message{}.num(1, 1)
	good := message{}.sub(16, dir("top", "", []int64{1}))
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "byte 0: the file is empty, want a MirrorList message"},
		{"no time", good, "byte 10: MirrorList ends without Time (field 1)"},
		{"no directory", time, "byte 2: MirrorList ends without a directory (field 16, MirrorListCache)"},
		{
			"no host", time.sub(16, dir("top", "", nil)),
			"byte 10: MirrorList ends without a host: no Global, ByHostId or HostCountryCache names one",
		},
		{"text", []byte("garbage"), "byte 0: HostCountryCache (field 12): want wire type 2, got 7"},
		{"zero byte at the end", append(minimal(), 0), "byte 56: tag 0x0 is no field of MirrorList"},
		{"newline at the end", append(minimal(), '\n'), "byte 56: Time (field 1): want wire type 0, got 2"},
		{"time of the wrong type", message{}.text(1, "now"), "byte 0: Time (field 1): want wire type 0, got 2"},
		{"table of the wrong type", message{}.num(12, 1), "byte 0: HostCountryCache (field 12): want wire type 2, got 0"},
		{"cut inside a tag", append(minimal(), 0x82), "byte 57: the file ends inside a field tag"},
		{"cut inside a length", append(minimal(), 0x82, 0x01), "byte 58: the file ends inside the length of MirrorListCache"},
		{"cut inside a message", append(minimal(), 0x82, 0x01, 9, 10), "byte 59: the file ends inside MirrorListCache of 9 bytes"},
		{
			"a length of everything", append(minimal(), 0x82, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
			"byte 67: the file ends inside MirrorListCache of 9223372036854775807 bytes",
		},
		{"a varint without end", append(minimal(), bytes.Repeat([]byte{0xff}, 11)...), "byte 56: a field tag: a varint of more than 64 bits"},
		{"entry without key", message{}.sub(12, message{}.text(2, "DE")), "byte 6: HostCountryCache: ends without key"},
		{"entry without value", message{}.sub(12, message{}.num(1, 1)), "byte 4: HostCountryCache: ends without value"},
		{"directory without name", message{}.sub(16, message{}.num(2, 1)), "byte 5: MirrorListCache: ends without directory"},
		{
			"host without id", message{}.sub(16, message{}.text(1, "a").sub(6, message{}.num(2, 1))),
			"byte 10: MirrorListCache.ByHostId: ends without key",
		},
		{"not UTF-8", message{}.sub(16, message{}.text(1, "a\xff")), "byte 7: MirrorListCache: directory: want UTF-8, got \"a\\xff\""},
		{"number for text", message{}.sub(16, message{}.num(1, 1)), "byte 4: MirrorListCache: directory: want wire type 2, got 0"},
		{"text for number", message{}.sub(12, textText("a", "b")), "byte 3: HostCountryCache: key: want a varint, got wire type 2"},
		{"inner length too long", message{}.text(16, "\x0a\x09abc"), "byte 4: MirrorListCache: directory: its length goes beyond the message"},
		{"inner tag cut", message{}.text(16, "\xff"), "byte 3: MirrorListCache: want a field tag"},
		{"inner group", message{}.text(16, "\x3b"), "byte 4: MirrorListCache: field 7 is cut off or malformed"},
		{"bad packed ids", message{}.sub(16, message{}.text(2, "\xff")), "byte 6: MirrorListCache: Global: want packed varints"},
		{
			"details without time", message{}.sub(5, message{}.text(1, "a").sub(2, message{}.text(1, "f").sub(2, message{}.num(2, 1)))),
			"byte 14: FileDetailsCache.FileDetailsCacheFiles.FileDetails: ends without TimeStamp",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := mirrormanager.Decode("cache.pb", bytes.NewReader(tt.in))
			var problems snapshot.Problems
			if !errors.As(err, &problems) || !strings.HasPrefix(err.Error(), "cache.pb: "+tt.want) {
				t.Errorf("got  %v\nwant cache.pb: %s", err, tt.want)
			}
		})
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("disk on fire")
	data := minimal()
	for at := range data {
		r := iotest.DataErrReader(bytes.NewReader(data[:at]))
		_, _, err := mirrormanager.Decode("cache.pb", &failing{r, broken})
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "reading cache.pb: byte ") {
			t.Fatalf("after %d bytes: %v", at, err)
		}
	}
}

// failing turns the end of r into err.
type failing struct {
	r interface {
		Read([]byte) (int, error)
	}
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil {
		err = f.err
	}
	return n, err
}

// Cut anywhere, a cache is refused, unless the cut is between two fields of
// MirrorList, where protobuf itself cannot tell.
func TestTruncated(t *testing.T) {
	fields := fixtureF()
	whole := map[int]bool{}
	end := 0
	for _, f := range fields {
		end += len(f)
		whole[end] = true
	}
	data := join(fields)
	for at := range data {
		_, _, err := mirrormanager.Decode("cache.pb", bytes.NewReader(data[:at]))
		if err == nil && !whole[at] {
			t.Errorf("%d of %d bytes: no error", at, len(data))
		}
	}
}

// A message longer than the buffer, and a reader that gives a byte at a time.
func TestLongMessage(t *testing.T) {
	var ids []int64
	for id := range int64(200_000) {
		ids = append(ids, id+1)
	}
	data := join([]message{message{}.num(1, 1), message{}.sub(16, message{}.text(1, "d").packed(2, ids...))})
	snap, _, err := mirrormanager.Decode("cache.pb", iotest.OneByteReader(bytes.NewReader(data)))
	if err != nil || len(snap.Hosts) != len(ids) || snap.Hosts[199_999].ID != 200_000 || !snap.Hosts[199_999].Has.Has(0) {
		t.Errorf("%d hosts, %v", len(snap.Hosts), err)
	}
	_, _, err = mirrormanager.Decode("cache.pb", bytes.NewReader(data[:len(data)-1]))
	if want := fmt.Sprintf("cache.pb: byte %d: the file ends inside MirrorListCache", len(data)-1); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(join(fixtureF()))
	f.Add(minimal(message{}.sub(15, textNums("192.0.2.0/255.255.255.0", 1)), message{}.sub(14, numTexts(1, "DE"))))
	f.Add([]byte{0x82, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		snap, _, err := mirrormanager.Decode("cache.pb", bytes.NewReader(data))
		if err != nil {
			return
		}
		for i, d := range snap.Directories {
			if i > 0 && snap.Directories[i-1].Path >= d.Path {
				t.Errorf("directories %q and %q are out of order", snap.Directories[i-1].Path, d.Path)
			}
			top := snap.Categories[d.Category].Path
			if top != "" && d.Path != top && !strings.HasPrefix(d.Path, top+"/") {
				t.Errorf("directory %q is not below %q", d.Path, top)
			}
		}
		for i, h := range snap.Hosts {
			if i > 0 && snap.Hosts[i-1].ID >= h.ID {
				t.Errorf("hosts %d and %d are out of order", snap.Hosts[i-1].ID, h.ID)
			}
		}
	})
}
