package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/statistics"
)

// A plane stands for a control plane: it counts batches as control/store does.
type plane struct {
	mu     sync.Mutex // held while it answers
	last   int64
	counts map[Count]int64
	asked  int
	before func() int   // its status is answered before the batch is looked at; 0: it is
	after  func() error // of the connection, once the batch was taken
}

// RoundTrip implements [http.RoundTripper].
func (p *plane) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	status := http.StatusNoContent
	if p.before != nil {
		if no := p.before(); no != 0 {
			status = no
		}
	}
	if r.URL.Path != "/v1/statistics" || r.Header.Get("Authorization") != "Bearer t0ken" {
		status = http.StatusForbidden
	}
	if status == http.StatusNoContent {
		if err := p.take(r.Body); err != nil {
			return nil, err
		}
		if p.after != nil {
			if err := p.after(); err != nil {
				return nil, err
			}
		}
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader("no\n")), Request: r}, nil
}

func (p *plane) take(body io.Reader) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	var b Batch
	if err := d.Decode(&b); err != nil {
		return err
	}
	if b.Batch <= p.last {
		return nil
	}
	p.last = b.Batch
	for _, c := range b.Counts {
		n := c.Count
		c.Count = 0
		p.counts[c] += n
	}
	return nil
}

func newPlane() *plane { return &plane{counts: map[Count]int64{}} }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, p *plane, change func(*Config)) *Outbox {
	t.Helper()
	c := Config{
		Dir: dir, URL: "http://control.test/", Token: func() (string, error) { return "t0ken", nil }, Transport: p,
		Now: func() time.Time { return noon.Add(time.Minute) },
	}
	if change != nil {
		change(&c)
	}
	o, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func count(name string, n uint64) statistics.Count {
	return statistics.Count{Category: "os", Dimension: statistics.ByCountry, Name: name, Count: n}
}

func put(t *testing.T, o *Outbox, counts ...statistics.Count) {
	t.Helper()
	if err := o.Put(noon.Add(30*time.Second), counts); err != nil {
		t.Fatal(err)
	}
}

// wantCounts compares what the plane has of country DE.
func wantCounts(t *testing.T, p *plane, want map[string]int64) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := map[string]int64{}
	for c, n := range p.counts {
		got[c.Name] += n
		if c.At != noon || c.Category != "os" || c.Dimension != "country" {
			t.Errorf("unexpected count %+v", c)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// Whatever is answered, lost on the way, or killed: each count arrives once.
func TestOnce(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir, p := t.TempDir(), newPlane()
		p.before = func() int { return []int{0, 0, 500, 503, 403}[r.IntN(5)] }
		p.after = func() error {
			if r.IntN(3) == 0 {
				return errors.New("the connection broke")
			}
			return nil
		}
		o := open(t, dir, p, nil)
		want := map[string]int64{}
		for range 200 {
			switch r.IntN(3) {
			case 0:
				n := uint64(1 + r.IntN(9))
				put(t, o, count("DE", n), count("FR", 1))
				want["DE"] += int64(n)
				want["FR"]++
			case 1:
				_ = o.Send(t.Context()) // it may fail
			default:
				o = open(t, dir, p, nil) // it was killed
			}
		}
		p.before, p.after = nil, nil
		if err := o.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, p, want)
		if c := o.Counters(); c.Waiting != 0 || c.Bytes != 0 || c.Dropped != 0 || c.Refused != 0 {
			t.Errorf("counters %+v", c)
		}
	}
}

// Numbers grow, also when the clock goes back and the process starts anew, and
// when the folder is lost.
func TestNumbers(t *testing.T) {
	dir, p, now := t.TempDir(), newPlane(), noon
	clock := func(c *Config) { c.Now = func() time.Time { return now } }
	var last int64
	for i := range 4 {
		o := open(t, dir, p, clock)
		put(t, o, count("DE", 1))
		if err := o.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.last <= last {
			t.Fatalf("batch %d after %d", p.last, last)
		}
		last, now = p.last, now.Add(-time.Minute)
		if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
			t.Errorf("round %d leaves %q", i, names)
		}
	}
	now = noon.Add(time.Hour)
	o := open(t, t.TempDir(), p, clock)
	put(t, o, count("DE", 1))
	if err := o.Send(t.Context()); err != nil || p.last <= last {
		t.Errorf("in a new folder: %v, batch %d after %d", err, p.last, last)
	}
	wantCounts(t, p, map[string]int64{"DE": 5})
}

func TestDropped(t *testing.T) {
	dir, p, now := t.TempDir(), newPlane(), noon
	o := open(t, dir, p, func(c *Config) { c.Room, c.Now = 500, func() time.Time { return now } })
	for i := range 10 {
		put(t, o, count(fmt.Sprint(i), 1))
	}
	c := o.Counters()
	if c.Bytes > 500 || c.Waiting == 0 || c.Dropped == 0 || c.Waiting+int(c.Dropped) != 10 {
		t.Errorf("counters %+v", c)
	}
	now = now.Add(8 * 24 * time.Hour)
	if err := o.Send(t.Context()); err != nil || p.asked != 0 {
		t.Errorf("sending what is a week old: %v, asked %d times", err, p.asked)
	}
	if c = o.Counters(); c.Waiting != 0 || c.Dropped != 10 {
		t.Errorf("a week later: %+v", c)
	}
}

