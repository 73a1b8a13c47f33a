package probe

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// say answers with a page.
func say(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, format, args...)
}

// listing answers like a server that lists directories.
func listing(w http.ResponseWriter, r *http.Request) {
	say(w, "<title>Index of %s</title><a href=../>Parent</a> <a href=43/>43/</a> 2026-01-02", r.URL.Path)
}

// TestDirectories has mirrors of which no file is known, whose server says 200 of
// what is not there, and tells whom a thorough probe takes for one that has
// nothing. Brief probes take none.
func TestDirectories(t *testing.T) {
	random := 0
	is := func(r *http.Request, path string) bool { return r.URL.Path == path }
	const long = maxPage + 1
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  Verdict
	}{
		{"lists", func(w http.ResponseWriter, r *http.Request) {
			if is(r, "/os/") {
				listing(w, r)
				return
			}
			http.NotFound(w, r)
		}, OK},
		{"lists, nothing but 404 else, as a page", func(w http.ResponseWriter, r *http.Request) {
			if !is(r, "/os/") {
				w.WriteHeader(http.StatusNotFound)
			}
			say(w, "Welcome")
		}, OK},
		{"one page for all", func(w http.ResponseWriter, _ *http.Request) { say(w, "Not found") }, Soft404},
		{"one empty page for all", func(http.ResponseWriter, *http.Request) {}, OK}, // it says nothing
		{"a page that tells what was asked for", func(w http.ResponseWriter, r *http.Request) {
			random++
			say(w, "%s is not here, %d-%x. Bring https%%3A%%2F%%2Fa.test%s", r.URL.Path, random, random*7919, strings.ReplaceAll(r.URL.Path, "/", "%2F"))
		}, Soft404},
		{"a coded page for all", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(t, []byte("Not found: "+r.URL.Path)))
		}, Soft404},
		{"all to its home page", func(w http.ResponseWriter, r *http.Request) {
			if is(r, "/") {
				say(w, "Welcome")
				return
			}
			http.Redirect(w, r, "/", http.StatusFound)
		}, OK}, // the tree may have moved there
		{"lists by a script", func(w http.ResponseWriter, _ *http.Request) {
			say(w, "<SCRIPT src=/list.js></SCRIPT> Loading")
		}, OK},
		{"lists by a script, coded", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(t, []byte("<script src=/list.js></script> Loading")))
		}, OK},
		{"one page for all, by another path", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/os/") {
				http.Redirect(w, r, "/pub"+r.URL.Path, http.StatusFound)
				return
			}
			say(w, "Not found")
		}, Soft404},
		{"lists, and a page for the rest", func(w http.ResponseWriter, r *http.Request) {
			if is(r, "/os/") {
				listing(w, r)
				return
			}
			say(w, "Not found")
		}, OK},
		{"lists, and to its home page for the rest", func(w http.ResponseWriter, r *http.Request) {
			switch {
			case is(r, "/os/"):
				listing(w, r)
			case is(r, "/"):
				say(w, "Welcome")
			default:
				http.Redirect(w, r, "/", http.StatusFound)
			}
		}, OK},
		{"lists nothing, and a page for the rest", func(w http.ResponseWriter, r *http.Request) {
			if is(r, "/os/") {
				w.WriteHeader(http.StatusForbidden)
			}
			say(w, "No")
		}, OK},
		{"sends the rest elsewhere", func(w http.ResponseWriter, r *http.Request) {
			if !is(r, "/os/") {
				http.Redirect(w, r, "http://other.test/", http.StatusFound)
			}
		}, OK},
		{"a long page for all", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x ", long/2+1)) }, OK},
		{"as long as can be", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x ", maxPage/2))
		}, Soft404},
		{"fails at the rest", func(_ http.ResponseWriter, r *http.Request) {
			if !is(r, "/os/") {
				panic(http.ErrAbortHandler)
			}
		}, OK},
		{"does not like it", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusTooManyRequests)
			}
		}, OK},
		{"fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, BadStatus},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			server := httptest.NewServer(x.serve)
			defer server.Close()
			p := planOf(t, server.URL+"/os/", -1)
			got := testChecker(nil).probe(t.Context(), p, index.V4)
			if want := x.want; got.Verdict != want && (want != Soft404 || got.Verdict != OK) {
				t.Errorf("brief: %v (%s)", got.Verdict, got.Detail)
			}
			p.thorough = true
			if got = testChecker(nil).probe(t.Context(), p, index.V4); got.Verdict != x.want {
				t.Errorf("%v (%s), want %v", got.Verdict, got.Detail, x.want)
			}
		})
	}
}

