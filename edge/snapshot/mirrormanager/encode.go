package mirrormanager

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waypost/waypost/edge/snapshot"
)

// Encode writes a snapshot as a cache, for mirrorlist-servers that run already.
// [Decode] reads back what such a server can answer from. It is written message
// by message and never in memory as a whole.
//
// The cache cannot say everything. Hosts that are down and what is under embargo
// at now are left out, for its readers lift nothing; peer ASNs become a host's
// own; excluded countries become a list of all others; a bandwidth of 0 becomes
// 1, because the server drops requests on a 0. The Report says so and what else
// was left out. A host keeps its ID if no other host has it, else it gets one
// above all others.
//
// A snapshot without hosts or directories is an error: no server starts from
// such a cache. Other errors are the writer's.
func Encode(w io.Writer, s *snapshot.Snapshot, now time.Time) (Report, error) {
	if len(s.Hosts) == 0 || len(s.Directories) == 0 {
		return Report{}, errors.New("encoding a mirrorlist_cache: want at least one host and one directory in the snapshot")
	}
	e := &encoder{w: bufio.NewWriterSize(w, bufferSize), snap: s, now: now, country: map[int]string{}}
	e.survey()
	e.record = protowire.AppendTag(e.record[:0], 1, protowire.VarintType)
	e.record = protowire.AppendVarint(e.record, uint64(max(s.Created.Unix(), 0)))
	_, e.err = e.w.Write(e.record)
	e.tables()
	e.hostTables()
	for dir := range s.Directories {
		if e.embargoed(s.Directories[dir].Path) {
			e.report.odd("directory under embargo left out", fmt.Sprintf("%q", s.Directories[dir].Path))
			continue
		}
		e.report.Directories++
		e.directory(uint32(dir))
		e.details(uint32(dir))
	}
	if err := e.w.Flush(); err != nil || e.err != nil {
		return Report{}, fmt.Errorf("writing a mirrorlist_cache: %w", cmp.Or(e.err, err))
	}
	return e.report, nil
}

// An encoder writes one cache. The first error of its writer stops it.
type encoder struct {
	w      *bufio.Writer
	err    error
	snap   *snapshot.Snapshot
	now    time.Time
	report Report

	ids     []int64 // by host
	serves  []int   // the hosts that are written
	country map[int]string
	urls    map[string]int64 // URL ids of the host at hand
	lists   [][]list         // by host: its URL ids by category
	record  message          // scratch, like the following
	entry   message
	part    message
	grouped map[string][]int64
}

// A list is the URL ids of one category of a host.
type list struct {
	category uint32
	ids      []int64
}

// A message is a protobuf message that grows.
type message []byte

func (m *message) reset() *message { *m = (*m)[:0]; return m }

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) message(field protowire.Number, sub message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), sub)
}

// write writes sub as a field of MirrorList.
func (e *encoder) write(field protowire.Number, sub message) {
	if e.err != nil {
		return
	}
	e.record.reset().message(field, sub)
	_, e.err = e.w.Write(e.record)
}

// survey says what a cache cannot say, and numbers hosts.
func (e *encoder) survey() {
	for _, c := range e.snap.Categories {
		if !c.Enumerated {
			e.report.odd("category whose directories are not all known: only the known ones can be asked for", fmt.Sprintf("%q", c.Name))
		}
		if c.Origin != "" {
			e.report.odd("origin of a category left out", fmt.Sprintf("%q", c.Name))
		}
	}
	if n := len(e.snap.Files.Holes()); n > 0 {
		e.report.odds("file that some hosts lack: they are listed for its directory", n, fmt.Sprintf("%d files", n))
	}
	e.report.Categories = len(e.snap.Categories)
	e.number()
}

// number gives every host an ID of its own.
func (e *encoder) number() {
	taken, top := map[int64]int{}, int64(0)
	for _, h := range e.snap.Hosts {
		taken[h.ID]++
		top = max(top, h.ID)
	}
	e.ids = make([]int64, len(e.snap.Hosts))
	for i, h := range e.snap.Hosts {
		e.ids[i] = h.ID
		if taken[h.ID] > 1 {
			top++
			e.ids[i] = top
			e.report.odd("host got a new number: it had none of its own", fmt.Sprintf("%s: %d", h.Name, top))
		}
	}
}

// tables writes what is not about hosts.
func (e *encoder) tables() {
	for _, o := range e.snap.CountryOverrides {
		e.pair(2, o.Prefix.String(), o.Country.String())
	}
	for _, name := range slices.Sorted(maps.Keys(e.snap.Disabled)) {
		if e.snap.Disabled[name] {
			m := e.entry.reset()
			m.text(1, name)
			m.int(2, 1)
			e.write(6, *m)
		}
	}
	continents := map[string]string{}
	for country, continent := range e.snap.ContinentOverrides {
		continents[country.String()] = cmp.Or(continent.String(), "--") // none
	}
	e.pairs(7, continents)
	e.pairs(8, e.snap.RepositoryRedirects)
	for _, r := range e.snap.Repositories {
		if e.embargoed(r.Path) {
			e.report.odd("repository under embargo left out", fmt.Sprintf("%q", r.Name+"+"+r.Arch))
			continue
		}
		e.report.Repositories++
		e.pair(9, r.Name+"+"+r.Arch, r.Path)
	}
}

func (e *encoder) pairs(field protowire.Number, table map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		e.pair(field, key, table[key])
	}
}

func (e *encoder) pair(field protowire.Number, key, value string) {
	m := e.entry.reset()
	m.text(1, key)
	m.text(2, value)
	e.write(field, *m)
}

// embargoed reports whether the path may not be known yet.
func (e *encoder) embargoed(path string) bool {
	return slices.ContainsFunc(e.snap.Embargoes, func(m snapshot.Embargo) bool {
		below, ok := strings.CutPrefix(path, m.Path)
		return m.LiftAt.After(e.now) && (m.Path == "" || ok && (below == "" || below[0] == '/'))
	})
}
