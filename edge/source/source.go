// Package source reads what an edge is compiled from out of files, and notices
// when they change. What a control plane publishes is followed by a [Remote].
//
//	catalogue, mirrorlist_cache
//	or published snapshot         ─┐
//	country and city databases     ├─► Load ─► index.Inputs
//	prefix → AS table              ┘
//
// Each input is a part of its own: [Source.Load] reads anew only the parts
// whose files changed, and gives all inputs or an error that says all that is
// wrong with any of them. Nothing here is on the request path.
//
// Files are noticed by their size, time of change, inode and who may read them,
// which works on every file system and costs a few microseconds a second. A file counts as
// changed once it has stopped changing for one look, so that one which is
// written in place is seldom read half-written; if it is, it is refused and
// read again when it goes on changing.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// Config names the files.
type Config struct {
	Catalog    string   // a catalogue in YAML; or
	Cache      string   // MirrorManager's mirrorlist_cache; or
	Remote     *Remote  // what a control plane publishes
	Continents string   // country_continent.csv; "": the bundled table
	Countries  []string // MaxMind DB files with countries; none: the bundled one
	Cities     []string // MaxMind DB files with coordinates; none: centroids of countries
	ASNs       ASNFiles // none: no client has an AS
	Aliases    bool     // 6to4 and Teredo clients are where their IPv4 address is
}

// A Source reads files. It is for one goroutine.
type Source struct {
	remote     *Remote // nil: the snapshot is a file
	snapshot   part[*snapshot.Snapshot]
	continents part[*geo.Continents]
	countries  part[*netblock.Table]
	places     part[*netblock.Map]
	asns       part[*netblock.Table]

	version uint64
	last    index.Inputs // what the last good Load returned, as of the last lift
	lift    time.Time    // when the next embargo in it ends; zero: none does
	notes   []string
	seen    []stamp // what the last look saw
	loaded  []stamp // what the last load began with, whether it went well or not
}

// New returns the source of c. It reads nothing yet.
func New(c Config) *Source {
	s := &Source{remote: c.Remote}
	s.snapshot = part[*snapshot.Snapshot]{read: readCatalog}
	s.snapshot.paths = []string{c.Catalog}
	if c.Catalog == "" {
		s.snapshot = part[*snapshot.Snapshot]{paths: []string{c.Cache}, read: readCache}
	}
	if c.Remote != nil {
		s.snapshot.paths = nil
	}
	s.continents = part[*geo.Continents]{paths: named(c.Continents), read: readContinents}
	s.countries = part[*netblock.Table]{paths: c.Countries, read: countryReader(c.Aliases)}
	s.places = part[*netblock.Map]{paths: c.Cities, read: readPlaces}
	s.asns = part[*netblock.Table]{paths: c.ASNs.Paths(), read: c.ASNs.read}
	return s
}

func named(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

// Load returns the inputs, reading anew what changed since the last Load. On
// an error the parts that are good are kept for the next time. The version of
// a snapshot that comes from a file is always above that of the last Load; one
// that is published has its own.
func (s *Source) Load(now time.Time) (index.Inputs, error) {
	s.loaded = s.look()
	err := together(s.loadSnapshot, s.countries.load, s.asns.load, s.continents.load, s.places.load)
	s.notes = slices.Concat(s.snapshot.notes, s.countries.notes, s.asns.notes, s.continents.notes, s.places.notes)
	if err != nil {
		return index.Inputs{}, err
	}
	snap := *s.snapshot.value
	if s.remote == nil {
		s.version = max(s.version+1, uint64(max(now.UnixMilli(), 0)))
		snap.Version = s.version
	}
	s.last = index.Inputs{
		Snapshot: &snap, Continents: s.continents.value, Countries: s.countries.value,
		Places: s.places.value, ASNs: s.asns.value,
	}
	return s.lifted(now), nil
}

func (s *Source) loadSnapshot() error {
	if s.remote == nil {
		return s.snapshot.load()
	}
	select {
	case <-s.remote.Updated(): // of what is read here
	default:
	}
	if s.snapshot.value = s.remote.Latest(); s.snapshot.value == nil {
		return errNoSnapshot
	}
	return nil
}

// lifted returns the last inputs without the embargoes that ended by now.
func (s *Source) lifted(now time.Time) index.Inputs {
	s.last.Now = now
	s.lift, _ = s.last.Snapshot.NextLift(now)
	return s.last
}

// Wait returns once there is something to load: at once where the snapshot is
// a file, and with the first published one where it is not.
func (s *Source) Wait(ctx context.Context) error {
	for s.remote != nil && s.remote.Latest() == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.remote.Updated():
		}
	}
	return nil
}