func TestRefused(t *testing.T) {
	p := newPlane()
	o := open(t, t.TempDir(), p, nil)
	put(t, o, count("DE", 1))
	put(t, o, count("FR", 1))
	p.before = func() int {
		if p.asked == 1 {
			return http.StatusUnprocessableEntity
		}
		return 0
	}
	if err := o.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, p, map[string]int64{"FR": 1})
	if c := o.Counters(); c.Refused != 1 || c.Sent != 1 {
		t.Errorf("counters %+v", c)
	}
}

func TestDamaged(t *testing.T) {
	dir, p := t.TempDir(), newPlane()
	o := open(t, dir, p, nil)
	put(t, o, count("DE", 1))
	put(t, o, count("FR", 1))
	put(t, o, count("US", 1))
	names, _ := filepath.Glob(filepath.Join(dir, "*"+waiting))
	if err := os.Truncate(names[0], 40); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(names[1]); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".new-x-1", "notes.txt", "00000000000000000.done"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, p, map[string]int64{"US": 1})
	if c := o.Counters(); c.Dropped != 2 {
		t.Errorf("counters %+v", c)
	}
	open(t, dir, p, nil)
	if _, err := os.Stat(filepath.Join(dir, ".new-x-1")); err == nil {
		t.Error("what a crash left stays")
	}
}

// While the disk takes nothing, batches wait in memory, and may be sent from
// there.
func TestDiskFull(t *testing.T) {
	dir, p := filepath.Join(t.TempDir(), "box"), newPlane()
	o := open(t, dir, p, nil)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := o.Put(noon, []statistics.Count{count("DE", 1)}); err == nil {
		t.Error("want an error")
	}
	if err := o.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.Put(noon, []statistics.Count{count("DE", 2)}); err == nil {
		t.Error("want an error")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, o, count("DE", 4))
	if err := open(t, dir, p, nil).Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, p, map[string]int64{"DE": 7})
	if c := o.Counters(); c.Unwritten != 2 {
		t.Errorf("counters %+v", c)
	}
}

// A great many counts go in several batches, each small enough, and words as
// the control plane takes them.
func TestManyCounts(t *testing.T) {
	p := newPlane()
	o := open(t, t.TempDir(), p, nil)
	var list []statistics.Count
	for i := range 9000 {
		list = append(list, count(fmt.Sprintf("%s%d", strings.Repeat(`"`, 100), i), 1))
	}
	list = append(list, count("a\x00\x7f\u0085b\xff", 1), count(strings.Repeat("ü", 200), 1))
	put(t, o, list...)
	if c := o.Counters(); c.Waiting < 2 {
		t.Errorf("counters %+v", c)
	}
	for o.Counters().Waiting > 0 {
		l, _ := o.first()
		if body, err := o.read(l); err != nil || len(body) > 1<<20 {
			t.Errorf("a batch has %d bytes, %v", len(body), err)
		}
		if err := o.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	names := map[string]bool{}
	for c := range p.counts {
		names[c.Name] = true
	}
	if len(names) != len(list) || !names["a???b\ufffd"] || !names[strings.Repeat("ü", 128)] {
		t.Errorf("%d names of %d", len(names), len(list))
	}
}

// FuzzWord: whatever a host is called, its name is as the control plane takes it.
func FuzzWord(f *testing.F) {
	f.Add(strings.Repeat("\"ü\x01\xff<", 60)) // cut inside a replacement character
	f.Add("\u0085\x7f")
	f.Fuzz(func(t *testing.T, text string) {
		got := word(text)
		if len(got) > longestWord || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) || got != word(got) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

// Run goes on after errors, ever less often, and is awake as soon as something
// is put.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		down := true
		p.before = func() int {
			if down {
				return http.StatusBadGateway
			}
			return 0
		}
		o := open(t, t.TempDir(), p, func(c *Config) { c.Now = nil; c.Spread = 5 * time.Second })
		done := make(chan struct{})
		go func() { defer close(done); o.Run(t.Context()) }()
		t.Cleanup(func() { <-done })
		if err := o.Put(noon, []statistics.Count{count("DE", 1)}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		p.mu.Lock()
		if p.asked < 15 || p.asked > 35 {
			t.Errorf("asked %d times in an hour", p.asked)
		}
		down = false
		p.mu.Unlock()
		<-time.After(maxBackoff)
		synctest.Wait()
		wantCounts(t, p, map[string]int64{"DE": 1})
		if err := o.Put(noon, []statistics.Count{count("DE", 1)}); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		wantCounts(t, p, map[string]int64{"DE": 2})
	})
}
