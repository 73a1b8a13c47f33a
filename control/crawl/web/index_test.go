package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/crawl/web"
)

func parse(page string) web.Index {
	base, _ := url.Parse("http://m.test/pub/os/")
	return web.ParseIndex(base, []byte(page))
}

func TestParseIndex(t *testing.T) {
	minute := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	second := minute.Add(5 * time.Second)
	dir := func(at time.Time, p time.Duration) web.Entry {
		return web.Entry{Directory: true, MinSize: -1, MaxSize: -1, Time: at, Precision: p}
	}
	file := func(lo, hi int64, at time.Time, p time.Duration) web.Entry {
		return web.Entry{MinSize: lo, MaxSize: hi, Time: at, Precision: p}
	}
	none := time.Time{}
	tests := []struct {
		name, page string
		want       map[string]web.Entry
	}{
		{"nginx", "<html><head><title>Index of /os/</title></head><body><h1>Index of /os/</h1><hr><pre><a href=\"../\">../</a>\n" +
			"<a href=\"repodata/\">repodata/</a>      02-Jan-2026 03:04       -\n" +
			"<a href=\"a%20b.rpm\">a b.rpm</a>        02-Jan-2026 03:04    1234\n</pre>", map[string]web.Entry{
			"repodata": dir(minute, time.Minute), "a b.rpm": file(1234, 1234, minute, time.Minute),
		}},
		{"apache, fancy", `<title>Index of /os</title><pre><a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a><hr>` +
			`<img src="/icons/back.gif"> <a href="/pub/">Parent Directory</a>      -` + "\n" +
			`<a href="b.iso"><img src="/i.gif"></a> <a href="b.iso">b.iso</a>  2026-01-02 03:04  1.2K  an image` + "\n</pre>", map[string]web.Entry{
			"b.iso": file(1099, 1331, minute, time.Minute),
		}},
		{
			"apache, table", `<h1>Index of /os</h1><table><tr><th><a href="?C=N;O=D">Name</a></th></tr>
<tr><td valign="top"><img src="/i.gif"></td><td><a href="b.iso">b.iso</a></td><td align="right">2026-01-02 03:04  </td><td align="right"> 12M</td><td>&nbsp;</td></tr></table>`,
			map[string]web.Entry{"b.iso": file(11_000_000, 13<<20, minute, time.Minute)},
		},
		{
			"lighttpd", `<title>Index of /os/</title><table><tbody><tr class="d"><td class="n"><a href="../">..</a>/</td><td class="m">&nbsp;</td></tr>
<tr><td class="n"><a href="b.iso">b.iso</a></td><td class="m">2026-Jan-02 03:04:05</td><td class="s">0.1K</td><td class="t">application/octet-stream</td></tr></table>`,
			map[string]web.Entry{"b.iso": file(0, 204, second, time.Second)},
		},
		{
			"caddy", `<table><tr class="file"><td></td><td><a href="./b.iso"><span class="name">b.iso</span></a></td>
<td class="size" data-size="1234"><div>1.2 KiB</div></td><td class="timestamp"><time datetime="2026-01-02T03:04:05Z">01/02/2026</time></td></tr></table>`,
			map[string]web.Entry{"b.iso": file(1234, 1234, second, time.Second)},
		},
		{
			"python", `<title>Directory listing for /os/</title><ul><li><a href="b.iso">b.iso</a></li><li><a href="d/">d/</a></li></ul>`,
			map[string]web.Entry{"b.iso": file(-1, -1, none, 0), "d": dir(none, 0)},
		},
		{
			"date before the link, as of IIS: not of the one before", "<pre>1/2/2026 3:04 AM 11 <A HREF=\"/pub/os/a\">a</A><br> 1/2/2026 3:04 AM 22 <A HREF=\"/pub/os/b\">b</A><br></pre>",
			map[string]web.Entry{"a": file(-1, -1, none, 0), "b": file(-1, -1, none, 0)},
		},
		{
			"elsewhere", `<a href="http://evil.test/pub/os/x">x</a><a href="//evil.test/pub/os/y">y</a><a href="/etc/passwd">z</a><a href="a/../../q">q</a>` +
				`<a href="sub/deep">d</a><a href=".">.</a><a href="%2e%2e/">u</a><a href="a%2Fb">s</a><a href="a%00">n</a><a href="javascript:x">j</a><a href="#f">f</a><a href="?q">q</a><a>no</a>`,
			map[string]web.Entry{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(tt.page).Entries); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseIndexHostile(t *testing.T) {
	if i := parse("<title>Index of</title><a href=\"" + strings.Repeat("x", 1<<20)); !i.Cut {
		t.Error("a tag without end is not the end of the page")
	}
	if i := parse("<title>Index of</title>" + strings.Repeat("<a href=x>x</a>", 1<<16)); len(i.Entries) != 1 {
		t.Errorf("%d entries", len(i.Entries))
	}
	if i := parse("\xff\xfe<\x00a\x00 \x00h\x00r\x00e\x00f\x00=\x00x\x00>\x00"); i.Index || len(i.Entries) != 0 {
		t.Errorf("UTF-16 was understood: %+v", i)
	}
	if i := parse("<h1>Welcome</h1><a href=about>about</a>"); i.Index {
		t.Error("a page for people is not an index page")
	}
}

func TestMayBe(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	unix := at.Unix()
	exact := web.Entry{MinSize: 1234, MaxSize: 1234, Time: at, Precision: time.Minute}
	rounded := web.Entry{MinSize: 1100, MaxSize: 1331, Time: at, Precision: time.Minute}
	tests := []struct {
		name        string
		e           web.Entry
		size, mtime int64
		maybe, sure bool
	}{
		{"exact", exact, 1234, 0, true, true},
		{"exact, another", exact, 1235, unix, false, false},
		{"rounded, same time", rounded, 1234, unix + 59, true, true},
		{"rounded, two hours away: a time zone", rounded, 1234, unix + 7200 + 30, true, true},
		{"rounded, five minutes away", rounded, 1234, unix + 300, true, false},
		{"rounded, a day and more away", rounded, 1234, unix + 25*3600, true, false},
		{"rounded, too large", rounded, 2000, unix, false, false},
		{"no size", web.Entry{MinSize: -1, MaxSize: -1, Time: at, Precision: time.Minute}, 5, unix, true, false},
		{"size unknown to us", exact, -1, unix, true, false},
		{"a directory", web.Entry{Directory: true, MinSize: -1, MaxSize: -1}, 5, unix, false, false},
	}
	for _, tt := range tests {
		if maybe, sure := tt.e.MayBe(tt.size, tt.mtime); maybe != tt.maybe || sure != tt.sure {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, maybe, sure, tt.maybe, tt.sure)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add("<title>Index of /</title><pre><a href=\"a\">a</a> 02-Jan-2026 03:04 12\n</pre>")
	f.Add("<table><tr><td><a href=./b><time datetime=2026-01-02T03:04:05Z></td><td data-size=1.2K>")
	f.Add("<a href=%2e%2e/> 1.2 KiB 9e9 -1 +3 0x1p8 2026-01-02")
	f.Fuzz(func(t *testing.T, page string) {
		for name, e := range parse(page).Entries {
			if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
				t.Errorf("name %q", name)
			}
			if e.MinSize > e.MaxSize || (e.MinSize < 0) != (e.MaxSize < 0) || e.Time.IsZero() != (e.Precision == 0) {
				t.Errorf("%+v", e)
			}
		}
	})
}
