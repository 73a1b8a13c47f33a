package probe

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/index"
)

// TestRanged has servers that say of a file what they should, and give it or not.
func TestRanged(t *testing.T) {
	const size = 5000
	file := strings.NewReader(strings.Repeat("x", size))
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  Verdict
	}{
		{"ranges", func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Range"); got != "bytes=0-1023" {
				t.Errorf("Range %q", got)
			}
			http.ServeContent(w, r, "f", time.Time{}, io.NewSectionReader(file, 0, size))
		}, OK},
		{"no ranges", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.NewSectionReader(file, 0, size)) }, OK},
		{"no ranges, slowly", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.CopyN(w, io.NewSectionReader(file, 0, size), size-1)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // the rest is not waited for
		}, OK},
		{"another size", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "f", time.Time{}, strings.NewReader(strings.Repeat("x", size+1)))
		}, WrongSize},
		{"shorter than the range", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "f", time.Time{}, strings.NewReader("x"))
		}, WrongSize},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write([]byte("x"))
			panic(http.ErrAbortHandler)
		}, Protocol},
		{"unknown size", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-1023/*")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.Copy(w, io.NewSectionReader(file, 0, 1024))
		}, OK},
		{"less of unknown size", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-99/*")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.Copy(w, io.NewSectionReader(file, 0, 100))
		}, Protocol},
		{"refuses GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, OK},
		{"fails at GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, BadStatus},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			server := httptest.NewServer(x.serve)
			defer server.Close()
			p := planOf(t, server.URL+"/f", size)
			p.thorough = true
			if got := testChecker(nil).probe(t.Context(), p, index.V4); got.Verdict != x.want {
				t.Errorf("%v (%s), want %v", got.Verdict, got.Detail, x.want)
			}
		})
	}
}

// TestThorough counts how often more than the header is asked for.
func TestThorough(t *testing.T) {
	for _, x := range []struct {
		of   file
		want int
	}{{file{size: 1}, 20}, {file{size: -1}, 20}, {file{size: -1, dir: true}, 10}} {
		asked, thorough := target{plan: plan{file: x.of}}, 0
		for range 200 {
			if asked.ask().thorough {
				thorough++
			}
		}
		if thorough != x.want {
			t.Errorf("%+v: %d of 200 probes, want %d", x.of, thorough, x.want)
		}
	}
}

// TestGetFails has a host that answers HEAD and fails at every GET, and then
// one that does the reverse.
func TestGetFails(t *testing.T) {
	c := Config{}.WithDefaults()
	host := target{plan: plan{file: file{size: 5000}}}
	probe := func(get, head Verdict) {
		host.result = Result{Verdict: head}
		if host.ask().thorough {
			host.result.Verdict = get
		}
		host.note(false, &c, time.Now())
	}
	n := 0
	for ; !host.failing && n < 100; n++ {
		probe(BadStatus, OK)
	}
	if n != host.plan.every()+1 {
		t.Errorf("down after %d probes", n)
	}
	for range 100 {
		if probe(BadStatus, OK); !host.failing {
			t.Fatal("up again by HEAD")
		}
	}
	for n = 0; host.failing && n < 100; n++ {
		probe(OK, OK)
	}
	if n != c.Rise {
		t.Errorf("up after %d probes", n)
	}
	for range 100 {
		if probe(OK, BadStatus); host.failing {
			t.Fatal("down by HEAD")
		}
	}
}

// TestLookRanged: what fails elsewhere is looked at by GET.
func TestLookRanged(t *testing.T) {
	p := newProber(Config{}.WithDefaults(), nil)
	p.Update(compile(t, mirrors("DE", "a")...))
	host := p.targets[newName("a")]
	host.plan.size = 5000
	p.Look(newName("a"))
	if !host.ask().thorough || host.ask().thorough {
		t.Error("want the first bytes once")
	}
}