// Notes returns what the last Load passed over, for the log.
func (s *Source) Notes() []string { return s.notes }

// Changed reports whether files differ from what the last Load began with, and
// have not changed since the last call of Changed.
func (s *Source) Changed() bool {
	now := s.look()
	settled := slices.Equal(now, s.seen)
	s.seen = now
	return settled && !slices.Equal(now, s.loaded)
}

// look returns the stamps of all files.
func (s *Source) look() []stamp {
	var all []stamp
	for _, paths := range [][]string{
		s.snapshot.paths, s.continents.paths, s.countries.paths, s.places.paths, s.asns.paths,
	} {
		all = append(all, stampAll(paths)...)
	}
	return all
}

// Watch calls reload whenever Changed says so at a tick, with each snapshot
// that is published, and at each signal on force, until ctx ends. It calls lift
// at the first tick after an embargo ended, with what the last Load returned
// but for that embargo: it is lifted though control plane and files be gone.
func (s *Source) Watch(ctx context.Context, tick <-chan time.Time, force <-chan os.Signal, reload func(), lift func(index.Inputs)) {
	var published <-chan struct{} // nil where nothing is
	if s.remote != nil {
		published = s.remote.Updated()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-force:
			reload()
		case <-published:
			reload()
		case now := <-tick:
			if s.Changed() {
				reload()
			}
			if !s.lift.IsZero() && !now.Before(s.lift) {
				lift(s.lifted(now))
			}
		}
	}
}

// A part is one input, kept until its files change.
type part[T any] struct {
	paths  []string
	read   func(paths []string) (T, []string, error)
	value  T
	notes  []string
	stamps []stamp
	good   bool
}

// load reads the part if it has to.
func (p *part[T]) load() error {
	now := stampAll(p.paths)
	if p.good && slices.Equal(now, p.stamps) {
		return nil
	}
	if err := readable(p.paths, now); err != nil {
		return err
	}
	value, notes, err := p.read(p.paths)
	if err != nil {
		return err
	}
	p.value, p.notes, p.stamps, p.good = value, notes, now, true
	return nil
}

// together runs all of loads at once and returns all their errors.
func together(loads ...func() error) error {
	errs := make([]error, len(loads))
	var wg sync.WaitGroup
	for i, load := range loads {
		wg.Go(func() { errs[i] = load() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A stamp tells one state of a file from another.
type stamp struct {
	size, mtime int64 // mtime in nanoseconds
	inode       uint64
	mode        fs.FileMode // this and the owners: who may read it
	uid, gid    uint32
	err         bool
}

func stampAll(paths []string) []stamp {
	stamps := make([]stamp, 0, len(paths))
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			stamps = append(stamps, stamp{err: true})
			continue
		}
		st := stamp{size: info.Size(), mtime: info.ModTime().UnixNano(), mode: info.Mode()}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			st.inode, st.uid, st.gid = sys.Ino, sys.Uid, sys.Gid
		}
		stamps = append(stamps, st)
	}
	return stamps
}

// readable finds what is no file among paths: to open a named pipe that nobody
// writes would be to wait for ever. Missing files are left to the readers.
func readable(paths []string, stamps []stamp) error {
	var errs []error
	for i, st := range stamps {
		if !st.err && !st.mode.IsRegular() {
			errs = append(errs, fmt.Errorf("reading %s: want a regular file, got %s", paths[i], kindOf(st.mode)))
		}
	}
	return errors.Join(errs...)
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	}
	return "one of mode " + mode.String()
}

// open opens a file for one of the readers, which says what it is in errors.
func open(what, path string) (*os.File, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return f, nil
}
