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
	changed chan struct{} // guarded by mu; closed when more is here
}

// held is a snapshot of which sections are here.
type held struct {
	bytes    []byte
	hash     wire.Hash
	manifest *wire.Manifest
	sections map[wire.Hash]*wire.Section
	pending  bool // some sections are on their way
}

func newOffer(s *wire.Store) *Offer { return &Offer{store: s, changed: make(chan struct{})} }

// begin offers the sections of m as they come.
func (o *Offer) begin(b []byte, m *wire.Manifest) {
	h := &held{bytes: b, hash: wire.HashOf(b), manifest: m, sections: make(map[wire.Hash]*wire.Section, len(m.Sections)), pending: true}
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
	if good {
		o.held[0].pending = false
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

// came tells those who wait that a section is here.
func (o *Offer) came() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wake()
}

// wake is called under mu.
func (o *Offer) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Changed returns a channel that is closed when more is here than now.
func (o *Offer) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
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

// Manifest returns the manifest of a hash, nil if it is not here.
func (o *Offer) Manifest(hash wire.Hash) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if h.hash == hash {
			return h.bytes
		}
	}
	return nil
}

// Section returns the verified bytes of a section, nil if it is not here or not
// of these snapshots, and whether it is on its way.
func (o *Offer) Section(hash wire.Hash) (b []byte, coming bool) {
	s, coming := o.find(hash)
	if s == nil || !o.store.Has(s) {
		return nil, coming
	}
	b, err := o.store.Section(hash)
	if err != nil {
		return nil, false // it is damaged; whoever asks should ask another
	}
	return b, false
}

func (o *Offer) find(hash wire.Hash) (s *wire.Section, pending bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if s = h.sections[hash]; s != nil {
			return s, h.pending
		}
	}
	return nil, false
}
