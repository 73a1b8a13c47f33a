package source_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/source"
)

// A trickle is a body that comes slowly.
type trickle struct {
	ctx  context.Context
	left int           // bytes
	slow time.Duration // for each
	stop int           // nothing comes any more when so many are left; -1: all comes
}

func (b *trickle) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(b.left, len(p))
	after := time.After(time.Duration(n) * b.slow)
	if b.left <= b.stop {
		after = nil
	}
	select {
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	case <-after:
	}
	b.left -= n
	return n, nil
}

func (*trickle) Close() error { return nil }

// In the time of synctest: a section that comes slowly is waited for, one that has
// stopped coming is not.
func TestSectionComesSlowly(t *testing.T) {
	const size = 200 << 10
	tests := []struct {
		name string
		slow time.Duration
		stop int
		want string // in the error; "": none
		took time.Duration
	}{
		{"fast", 0, -1, "", 0},
		{"slowly", time.Millisecond, -1, "", size * time.Millisecond},
		{"too slowly", 2 * time.Millisecond, -1, "deadline exceeded", 230 * time.Second},
		{"not at all", 0, size, "nothing comes any more", 30 * time.Second},
		{"a part of it", 0, size / 2, "nothing comes any more", 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusOK, Body: &trickle{r.Context(), size, tt.slow, tt.stop}}, nil
				})}
				began := time.Now()
				b, err := source.HTTPSections{Base: "http://control.test", Client: client}.Section(t.Context(), &wire.Section{Size: size})
				if tt.want == "" && (err != nil || len(b) != size) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("%d bytes, %v, want %q", len(b), err, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// Sections that are on their way when another fails are kept.
func TestRemoteKeepsWhatComes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newControl()
		m := c.publish(t, network(10, "a", "b"), signer(1))
		missing := m.Sections[0].Hash.String()
		delete(c.sections, missing)
		r := follow(t, roundTripper(func(request *http.Request) (*http.Response, error) {
			if strings.Contains(request.URL.Path, "/sections/") && !strings.HasSuffix(request.URL.Path, missing) {
				time.Sleep(time.Second)
			}
			if err := request.Context().Err(); err != nil {
				return nil, err
			}
			return c.RoundTrip(request)
		}), dir, nil)
		if err := r.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "no such section") {
			t.Fatalf("got %v", err)
		}
		kept, err := filepath.Glob(filepath.Join(dir, "sections", "*"))
		if want := len(m.Hashes()) - 1; err != nil || len(kept) != want {
			t.Errorf("%d sections are on disk, want %d", len(kept), want)
		}
	})
}
