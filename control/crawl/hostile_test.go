package crawl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// mirror copies the content and changes it.
func mirror(change func(c map[string]string)) map[string]string {
	c := content()
	change(c)
	return c
}

func TestHalfSyncedAndStale(t *testing.T) {
	tree := scan(t, write(t, content()))
	old := sha256.Sum256([]byte("<repomd>1</repomd>"))
	stale := snapshot.Version{Size: 18, MTime: epoch.Add(-36 * time.Hour).Unix()}
	stale.Hashes[snapshot.SHA256] = old[:]
	tests := []struct {
		name   string
		change func(c map[string]string)
		want   []string
	}{
		{"half synced", func(c map[string]string) {
			for i := range 9 {
				delete(c, fmt.Sprintf("os/Packages/p/pack age+%d.rpm", i+1))
			}
		}, []string{"+/", "+/iso", "+/os", "+/os/Packages", "-/os/Packages/p", "+/os/repodata"}},
		{"a category in part", func(c map[string]string) {
			delete(c, "iso/live.iso")
			delete(c, "iso/SHA256SUMS")
		}, []string{"+/", "-/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata"}},
		{
			"other size", func(c map[string]string) { c["iso/live.iso"] = "short" },
			[]string{"+/", "-/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata"},
		},
		{"stale alternate", func(c map[string]string) {
			c["os/repodata/repomd.xml"] = "<repomd>1</repomd>"
			delete(c, "os/repodata/2-primary.xml.gz")
		}, []string{"+/", "+/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata !2-primary.xml.gz <repomd.xml"}},
		{
			"metadata that nobody knows", func(c map[string]string) { c["os/repodata/repomd.xml"] = "<repomd>9</repomd>!" },
			[]string{"+/", "+/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "-/os/repodata"},
		},
	}
	for _, tt := range tests {
		root := write(t, mirror(tt.change))
		// the stale metadata is of the same size: only time and hash tell
		if name := filepath.Join(root, "os/repodata/repomd.xml"); tt.name == "stale alternate" {
			if err := os.Chtimes(name, epoch, time.Unix(stale.MTime, 0)); err != nil {
				t.Fatal(err)
			}
		}
		older := func(path string) []snapshot.Version {
			if path == "os/repodata/repomd.xml" {
				return []snapshot.Version{stale}
			}
			return nil
		}
		for _, how := range []string{"rsync", "heads", "rsync and http"} {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				j := job(tree)
				if strings.HasPrefix(how, "rsync") {
					j.Carry.URLs = append(j.Carry.URLs, registry.URL{URL: rsyncd(t, root)})
				}
				if how != "rsync" {
					j.Carry.URLs = append(j.Carry.URLs, registry.URL{URL: files(t, root, noIndex)})
				}
				j.Older = older
				l, r := do(t, j, quick())
				expect(t, tree, l, r, tt.want...)
				if r.Outcome != crawl.OK {
					t.Error(r.Outcome, r.Reason)
				}
				if tt.name == "stale alternate" {
					repomd := registry.FileRef{Directory: 5, Name: "repomd.xml"}
					ages := crawl.Ages([]snapshot.Version{{MTime: epoch.Unix()}, stale}, repomd, r.Versions, 3)
					if ages != (crawl.Propagation{OneDay: 1, Unknown: 2}) {
						t.Errorf("%+v of %+v", ages, r.Versions)
					}
				}
			})
		}
	}
}

