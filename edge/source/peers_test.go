package source_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// peers are what one edge knows of others: some snapshots.
type peers struct { // implements source.Peers
	mu       sync.Mutex
	alone    bool
	leads    bool
	newest   uint64
	manifest []byte
	sections map[string][]byte
	asked    []string
}

func (p *peers) Alone() bool          { return p.alone }
func (p *peers) Leads(wire.Hash) bool { return p.leads }

func (p *peers) Newest() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newest
}

func (p *peers) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *peers) Manifest(_ context.Context, h wire.Hash) ([]byte, error) {
	p.note("manifest")
	p.mu.Lock()
	defer p.mu.Unlock()
	if wire.HashOf(p.manifest) != h {
		return nil, errors.New("not here")
	}
	return p.manifest, nil
}

func (p *peers) Newer(_ context.Context, _ uint64, accept func([]byte) error) ([]byte, error) {
	p.note("newer")
	p.mu.Lock()
	defer p.mu.Unlock()
	err := accept(p.manifest)
	if told := p.newest; err != nil {
		p.newest = 0 // they do not count for a minute
		time.AfterFunc(time.Minute, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.newest = max(p.newest, told)
		})
	}
	return p.manifest, err
}

func (p *peers) Section(_ context.Context, _ wire.Hash, _ uint64, s *wire.Section) ([]byte, error) {
	p.note("section")
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.sections[s.Hash.String()]; ok {
		return b, nil
	}
	return nil, errors.New("not here")
}

// questions returns how many there were.
func (p *peers) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

// has lets peers have what c publishes.
func (p *peers) has(c *control, version uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.manifest, p.sections, p.newest = c.manifest, maps.Clone(c.sections), version
}

// lose has peers lose all sections. It forgets what was asked.
func (p *peers) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sections, p.asked = nil, nil
}

// newer returns how often something newer was asked for.
func (p *peers) newer() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return what(p.asked)["newer"]
}

// what returns how often what was asked for was.
func what(asked []string) map[string]int {
	out := map[string]int{}
	for _, a := range asked {
		out[a]++
	}
	return out
}

// Who gets what from whom.
func TestRemotePeers(t *testing.T) {
	tests := []struct {
		name           string
		change         func(p *peers, m *wire.Manifest)
		control, peers map[string]int
		fallbacks      uint64
		damaged        uint64
	}{
		{"alone", func(p *peers, _ *wire.Manifest) { p.alone = true }, map[string]int{"manifest": 1, "section": 8}, map[string]int{}, 0, 0},
		{"leads", func(p *peers, _ *wire.Manifest) { p.leads, p.newest = true, 9 }, map[string]int{"tag": 1, "manifest": 1, "section": 8}, map[string]int{}, 0, 0},
		{"leads, but others have it", func(p *peers, _ *wire.Manifest) { p.leads = true }, map[string]int{"tag": 1, "manifest": 1}, map[string]int{"section": 8}, 0, 0},
		{"follows", func(*peers, *wire.Manifest) {}, map[string]int{"tag": 1}, map[string]int{"manifest": 1, "section": 8}, 0, 0},
		{"nobody has the manifest", func(p *peers, _ *wire.Manifest) { p.manifest = nil }, map[string]int{"tag": 1, "manifest": 1}, map[string]int{"manifest": 1, "section": 8}, 1, 0},
		{
			"nobody has a section", func(p *peers, m *wire.Manifest) { delete(p.sections, m.Sections[0].Hash.String()) },
			map[string]int{"tag": 1, "section": 1},
			map[string]int{"manifest": 1, "section": 8},
			1, 0,
		},
		{
			"a section is bad", func(p *peers, m *wire.Manifest) { p.sections[m.Sections[1].Hash.String()] = []byte("bad") },
			map[string]int{"tag": 1, "section": 1},
			map[string]int{"manifest": 1, "section": 8},
			1, 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, p := newControl(), &peers{}
			m := c.publish(t, network(10, "a", "b"), signer(1))
			if n := len(m.Hashes()); n != 8 {
				t.Fatalf("%d sections", n)
			}
			p.has(c, 10)
			tt.change(p, m)
			r := follow(t, c, t.TempDir(), nil)
			r.Join(p)
			if err := r.Poll(t.Context()); err != nil || version(r) != 10 {
				t.Fatalf("version %d, %v", version(r), err)
			}
			if got := what(c.requests()); !maps.Equal(got, tt.control) {
				t.Errorf("the control plane was asked for %v, want %v", got, tt.control)
			}
			if got := what(p.asked); !maps.Equal(got, tt.peers) {
				t.Errorf("peers were asked for %v, want %v", got, tt.peers)
			}
			got := r.Counters()
			if got.Fallbacks != tt.fallbacks || got.Damaged != tt.damaged || got.Sections != 8 || got.Sections-got.FromPeers != uint64(tt.control["section"]) {
				t.Errorf("counted %+v", got)
			}
			latest := r.Offer().Latest()
			if b, _ := r.Offer().Manifest(wire.HashOf(latest)); latest == nil || !slices.Equal(b, latest) {
				t.Error("nothing is offered")
			}
		})
	}
}

