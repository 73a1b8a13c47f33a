package source

import (
	"slices"
	"sync"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// offered is of how many snapshots an edge has sections for peers: the one that
// is being fetched, the one in use, and the one before, which a slower peer may
// be fetching still.
const offered = 3

// An Offer is what an edge has for its peers: manifests that are signed, and
// their sections, those of a snapshot that is being fetched as they come. It is
// safe for any number of goroutines.
type Offer struct {
	store *wire.Store

	mu      sync.Mutex
	held    []*held       // guarded by mu; the newest first
	changed chan struct{} // guarded by mu; closed when there are other manifests
}

// held is a snapshot of which sections are here.
type held struct {
	bytes    []byte
	hash     wire.Hash
	manifest *wire.Manifest
	sections map[wire.Hash]*wire.Section
	pending  bool                        // some sections are on their way
	awaited  map[wire.Hash]chan struct{} // those that peers wait for
}

func newOffer(s *wire.Store) *Offer { return &Offer{store: s, changed: make(chan struct{})} }

// begin offers the sections of m as they come.
func (o *Offer) begin(b []byte, m *wire.Manifest) {
	h := &held{
		bytes: b, hash: wire.HashOf(b), manifest: m, pending: true,
		sections: make(map[wire.Hash]*wire.Section, len(m.Sections)), awaited: map[wire.Hash]chan struct{}{},
	}
	for i := range m.Sections {
		h.sections[m.Sections[i].Hash] = &m.Sections[i]
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = slices.Insert(o.held, 0, h)
	o.wake()
}

// end ends what begin began, and returns the manifests whose sections are
// to stay.
func (o *Offer) end(good bool) (keep []*wire.Manifest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, awaited := range o.held[0].awaited {
		close(awaited)
	}
	if good {
		o.held[0].pending, o.held[0].awaited = false, nil
		o.held = slices.Clip(o.held[:min(len(o.held), offered-1)])
	} else {
		o.held = slices.Delete(o.held, 0, 1)
	}
	for _, h := range o.held {
		keep = append(keep, h.manifest)
	}
	o.wake()
	return keep
}

// resign replaces the bytes of the manifest in use.
func (o *Offer) resign(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.held) > 0 {
		again := *o.held[0]
		again.bytes, again.hash = b, wire.HashOf(b)
		o.held[0] = &again
		o.wake()
	}
}

// came tells those who wait for a section of the snapshot that is being fetched
// that it is here.
func (o *Offer) came(hash wire.Hash) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if awaited := o.held[0].awaited[hash]; awaited != nil {
		close(awaited)
		delete(o.held[0].awaited, hash)
	}
}

// wake is called under mu.
func (o *Offer) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Latest returns the manifest of the snapshot in use, nil if there is none.
func (o *Offer) Latest() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if !h.pending {
			return h.bytes
		}
	}
	return nil
}

// Manifest returns the manifest of a hash. If it is not here, it returns a channel
// that is closed when that may have changed.
func (o *Offer) Manifest(hash wire.Hash) (b []byte, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if h.hash == hash {
			return h.bytes, nil
		}
	}
	return nil, o.changed
}

// Section returns the verified bytes of a section, nil if it is not here or not
// of these snapshots. If it is on its way, it returns a channel that is closed when
// it is here, or will not come.
func (o *Offer) Section(hash wire.Hash) (b []byte, coming <-chan struct{}) {
	s, coming := o.find(hash)
	if s == nil || !o.store.Has(s) {
		return nil, coming
	}
	b, err := o.store.Section(hash)
	if err != nil {
		return nil, nil // it is damaged; whoever asks should ask another
	}
	return b, nil
}

// find returns a section, and what is closed when it comes, if that is to be.
func (o *Offer) find(hash wire.Hash) (s *wire.Section, coming <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if s = h.sections[hash]; s == nil {
			continue
		}
		if h.pending && h.awaited[hash] == nil {
			h.awaited[hash] = make(chan struct{})
		}
		return s, h.awaited[hash]
	}
	return nil, nil
}
