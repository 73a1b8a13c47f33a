// Package statistics counts what an edge answers: by category, the country of
// the client, the repository and architecture, the host that was named first,
// and the kind of the answer. No address of a client is kept, nor anything
// else about one client.
//
//	answers ──► Counter, one for each snapshot ──► Collector.Drain ──► outbox ──► control plane
//	             cells that are only added to        each minute
//
// A [Counter] belongs to one snapshot, whose numbers it counts by; it comes with
// the view that an answer was made from, so that an answer which outlives its
// snapshot is still counted under the right names. [Counter.Add] takes no lock,
// reads no clock and allocates nothing: it is five atomic additions, 30 ns. Two
// processors that count in the same cells count as many a second as one alone,
// 30 million; a request takes a hundred times as long, so cells have no shards.
//
// The request path knows no minutes. [Collector.Drain] takes what is in the
// cells, each count exactly once, whether or not answers are being counted at
// the time; what comes later is of the next minute.
package statistics

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A Kind is what was answered.
type Kind uint8

// The kinds of answers.
const (
	Redirect    Kind = iota // to a host
	Origin                  // a redirect to the origin
	NotModified             // a 304 in place of a redirect
	Mirrorlist              // MirrorManager's list
	Metalink3
	Metalink4
	Page     // a page for people
	Hash     // a file's hash
	DNS      // records of a tailored name
	Unserved // nobody could serve the client
	Kinds    // how many there are
)

// String returns the kind's name in counts: redirect, origin, not_modified,
// mirrorlist, metalink3, metalink4, page, hash, dns or unserved.
func (k Kind) String() string {
	return [Kinds]string{
		"redirect", "origin", "not_modified", "mirrorlist", "metalink3", "metalink4", "page", "hash", "dns", "unserved",
	}[k]
}

// An Event is an answer. Numbers are those of the snapshot that it was made
// from.
type Event struct {
	Kind      Kind
	Country   geo.Country // the client's, or that of its resolver; zero: unknown
	Category  uint32
	Directory uint32 // the listed directory that holds what was asked for

	// Repository is the number of the repository that was asked for by name,
	// plus 1. 0: that at or above Directory counts, if there is one.
	Repository uint32

	Host uint32 // the number of the host that was named first, plus 1; 0: none
}

// A Counter counts the answers made from one snapshot. Make it by
// [Collector.Counter]; nil counts nothing. It is safe for any number of
// goroutines.
type Counter struct {
	*cells

	repositoryOf []uint32 // by directory: the repository at or above it, plus 1
}

// cells are what is counted, and its names. A row for each category is
//
//	countries | kinds | hosts | architectures
//
// and after all rows comes a cell for each repository.
type cells struct {
	n            []atomic.Uint64
	stride       int // of a row
	hosts        int // where the hosts of a row begin
	archs        int // where its architectures begin
	repositories int // where the repositories begin, in n

	archOf     []uint32 // by repository: its architecture
	categoryOf []uint32 // by repository: its category

	category, host, arch, repository []string

	over atomic.Bool // nobody has the Counter any more: what is here is all
}

// Countries are two letters or digits each; the last cell is for unknown ones.
const (
	symbols   = 36
	countries = symbols*symbols + 1
)

// newCounter returns a counter for what s has. It keeps nothing of s. It costs
// 75 ns for each directory.
func newCounter(s *snapshot.Snapshot) *Counter {
	t := &cells{}
	for i := range s.Categories {
		t.category = append(t.category, strings.Clone(s.Categories[i].Name))
	}
	for i := range s.Hosts {
		t.host = append(t.host, strings.Clone(s.Hosts[i].Name))
	}
	c := &Counter{cells: t, repositoryOf: t.addRepositories(s)}
	t.hosts = countries + int(Kinds)
	t.archs = t.hosts + len(t.host)
	t.stride = t.archs + len(t.arch)
	t.repositories = t.stride * len(t.category)
	t.n = make([]atomic.Uint64, t.repositories+len(t.repository))
	return c
}

// addRepositories takes the repositories' names, and returns by directory which
// is at or above it. Of several in one directory it is the first.
func (t *cells) addRepositories(s *snapshot.Snapshot) (of []uint32) {
	if len(s.Repositories) == 0 {
		return nil
	}
	archs, at := map[string]uint32{}, map[string]uint32{}
	for i := range s.Repositories {
		r := &s.Repositories[i]
		if _, ok := archs[r.Arch]; !ok {
			archs[r.Arch] = uint32(len(t.arch))
			t.arch = append(t.arch, strings.Clone(r.Arch))
		}
		t.repository = append(t.repository, strings.Clone(r.Name))
		t.archOf = append(t.archOf, archs[r.Arch])
		if _, ok := at[r.Path]; !ok {
			at[r.Path] = uint32(i) + 1
		}
	}
	of = make([]uint32, len(s.Directories))
	for d := range s.Directories {
		of[d] = nearest(at, s.Directories[d].Path)
	}
	for i := range s.Repositories {
		t.categoryOf = append(t.categoryOf, categoryOf(s, s.Repositories[i].Path))
	}
	return of
}

// nearest returns what is known of a path or of the next one above it; 0: nothing.
func nearest(at map[string]uint32, path string) uint32 {
	for {
		if v, ok := at[path]; ok || path == "" {
			return v
		}
		path = above(path)
	}
}

// above returns the directory above a path; that of the root is the root.
func above(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// categoryOf returns the category of the listed directory at or above a path;
// 0 where there is none, and so nobody can ask for it.
func categoryOf(s *snapshot.Snapshot, path string) uint32 {
	for {
		d, ok := slices.BinarySearchFunc(s.Directories, path, func(d snapshot.Directory, path string) int {
			return strings.Compare(d.Path, path)
		})
		switch {
		case ok:
			return s.Directories[d].Category
		case path == "":
			return 0
		}
		path = above(path)
	}
}

// Add counts an answer.
func (c *Counter) Add(e *Event) {
	if c == nil {
		return
	}
	row := c.n[int(e.Category)*c.stride:][:c.stride]
	row[countryCell(e.Country)].Add(1)
	row[countries+int(e.Kind)].Add(1)
	if e.Host != 0 {
		row[c.hosts+int(e.Host-1)].Add(1)
	}
	repository := e.Repository
	if repository == 0 && c.repositoryOf != nil {
		repository = c.repositoryOf[e.Directory]
	}
	if repository != 0 {
		c.n[c.repositories+int(repository-1)].Add(1)
		row[c.archs+int(c.archOf[repository-1])].Add(1)
	}
}

// countryCell returns the cell of a country in a row.
func countryCell(c geo.Country) int {
	a, b := symbol(c[0]), symbol(c[1])
	if a < 0 || b < 0 {
		return countries - 1
	}
	return a*symbols + b
}

// symbol returns the number of a letter or digit, -1 for what is neither.
func symbol(b byte) int {
	switch {
	case 'A' <= b && b <= 'Z':
		return int(b - 'A')
	case '0' <= b && b <= '9':
		return 26 + int(b-'0')
	}
	return -1
}

// countryName is the opposite of countryCell; "" is unknown.
func countryName(cell int) string {
	if cell == countries-1 {
		return ""
	}
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return string([]byte{all[cell/symbols], all[cell%symbols]})
}