// A leader whose control plane has lost a section asks peers.
func TestRemoteLeaderFallsBack(t *testing.T) {
	c, p := newControl(), &peers{leads: true}
	m := c.publish(t, network(10, "a"), signer(1))
	p.has(c, 9)
	delete(c.sections, m.Sections[2].Hash.String())
	r := follow(t, c, t.TempDir(), nil)
	r.Join(p)
	if err := r.Poll(t.Context()); err != nil || version(r) != 10 || r.Counters().FromPeers != 1 {
		t.Fatalf("version %d, %v", version(r), err)
	}
}

// A manifest on disk does not come again, and what is offered is what is there.
func TestRemoteRestoresOffer(t *testing.T) {
	c, dir := newControl(), t.TempDir()
	m := c.publish(t, network(10, "a"), signer(1))
	if err := follow(t, c, dir, nil).Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.requests()
	r := follow(t, c, dir, nil)
	if err := r.Restore(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Poll(ctx); err == nil {
		t.Error("the control plane did not wait")
	}
	if got := c.requests(); slices.Contains(got, "manifest") {
		t.Errorf("asked for %v", got)
	}
	for i := range m.Sections {
		if b, coming := r.Offer().Section(m.Sections[i].Hash); coming != nil || m.Sections[i].Verify(b) != nil {
			t.Errorf("section %s is not offered", &m.Sections[i])
		}
	}
	if b, coming := r.Offer().Section(wire.HashOf([]byte("x"))); b != nil || coming != nil {
		t.Error("something unknown is offered")
	}
}

// Sections of the snapshot before are offered, older ones are not.
func TestOfferKeepsOneBefore(t *testing.T) {
	c := newControl()
	r := follow(t, c, t.TempDir(), nil)
	var availability []wire.Hash
	for v := range uint64(4) {
		s := network(10+v, "a")
		s.Hosts[0].Has = snapshot.Bitmap{1 << v}
		m := c.publish(t, s, signer(1))
		availability = append(availability, m.Sections[len(m.Sections)-1].Hash)
		if err := r.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{false, false, true, true} {
		if b, _ := r.Offer().Section(availability[i]); (b != nil) != want {
			t.Errorf("snapshot %d is offered: %t", i, b != nil)
		}
	}
}

// In the time of synctest: with control away, peers that have something newer
// are asked within seconds, and those that lie seldom.
func TestRemoteCatchesUp(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, p := newControl(), &peers{}
		c.publish(t, network(10, "a"), signer(1))
		p.has(c, 10)
		r := follow(t, c, filepath.Join(dir, "snapshots"), nil)
		r.Join(p)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Second)
		if version(r) != 10 {
			t.Fatalf("version %d", version(r))
		}
		c.set(nil, http.StatusBadGateway)
		time.Sleep(5 * time.Minute) // failing less and less
		elsewhere := newControl()
		elsewhere.publish(t, network(11, "a", "b"), signer(1))
		p.has(elsewhere, 11)
		time.Sleep(3 * time.Second)
		if version(r) != 11 || r.Counters().Current {
			t.Errorf("version %d, current %t", version(r), r.Counters().Current)
		}
		elsewhere.publish(t, network(10, "a"), signer(1)) // a liar: it has an old one
		p.has(elsewhere, 12)
		before := p.questions()
		time.Sleep(time.Hour)
		if n := p.questions() - before; version(r) != 11 || n < 30 || n > 70 {
			t.Errorf("version %d, %d questions in an hour, want one a minute", version(r), n)
		}
		elsewhere.publish(t, network(12, "a"), signer(2)) // another one: the signature is bad
		p.has(elsewhere, 12)
		time.Sleep(time.Hour)
		if version(r) != 11 {
			t.Errorf("version %d was taken", version(r))
		}
		elsewhere.publish(t, network(13, "a"), signer(1))
		p.has(elsewhere, 13)
		time.Sleep(3 * time.Second)
		if version(r) != 13 {
			t.Errorf("version %d", version(r))
		}
		elsewhere.publish(t, network(14, "a", "c"), signer(1))
		p.has(elsewhere, 14)
		p.lose() // all but the manifest
		time.Sleep(time.Hour)
		if n := p.newer(); version(r) != 13 || n < 50 || n > 70 {
			t.Errorf("version %d, %d questions in an hour for what cannot be taken, want one a minute", version(r), n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A control plane that is slow to tell is not waited for when peers have more.
func TestRemoteDoesNotWaitForControl(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, p := newControl(), &peers{}
		c.publish(t, network(10, "a"), signer(1))
		p.has(c, 10)
		r := follow(t, c, filepath.Join(dir, "snapshots"), nil)
		r.Join(p)
		if err := r.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		elsewhere := newControl()
		elsewhere.publish(t, network(11, "a"), signer(1))
		go func() {
			time.Sleep(5 * time.Second)
			p.has(elsewhere, 11)
		}()
		began := time.Now()
		if err := r.Poll(t.Context()); err != nil || version(r) != 11 || time.Since(began) > 9*time.Second {
			t.Errorf("version %d after %v, %v", version(r), time.Since(began), err)
		}
		c.publish(t, network(11, "a"), signer(1))
		elsewhere.publish(t, network(12, "a"), signer(2)) // by a key that is not ours
		go func() {
			time.Sleep(5 * time.Second)
			p.has(elsewhere, 12)
		}()
		if err := r.Poll(t.Context()); err == nil || version(r) != 11 || r.Counters().Current {
			t.Errorf("version %d, %v, current %t: what peers have ahead is refused, and nothing says so", version(r), err, r.Counters().Current)
		}
	})
}

// A proxy that knows no HEAD, or gives other ETags, costs a manifest and no more.
func TestRemoteOddTags(t *testing.T) {
	for _, odd := range []string{"method", "tag"} {
		c, p := newControl(), &peers{}
		c.publish(t, network(10, "a"), signer(1))
		p.has(c, 10)
		r := follow(t, roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := c.RoundTrip(request)
			if err == nil && request.Method == http.MethodHead && odd == "method" {
				response.StatusCode = http.StatusMethodNotAllowed
			}
			if err == nil && odd == "tag" {
				response.Header.Set("ETag", strings.Replace(response.Header.Get("ETag"), `"`, `"x`, 1))
			}
			return response, err
		}), t.TempDir(), nil)
		r.Join(p)
		if err := r.Poll(t.Context()); err != nil || version(r) != 10 {
			t.Errorf("%s: version %d, %v", odd, version(r), err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