// TestAtRoot: a tree is at the root of its server, which sends there who asks for
// what is missing (Apache: ErrorDocument 404 http://host/). The page that comes is
// the listing, and not one for whatever is asked for.
func TestAtRoot(t *testing.T) {
	for _, home := range []string{"/", "/?missing", "/index.html"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" && r.URL.Path != "/index.html" {
				http.Redirect(w, r, home, http.StatusFound)
				return
			}
			say(w, "<title>Index</title><a href=43/>43/</a>")
		}))
		p := planOf(t, server.URL+"/", -1)
		p.thorough = true
		if got := testChecker(nil).probe(t.Context(), p, index.V4); got.Verdict != OK {
			t.Errorf("to %s: %v (%s)", home, got.Verdict, got.Detail)
		}
		server.Close()
	}
}

// TestMayBePage: every extension counts.
func TestMayBePage(t *testing.T) {
	for name, want := range map[string]bool{
		"a.iso": false, "a-1.2.tar.gz": false, "php-8.4.tar.xz": false, "html.zip": false,
		"README": true, ".hidden": true, "": true, "/": true,
		"a.html": true, "index.html.en": true, "changelog.HTML.gz": true, ".a.htm": true,
		"a.php": true, "a.b.asp": true, "a.jsp": true, "a.cgi": true,
	} {
		if got := mayBePage(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if isNamedPage("/a.html/b.iso") || isNamedPage("/a") || !isNamedPage("/a/b.html.gz") {
		t.Error("a name is not told from its directories")
	}
}

// TestUnsized has files of which no size is known: they must be there, and not
// as a page. GET decides.
func TestUnsized(t *testing.T) {
	of := func(status int, head, get string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", map[string]string{http.MethodHead: head, http.MethodGet: get}[r.Method])
			w.WriteHeader(status)
		}
	}
	const html, binary = "text/html", "application/octet-stream"
	tests := []struct {
		name  string
		path  string
		serve http.HandlerFunc
		want  Verdict
	}{
		{"there", "/f.iso", of(200, binary, binary), OK},
		{"of no type", "/f.iso", of(200, "", ""), OK},
		{"a page", "/f.iso", of(200, html, html), Soft404},
		{"a page, in capitals", "/f.iso", of(200, "Text/HTML; charset", "Text/HTML;charset=x"), Soft404},
		{"another page", "/f.iso", of(200, "application/xhtml+xml", "application/xhtml+xml"), Soft404},
		{"a page by HEAD", "/f.iso", of(200, html, binary), OK},
		{"a page that should be one", "/f.HTML", of(200, html, html), OK},
		{"a page in a language", "/f.html.en", of(200, html, html), OK},
		{"a program that was run", "/f.php", of(200, html, html), OK},
		{"missing", "/f.iso", of(404, html, html), Missing},
		{"forbidden", "/f.iso", of(403, html, html), BadStatus},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			server := httptest.NewServer(x.serve)
			defer server.Close()
			p := planOf(t, server.URL+x.path, -1)
			p.dir = false
			for _, p.thorough = range []bool{false, true} {
				if got := testChecker(nil).probe(t.Context(), p, index.V4); got.Verdict != x.want {
					t.Errorf("thorough %v: %v (%s), want %v", p.thorough, got.Verdict, got.Detail, x.want)
				}
			}
		})
	}
}

