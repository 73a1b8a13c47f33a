package probe

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/index"
)

func zip(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is what no coding makes shorter.
func noise(n int) []byte {
	b, r := make([]byte, n), rand.NewChaCha8([32]byte{})
	_, _ = r.Read(b)
	return b
}

// chunked answers without a length.
func chunked(w http.ResponseWriter, body []byte) {
	_ = http.NewResponseController(w).Flush()
	_, _ = w.Write(body)
}

// TestCoded has servers that send coded bodies, though nobody asked for it: by
// HEAD as by GET, they come to the same verdict.
func TestCoded(t *testing.T) {
	text := []byte(strings.Repeat("Waypost\n", 1000))
	long := noise(100_000)
	full := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body))) // of what is coded, ServeContent would not say it
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		}
	}
	unsaid := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { chunked(w, body) }
	}
	broken := func(w http.ResponseWriter, _ *http.Request) {
		chunked(w, zip(t, text)[:20])
		panic(http.ErrAbortHandler)
	}
	const binary, html = "application/octet-stream", "text/html; charset=utf-8"
	tests := []struct {
		name   string
		path   string
		size   int
		coding string
		kind   string
		serve  http.HandlerFunc
		want   Verdict
	}{
		{"stored as it is called", "/f.tar.gz", len(long), "gzip", binary, full(long), OK},
		{"stored as it is called, by the old name", "/f.tar.gz", len(long), "x-gzip", "application/x-tar", full(long), OK},
		{"stored, no length", "/f.tar.gz", len(zip(t, text)), "gzip", binary, unsaid(zip(t, text)), OK},
		{"stored, long, no length", "/f.tar.gz", len(long), "gzip", binary, unsaid(long), OK},
		{"stored, another size", "/f.tar.gz", 5000, "gzip", binary, full(zip(t, text)), WrongSize},
		{"on the way", "/f.txt", len(text), "gzip", "text/plain", unsaid(zip(t, text)), OK},
		{"on the way, with a length", "/f.txt", len(text), "GZIP", "text/plain", full(zip(t, text)), OK},
		{"on the way, long", "/f.txt", 2 * len(long), "gzip", "text/plain", unsaid(zip(t, long)), OK},
		{"a page", "/f.iso", 5000, "gzip", html, unsaid(zip(t, text)), Soft404},
		{"a page with a length", "/f.iso", 5000, "gzip", html, full(zip(t, text)), Soft404},
		{"a page of no type", "/f.iso", 5000, "gzip", binary, unsaid(zip(t, text)), WrongSize},
		{"a short page", "/f.iso", 1 << 40, "gzip", html, full(zip(t, []byte("not found"))), Soft404},
		{"a page that is long", "/f.iso", 5000, "gzip", html, unsaid(zip(t, long)), Soft404},
		{"a page that is called gzip", "/f.iso", 5000, "gzip", html, unsaid(text), Soft404},
		{"a page by another coding", "/f.iso", 5000, "br", html, unsaid(noise(300)), Soft404},
		{"a page by another coding, elsewhere", "/to/404.html", 5000, "br", html, unsaid(noise(300)), Soft404},
		{"a file by another coding", "/f.iso", 5000, "br", binary, unsaid(noise(300)), OK},
		{"a page by another coding that should be one", "/f.html", 5000, "br", html, unsaid(noise(300)), OK},
		{"breaks off", "/f.txt", len(text), "gzip", "text/plain", broken, Protocol},
		{"not coded", "/f.txt", len(text), "Identity", "text/plain", full(text), OK},
		{"a page that is not coded", "/f.iso", 5000, "identity", html, unsaid(text), Soft404},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if to, ok := strings.CutPrefix(x.path, "/to"); ok && r.URL.Path != to {
					http.Redirect(w, r, to, http.StatusFound)
					return
				}
				w.Header().Set("Content-Encoding", x.coding)
				w.Header().Set("Content-Type", x.kind)
				x.serve(w, r)
			}))
			defer server.Close()
			where := x.path
			if strings.HasPrefix(where, "/to") {
				where = "/f.iso"
			}
			p := planOf(t, server.URL+where, int64(x.size))
			for _, p.thorough = range []bool{false, true} {
				got := testChecker(nil).probe(t.Context(), p, index.V4)
				if got.Verdict != x.want {
					t.Errorf("ranged %v: %v (%s), want %v", p.thorough, got.Verdict, got.Detail, x.want)
				}
			}
		})
	}
}

// TestCodedPart: where the size is the file's, that settles it. Else a part of a
// coded body tells nothing, and the whole is asked for, once.
func TestCodedPart(t *testing.T) {
	var asked []string
	stored := zip(t, noise(5000))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("Range"))
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(stored)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(stored))
	}))
	defer server.Close()
	for _, x := range []struct {
		size   int
		ranged bool
		want   string
	}{
		{len(stored), false, "HEAD "},
		{len(stored), true, "GET bytes=0-1023"},
		{5000, false, "HEAD , GET "},
		{5000, true, "GET bytes=0-1023, GET "},
	} {
		asked = nil
		p := planOf(t, server.URL+"/f", int64(x.size))
		p.thorough = x.ranged
		got := testChecker(nil).probe(t.Context(), p, index.V4)
		if all := strings.Join(asked, ", "); got.Verdict != OK || all != x.want {
			t.Errorf("%+v: %v (%s) after %s", x, got.Verdict, got.Detail, all)
		}
	}
}

// FuzzUnzip: whatever comes, it is of a size or not.
func FuzzUnzip(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00"), int64(1))
	f.Add([]byte("<html>"), int64(6))
	f.Fuzz(func(t *testing.T, body []byte, size int64) {
		size = max(size, 1)
		q := question{file: file{size: size}}
		got := q.unzip(body)
		from, err := gzip.NewReader(bytes.NewReader(body))
		var all []byte
		if err == nil {
			all, err = io.ReadAll(io.LimitReader(from, 1<<20))
		}
		if want := err == nil && int64(len(all)) == size; size < 1<<20 && want != (got == nil) {
			t.Errorf("%v, want %v of %d bytes", got, want, len(all))
		}
	})
}