// alter serves what answer does not.
func alter(answer func(w http.ResponseWriter, r *http.Request) (done bool)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !answer(w, r) {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// page answers with a page, as hotels and lost domains do.
func page(w http.ResponseWriter) bool {
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<!DOCTYPE html><html><title>Welcome</title></html>")
	return true
}

func TestMisbehaving(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	is := func(r *http.Request, part string) bool { return strings.Contains(r.URL.Path, part) }
	tests := []struct {
		name    string
		answer  func(w http.ResponseWriter, r *http.Request) bool
		want    []string // of verdicts; nil: nothing held
		outcome crawl.Outcome
		reason  string // part of the reason, problems or held
	}{
		{"every name is a page", func(w http.ResponseWriter, _ *http.Request) bool { return page(w) }, nil, crawl.Empty, "answers 200"},
		{"a page for what is missing", func(w http.ResponseWriter, r *http.Request) bool {
			if _, err := os.Stat(filepath.Join(root, r.URL.Path)); err != nil || is(r, ".iso") {
				return page(w)
			}
			return strings.HasSuffix(r.URL.Path, "/") && page(w)
		}, []string{"+/", "-/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata"}, crawl.OK, "page instead of the file"},
		{"right sizes, other content", func(w http.ResponseWriter, r *http.Request) bool {
			info, err := os.Stat(filepath.Join(root, r.URL.Path))
			if err != nil || info.IsDir() || is(r, "repomd.xml") || is(r, "SUMS") || is(r, "treeinfo") {
				return false
			}
			http.ServeContent(w, r, "", info.ModTime(), strings.NewReader(strings.Repeat("\x00", int(info.Size()))))
			return true
		}, []string{"*"}, crawl.OK, "are not what they seem"},
		{"redirects in a circle", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
			return true
		}, nil, crawl.Failed, "no HTTP or HTTPS URL"},
		{"back to the redirector", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://redirector.test"+r.URL.Path, http.StatusFound)
			return true
		}, nil, crawl.Failed, "leads back"},
		{"overloaded", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, nil, crawl.Failed, "overloaded"},
		{"it hangs after a while", func(w http.ResponseWriter, r *http.Request) bool {
			if is(r, ".rpm") {
				<-r.Context().Done()
			}
			return strings.HasSuffix(r.URL.Path, "/") && forbid(w)
		}, []string{"*"}, crawl.OK, "giving up"},
		{"slow bodies", func(w http.ResponseWriter, r *http.Request) bool {
			if !is(r, "repomd.xml") {
				return false
			}
			for range 10_000 {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return true
				case <-time.After(20 * time.Millisecond):
				}
			}
			return true
		}, []string{"+/", "+/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "?/os/repodata"}, crawl.OK, ""},
		{"infinite metadata", func(w http.ResponseWriter, r *http.Request) bool {
			for is(r, "repomd.xml") && r.Method == http.MethodGet {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return true
				}
			}
			return false
		}, []string{"+/", "+/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "-/os/repodata"}, crawl.OK, ""},
		{"gzip bombs for index pages", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/") {
				return false
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "text/html")
			z := gzip.NewWriter(w)
			_, _ = z.Write(bytes.Repeat([]byte("<a href=x>"), 1<<20))
			return z.Close() == nil
		}, wholeTree, crawl.OK, ""},
		{"infinite index pages", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/") {
				return false
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<title>Index of /</title>")
			for i := 0; r.Method == http.MethodGet; i++ {
				if _, err := fmt.Fprintf(w, "<a href=\"%d/\">%d/</a> 2026-01-02 03:04 -\n", i, i); err != nil {
					return true
				}
			}
			return true
		}, wholeTree, crawl.OK, ""},
		{"index pages that promise too much", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/p/") {
				return is(r, "/p/") && notFound(w)
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<title>Index of /</title>")
			for i := range 20 {
				fmt.Fprintf(w, "<a href=\"pack%%20age+%d.rpm\">..</a>\n", i)
			}
			return true
		}, []string{"+/", "+/iso", "+/os", "+/os/Packages", "-/os/Packages/p", "+/os/repodata"}, crawl.OK, "missing"},
		{"no HEAD", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return r.Method == http.MethodHead
		}, wholeTree, crawl.OK, ""},
		{"broken connections", func(_ http.ResponseWriter, r *http.Request) bool {
			if is(r, "Packages") {
				panic(http.ErrAbortHandler)
			}
			return false
		}, []string{"+/", "+/iso", "+/os", "?/os/Packages", "?/os/Packages/p", "+/os/repodata"}, crawl.OK, ""},
		{"internal errors", func(w http.ResponseWriter, r *http.Request) bool {
			if is(r, ".rpm") {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return is(r, ".rpm")
		}, []string{"+/", "+/iso", "+/os", "+/os/Packages", "?/os/Packages/p", "+/os/repodata"}, crawl.OK, "status 500"},
		{"an object store without directories", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/") && notFound(w)
		}, wholeTree, crawl.OK, ""},
		{"robots.txt", func(w http.ResponseWriter, r *http.Request) bool {
			if !is(r, "robots.txt") {
				return false
			}
			_, _ = io.WriteString(w, "User-agent: *\nAllow: /\n\nUser-agent: waypost\nDisallow: /\n")
			return true
		}, []string{"?/", "?/iso", "?/os", "?/os/Packages", "?/os/Packages/p", "?/os/repodata"}, crawl.OptedOut, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := quick()
			limits.Timeout, limits.Errors = 10*time.Second, 1000
			if strings.Contains(tt.name, "hangs") || strings.Contains(tt.name, "slow") {
				limits.Timeout, limits.Errors = 500*time.Millisecond, 2
			}
			limits.MaxIndex, limits.MaxMetadata = 64<<10, 64<<10
			limits.Own = []string{"redirector.test"}
			j := job(tree, files(t, root, alter(tt.answer)))
			l, r := do(t, j, limits)
			switch {
			case tt.want == nil && r.Directories.Held > 0:
				t.Errorf("it holds something:\n%s%+v", verdicts(tree, l), r)
			case tt.want != nil && tt.want[0] != "*":
				expect(t, tree, l, r, tt.want...)
			}
			if all := fmt.Sprintf("%+v", r); r.Outcome != tt.outcome || !strings.Contains(all, tt.reason) {
				t.Errorf("outcome %s, want %s with %q\n%s%s", r.Outcome, tt.outcome, tt.reason, verdicts(tree, l), all)
			}
		})
	}
}