// TestPlansUnsized: files of unknown size are asked for where no other is known,
// but none that a server may call HTML.
func TestPlansUnsized(t *testing.T) {
	host := mirror{name: "a", urls: []string{"http://a.test/os"}, addresses: []string{"192.0.2.1"}}
	unsized := func(mtime int64) []snapshot.Version { return []snapshot.Version{{Size: -1, MTime: mtime}} }
	for _, x := range []struct {
		name  string
		files map[string][]snapshot.Version
		want  string
	}{
		{"one", map[string][]snapshot.Version{"b.iso": unsized(7)}, "http://a.test/os/b.iso -1 [192.0.2.1]"},
		{"the oldest", map[string][]snapshot.Version{"a.iso": unsized(9), "b.iso": unsized(7), "c.iso": unsized(0)}, "http://a.test/os/b.iso -1 [192.0.2.1]"},
		{"a size counts more", map[string][]snapshot.Version{"a.iso": unsized(7), "b.iso": {{Size: 4, MTime: 8}}, "c.iso": unsized(6)}, "http://a.test/os/b.iso 4 [192.0.2.1]"},
		{"may be pages", map[string][]snapshot.Version{"README": unsized(7), "b.html": unsized(7), "b.html.gz": unsized(7)}, "http://a.test/os/ -1 [192.0.2.1]"},
		{"in two versions", map[string][]snapshot.Version{"b.iso": append(unsized(1), unsized(2)...)}, "http://a.test/os/ -1 [192.0.2.1]"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := &snapshot.Snapshot{
				Categories: []snapshot.Category{{Name: "os", Path: "pub/os"}}, Directories: []snapshot.Directory{{Path: "pub/os"}},
				Hosts: []snapshot.Host{host.host(t)},
			}
			var b snapshot.FileBuilder
			for name, versions := range x.files {
				b.Add(0, name, versions, nil)
			}
			s.Files = b.Build(1)
			if got := describe(compileSnapshot(t, s)); len(got) != 1 || got["a http over ipv4"] != x.want {
				t.Errorf("got %v, want %s", got, x.want)
			}
		})
	}
}

// TestSoftSeen: a mirror of which only a directory is known has one page for
// all. It goes down by its first thorough probe and the one that follows, and
// comes up when the page is gone.
func TestSoftSeen(t *testing.T) {
	var mu sync.Mutex
	soft, asked := true, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if soft {
			say(w, "Not found")
			return
		}
		http.StripPrefix("/os", http.FileServer(http.Dir(t.TempDir()))).ServeHTTP(w, r)
	}))
	defer server.Close()
	c := Config{}.WithDefaults()
	host := target{plan: planOf(t, server.URL+"/os/", -1)}
	probe := func() {
		host.result = testChecker(nil).probe(t.Context(), host.ask(), index.V4)
		host.note(false, &c, time.Now())
	}
	n := 0
	for ; !host.failing && n < 100; n++ {
		probe()
	}
	if n != host.plan.every()+1 || asked != n+2*2 || host.result.Verdict != Soft404 {
		t.Errorf("%+v after %d probes of %d questions", host.result, n, asked)
	}
	mu.Lock()
	soft = false
	mu.Unlock()
	for n = 0; host.failing && n < 100; n++ {
		probe()
	}
	if n != c.Rise {
		t.Errorf("up after %d probes: %+v", n, host.result)
	}
}

// FuzzSame: a page is the same as itself, whatever name it tells, and another
// with one word more.
func FuzzSame(f *testing.F) {
	f.Add("<h1>404</h1> %s is not here", "/pub/os")
	f.Add("%2F%s\xff 1ä", "/%/ö")
	f.Fuzz(func(t *testing.T, text, path string) {
		p := planOf(t, "http://a.test/", -1)
		p.url.Path = path
		nothing := p.url.JoinPath(nowhere)
		said := func(name string) string {
			return fmt.Sprint((&page{words: words(strings.ReplaceAll(text, "%s", " "+name+" "))}).without(nothing))
		}
		if a, b := said(p.url.Path), said(nothing.Path); a != b {
			t.Errorf("%s is not %s", a, b)
		}
		if more := fmt.Sprint((&page{words: words(text + " word ")}).without(nothing)); more == said("") && !strings.Contains(path, "word") {
			t.Errorf("%s is %s", more, said(""))
		}
	})
}
