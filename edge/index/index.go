// Package index is a snapshot compiled for the request path: who a client is,
// what a path names, and which hosts have what, all as look-ups in immutable
// columns.
//
//	snapshot ─┐
//	countries ┤
//	places    ├─► Compile ─► Index ── Place(client) ─► class, prefix
//	ASNs      ┘                   ├── Find(path) ────► directory, file
//	                              └── sets of hosts ─► edge/match
//
// An Index is made off the request path and swapped whole. Everything in it
// may be read by any number of goroutines; nothing returned by it may be
// changed. Place and Find allocate nothing.
//
// Hosts, categories and directories have the numbers they have in the
// snapshot. Sets of hosts are [hostset.Set].
package index

import (
	"time"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// Inputs is what an index is compiled from. Nothing in it may change afterwards.
type Inputs struct {
	Snapshot   *snapshot.Snapshot
	Continents *geo.Continents // nil: no country has a continent

	Countries *netblock.Table // prefix → [geo.Country.Uint32]; nil: none is known
	Places    *netblock.Map   // address → [geo.Cell], in layer 0; nil: none is known
	ASNs      *netblock.Table // prefix → origin AS; nil: none is known

	Now time.Time // what is under embargo at this time is hidden; zero: all that ever was
}

// An Index is one compiled snapshot.
type Index struct {
	in      Inputs
	clients clients
	paths   paths
	content content
	hosts   hosts
	repos   repositories
}

// Compile builds the index of in. It takes the snapshot as it is: sources
// have refused what is wrong. It costs about 0.2 seconds at 450 hosts × 60,000
// directories and 730,000 prefixes.
func Compile(in Inputs) *Index {
	if in.Continents == nil {
		in.Continents = &geo.Continents{}
	}
	in.Continents = in.Continents.With(in.Snapshot.ContinentOverrides)
	ix := &Index{in: in}
	ix.hosts = compileHosts(in)
	ix.clients = compileClients(in)
	ix.paths = compilePaths(in.Snapshot, in.Now)
	ix.content = compileContent(in.Snapshot, &ix.paths)
	ix.repos = compileRepositories(in.Snapshot, &ix.paths)
	return ix
}

// WithASNs returns an index that places clients by the table t, which differs
// from the present one by changes; nil: they are not known. It shares all else with ix, and costs a
// small part of a compilation.
func (ix *Index) WithASNs(t *netblock.Table, changes []netblock.Change) *Index {
	next := *ix
	next.in.ASNs = t
	next.clients.byAddr = ix.clients.byAddr.With(layerASN, t, changes)
	return &next
}

// Version returns the snapshot's version.
func (ix *Index) Version() uint64 { return ix.in.Snapshot.Version }

// Created returns when the snapshot's source wrote it.
func (ix *Index) Created() time.Time { return ix.in.Snapshot.Created }

// Hosts returns the number of hosts.
func (ix *Index) Hosts() int { return len(ix.hosts.column) }

// Directories returns the number of directories.
func (ix *Index) Directories() int { return len(ix.in.Snapshot.Directories) }

// Files returns what is known of single files.
func (ix *Index) Files() *snapshot.Files { return &ix.in.Snapshot.Files }

// Categories returns the categories.
func (ix *Index) Categories() []snapshot.Category { return ix.in.Snapshot.Categories }

// Category returns category c.
func (ix *Index) Category(c uint32) *snapshot.Category { return &ix.in.Snapshot.Categories[c] }

// Inputs returns what the index was compiled from, for explain, which shows
// the raw rows.
func (ix *Index) Inputs() Inputs { return ix.in }

// Map returns the compiled map of client addresses, for its statistics.
func (ix *Index) Map() *netblock.Map { return ix.clients.byAddr }

// interner numbers equal sets equally.
type interner struct {
	ids  map[string]uint32
	flat []uint64
}

// add returns the number of the set s.
func (in *interner) add(s hostset.Set) uint32 {
	key := make([]byte, 0, len(s)*8)
	for _, w := range s {
		for range 8 {
			key = append(key, byte(w))
			w >>= 8
		}
	}
	id, ok := in.ids[string(key)]
	if !ok {
		id = uint32(len(in.ids))
		in.ids[string(key)] = id
		in.flat = append(in.flat, s...)
	}
	return id
}