func forbid(w http.ResponseWriter) bool   { w.WriteHeader(http.StatusForbidden); return true }
func notFound(w http.ResponseWriter) bool { w.WriteHeader(http.StatusNotFound); return true }

func TestNginx(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	for _, exact := range []string{"on", "off"} {
		t.Run("exact sizes "+exact, func(t *testing.T) {
			port, dir := needs.Port(t), t.TempDir()
			user := ""
			if os.Getuid() == 0 {
				user = "user nobody nogroup;"
			}
			config := fmt.Sprintf(`%s daemon off; worker_processes 1; pid %[2]s/pid; error_log %[2]s/error;
events {}
http { access_log off; client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s;
scgi_temp_path %[2]s; server { listen 127.0.0.1:%[3]d; root %[4]s; autoindex on; autoindex_exact_size %[5]s; } }`,
				user, dir, port, root, exact)
			if err := os.WriteFile(dir+"/conf", []byte(config), 0o644); err != nil {
				t.Fatal(err)
			}
			daemon(t, port, "nginx", "-c", dir+"/conf", "-p", dir, "-e", dir+"/error")
			l, r := do(t, job(tree, fmt.Sprintf("http://127.0.0.1:%d", port)), quick())
			expect(t, tree, l, r, wholeTree...)
			if r.Requests > 40 {
				t.Errorf("%d requests: the index pages were of no use", r.Requests)
			}
		})
	}
}

func TestHangingRsync(t *testing.T) {
	tree := scan(t, write(t, content()))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // a server that greets and falls silent
		for {
			conn, acceptErr := listener.Accept()
			if acceptErr != nil {
				return
			}
			_, _ = io.WriteString(conn, "@RSYNCD: 31.0\n")
		}
	}()
	limits := quick()
	limits.Time = 500 * time.Millisecond
	start := time.Now()
	l, r := do(t, job(tree, "rsync://"+listener.Addr().String()+"/os"), limits)
	if r.Outcome != crawl.TimedOut || time.Since(start) > 20*time.Second || r.Directories.Unknown != len(tree.Directories) {
		t.Errorf("%s after %s\n%s", r.Outcome, time.Since(start), verdicts(tree, l))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	_, r, err = crawl.Crawl(ctx, job(tree, "rsync://"+listener.Addr().String()+"/os"), quick())
	if !errors.Is(err, context.Canceled) || r.Outcome != crawl.Interrupted {
		t.Errorf("%v, %s", err, r.Outcome)
	}
}

func TestNoRsyncProgram(t *testing.T) {
	tree := scan(t, write(t, content()))
	limits := quick()
	limits.Rsync.Program = "/nonexistent/rsync"
	if _, r, err := crawl.Crawl(t.Context(), job(tree, "rsync://127.0.0.1:1/os"), limits); err == nil || r.Outcome != crawl.Interrupted {
		t.Errorf("%v, %s: our own trouble is not the host's", err, r.Outcome)
	}
}

