package wire

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/snapshot"
)

// An Encoder encodes one snapshot after another. What is as it was in the last
// one is not encoded again: files while both share their columns, and what
// hosts hold while that is the same. It gives the same sections as [Encode].
// The zero value is ready. It is for one goroutine.
type Encoder struct {
	last memo
}

// A memo is what an encoder remembers of a snapshot.
type memo struct {
	directories []snapshot.Directory
	files       snapshot.Files // their holes do not matter
	hosts       map[string]held
	sections    map[sectionName]Section
}

// held is what a host held, in positions of directories and files.
type held struct {
	has   snapshot.Bitmap
	holes []hole
}

type sectionName struct {
	kind Kind
	name string
}

// Encode is like the function [Encode], and does not give put the sections of the
// last snapshot that it has not encoded again. It does that only for those of
// which have says that the caller has them still; put is called after all of
// have, and never twice at a time.
func (c *Encoder) Encode(s *snapshot.Snapshot, have func(Hash) bool, put func(Hash, []byte) error) (*Manifest, error) {
	e, err := newEncoder(s)
	if err != nil {
		return nil, fmt.Errorf("encoding snapshot %d: %w", s.Version, err)
	}
	m := &Manifest{Version: s.Version, Created: s.Created.UTC().Truncate(time.Millisecond)}
	z, err := newPacker()
	if err != nil {
		return nil, err
	}
	defer z.Close() //nolint:errcheck // nothing is written by it
	parts := e.parts()
	m.Sections = make([]Section, len(parts))
	var mu sync.Mutex
	given := map[Hash]bool{}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	now := e.held()
	same := c.last.same(e, now)
	var fresh []int
	for i, p := range parts { // before the first put: have and put need not know of one another
		if old, ok := c.last.sections[sectionName{p.kind, p.name}]; ok && same(&p) && have(old.Hash) {
			m.Sections[i] = old
		} else {
			fresh = append(fresh, i)
		}
	}
	for _, i := range fresh {
		group.Go(func() error {
			p := parts[i]
			section, data, bad := p.encode(z)
			if bad != nil {
				return fmt.Errorf("encoding section %s: %w", &section, bad)
			}
			m.Sections[i] = section
			mu.Lock()
			defer mu.Unlock()
			if given[section.Hash] {
				return nil
			}
			given[section.Hash] = true
			return put(section.Hash, data)
		})
	}
	if err = group.Wait(); err != nil {
		return nil, err
	}
	c.last = e.memo(m, now)
	return m, nil
}

// held returns what hosts hold, by name.
func (e *encoder) held() map[string]held {
	hosts := make(map[string]held, len(e.snap.Hosts))
	for i := range e.snap.Hosts {
		hosts[e.snap.Hosts[i].Name] = held{e.snap.Hosts[i].Has, e.holes[uint32(i)]}
	}
	return hosts
}

// memo returns what is remembered of the snapshot and its sections.
func (e *encoder) memo(m *Manifest, hosts map[string]held) memo {
	out := memo{
		directories: e.snap.Directories, files: e.snap.Files.WithHoles(nil),
		hosts: hosts, sections: make(map[sectionName]Section, len(m.Sections)),
	}
	out.files = out.files.WithOlder(nil)
	for _, s := range m.Sections {
		out.sections[sectionName{s.Kind, s.Name}] = s
	}
	return out
}

// same returns what reports whether a part of a snapshot is as it was. hosts are
// what they hold now.
func (m *memo) same(e *encoder, hosts map[string]held) func(*part) bool {
	a, b := m.directories, e.snap.Directories
	if len(a) != len(b) || len(a) == 0 || &a[0] != &b[0] || !e.snap.Files.Shares(&m.files) {
		return func(*part) bool { return false } // positions are others
	}
	return func(p *part) bool {
		switch p.kind {
		case Files:
			return true
		case Availability:
			old, known := m.hosts[p.name]
			return known && old.equal(hosts[p.name])
		}
		return false // the others are small
	}
}

func (h held) equal(other held) bool {
	return slices.Equal(h.has, other.has) && slices.EqualFunc(h.holes, other.holes, func(x, y hole) bool {
		return x.dir == y.dir && x.file == y.file && bytes.Equal(x.older, y.older)
	})
}