func TestRsyncPermissions(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	needs.Root(t)
	if err := os.Chmod(filepath.Join(root, "iso"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, r := do(t, job(tree, rsyncd(t, root)), quick())
	expect(t, tree, l, r, "+/", "?/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata")
}

func TestModes(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	var requests atomic.Int64
	url := files(t, root, alter(func(w http.ResponseWriter, r *http.Request) bool {
		requests.Add(1)
		return strings.HasSuffix(r.URL.Path, "/") && forbid(w)
	}))
	full, _ := do(t, job(tree, url), quick())
	t.Run("quick", func(t *testing.T) {
		requests.Store(0)
		j := job(tree, url)
		j.Mode, j.Previous = crawl.Quick, full
		limits := quick()
		limits.Sample, limits.Contents = 2, -1
		l, r := do(t, j, limits)
		expect(t, tree, l, r, wholeTree...)
		if n := requests.Load(); n > 25 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("quick, never held before", func(t *testing.T) {
		j := job(tree, url)
		j.Mode = crawl.Quick
		l, r := do(t, j, quick())
		expect(t, tree, l, r, wholeTree...)
	})
	t.Run("metadata", func(t *testing.T) {
		j := job(tree, url)
		j.Mode = crawl.Metadata
		l, r := do(t, j, quick())
		expect(t, tree, l, r, "?/", "+/iso", "+/os", "?/os/Packages", "?/os/Packages/p", "+/os/repodata")
	})
	t.Run("canary", func(t *testing.T) {
		j := job(tree, url)
		j.Mode = crawl.Canary
		_, r := do(t, j, quick())
		if r.Outcome != crawl.OK || r.Directories.Unknown != len(tree.Directories) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("only what was claimed", func(t *testing.T) {
		j := job(tree, url)
		j.Only = []string{"iso"}
		l, r := do(t, j, quick())
		expect(t, tree, l, r, "?/", "+/iso", "?/os", "?/os/Packages", "?/os/Packages/p", "?/os/repodata")
	})
	t.Run("always up to date", func(t *testing.T) {
		j := job(tree)
		j.Carry.AlwaysUpToDate = true
		l, r := do(t, j, quick())
		expect(t, tree, l, r, wholeTree...)
	})
	t.Run("in maintenance", func(t *testing.T) {
		j := job(tree, url)
		j.Host.Maintenance = []registry.Window{{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}}
		if _, r := do(t, j, quick()); r.Outcome != crawl.OptedOut || r.Requests > 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("sudden loss is held", func(t *testing.T) {
		j := job(tree, files(t, write(t, map[string]string{"README": "read me\n"}), nil))
		j.Previous = full
		_, r := do(t, j, quick())
		if !strings.Contains(r.Held, "gone") {
			t.Errorf("held %q %+v", r.Held, r)
		}
	})
	t.Run("numbers", func(t *testing.T) {
		j := job(tree, url)
		j.Numbers = []uint32{100, 7, 64, 3, 200, 9}
		l, _ := do(t, j, quick())
		var want snapshot.Bitmap
		for _, n := range j.Numbers {
			want.Add(n)
		}
		if fmt.Sprint(l.Holds) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", l.Holds, want)
		}
	})
}

func TestEmbargo(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	tree.Directories[1].Readable = false // iso
	l, r := do(t, job(tree, files(t, root, noIndex)), quick())
	expect(t, tree, l, r, "+/", "?/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata")
	if len(r.Leaks) != 1 || r.Leaks[0] != "iso" {
		t.Errorf("leaks %q", r.Leaks)
	}
	l, r = do(t, job(tree, files(t, root, alter(func(w http.ResponseWriter, r *http.Request) bool {
		return (strings.HasPrefix(r.URL.Path, "/iso") || strings.HasSuffix(r.URL.Path, "/")) && forbid(w)
	}))), quick())
	expect(t, tree, l, r, "+/", "?/iso", "+/os", "+/os/Packages", "+/os/Packages/p", "+/os/repodata")
	if len(r.Leaks) != 0 {
		t.Errorf("leaks %q", r.Leaks)
	}
}

func TestCertificates(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	plain := files(t, root, noIndex)
	s := httptest.NewTLSServer(noIndex(http.FileServer(http.Dir(root))))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	known := x509.NewCertPool()
	known.AddCert(s.Certificate())
	tests := []struct {
		name string
		tls  *tls.Config
		want string
	}{
		{"unknown authority", nil, "unknown authority"},
		{"good", &tls.Config{RootCAs: known}, ""},
		{"wrong name", &tls.Config{RootCAs: known, ServerName: "other.test"}, "another name"},
		{"expired", &tls.Config{RootCAs: known, Time: func() time.Time { return s.Certificate().NotAfter.Add(time.Hour) }}, "expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := quick()
			limits.TLS = tt.tls
			l, r := do(t, job(tree, s.URL, plain), limits)
			expect(t, tree, l, r, wholeTree...)
			if f := r.URLs[0]; !strings.Contains(f.Certificate, tt.want) || (tt.want == "") != f.Works {
				t.Errorf("%+v", f)
			}
			if want := map[bool]string{true: "https", false: "http"}[tt.want == ""]; r.Method != want {
				t.Errorf("listed by %s, want %s", r.Method, want)
			}
		})
	}
	t.Run("down to http", func(t *testing.T) {
		down := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.Replace(plain, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusMovedPermanently)
		}))
		t.Cleanup(down.Close)
		limits := quick()
		limits.TLS = &tls.Config{InsecureSkipVerify: true}
		_, r := do(t, job(tree, down.URL), limits)
		if f := r.URLs[0]; !f.ToHTTP || len(f.Elsewhere) != 1 || f.V4 != crawl.Reached || f.V6 != crawl.NoAddress {
			t.Errorf("%+v", f)
		}
	})
}

func TestPrivateAddresses(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	limits := quick()
	limits.Private = false
	_, r := do(t, job(tree, files(t, root, nil), rsyncd(t, root), "ftp://127.0.0.1/os"), limits)
	if r.Outcome != crawl.Failed || r.Directories.Held > 0 || !strings.Contains(r.Reason, "127.0.0.1 is not of the public Internet") {
		t.Errorf("%+v", r)
	}
}
