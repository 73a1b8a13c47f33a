package catalog

import (
	"bufio"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waypost/waypost/edge/snapshot"
)

// Encode writes a snapshot as a catalogue file that [Decode] reads, and returns
// a note, a line each, of everything that the file cannot say: what is under
// embargo at now, names and URLs that a catalogue refuses, and where a host
// lacks a directory but holds others below it: there it then lacks those, too,
// unless all files of the directory are known. A catalogue never promises more
// than the snapshot does. The numbers of hosts and directories are left out
// without a note.
//
// The error is the writer's, or that there is no category or no host to write.
func Encode(w io.Writer, s *snapshot.Snapshot, now time.Time) (notes []string, err error) {
	e := &encoder{w: bufio.NewWriter(w), snap: s, now: now, holes: map[uint32][]string{}}
	e.placeCategories()
	e.placeHosts()
	if len(e.tops) == 0 || len(e.hosts) == 0 {
		return e.notes, errors.New("encoding a catalogue: want at least one category and one host that a catalogue can name")
	}
	e.survey()
	lacks := make([][]string, len(s.Hosts))
	for _, h := range e.hosts {
		lacks[h] = e.lacks(h)
	}
	e.categories()
	e.writeHosts(lacks)
	e.files()
	e.complete()
	e.repositories()
	e.overrides()
	if err := e.w.Flush(); err != nil {
		return e.notes, fmt.Errorf("writing a catalogue: %w", err)
	}
	return e.notes, nil
}

// An encoder writes one catalogue.
type encoder struct {
	w     *bufio.Writer // keeps its first error
	snap  *snapshot.Snapshot
	now   time.Time
	notes []string

	tops  map[string]uint32 // category by its path
	hosts []uint32          // those that are written
	above []int             // by directory: its parent, -1 if that is not listed
	in    []int             // by directory: its category in the file, -1 for none
	whole []bool            // by directory: it and all below it are complete
	holes map[uint32][]string
}

func (e *encoder) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

func (e *encoder) line(format string, args ...any) { fmt.Fprintf(e.w, format+"\n", args...) }

// good reports whether a catalogue takes s as a T.
func good[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](s string) bool {
	var v T
	return utf8.ValidString(s) && P(&v).UnmarshalText([]byte(s)) == nil
}

// quote returns s as a YAML scalar: plain where nobody could read it as
// something else, as N or 1e3.
func quote(s string) string {
	plain := len(s) > 2 && 'a' <= s[0] && s[0] <= 'z' && strings.ContainsAny(s, "-/.") &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-/._") == ""
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// list returns texts as a YAML list in one line.
func list[T any](in []T, text func(T) string) string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = text(v)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// embargoed reports whether a path may not be known yet.
func (e *encoder) embargoed(path string) bool {
	return slices.ContainsFunc(e.snap.Embargoes, func(m snapshot.Embargo) bool {
		return m.LiftAt.After(e.now) && under(path, m.Path)
	})
}

// under reports whether path is top or below it.
func under(path, top string) bool {
	below, ok := strings.CutPrefix(path, top)
	return top == "" || ok && (below == "" || below[0] == '/')
}

// survey notes what a catalogue has no words for.
func (e *encoder) survey() {
	for _, m := range e.snap.Embargoes {
		if m.LiftAt.After(e.now) {
			e.note("%q is under embargo: left out", m.Path)
		}
	}
	if n := len(e.snap.Files.AllOlder()); n > 0 {
		e.note("%d files of which hosts hold an older version: they lack the file here", n)
	}
	for dir, d := range e.snap.Directories {
		if c := e.snap.Categories[d.Category]; d.Path == c.Path && c.Enumerated && !e.whole[dir] {
			e.note("category %s: directories that are not named are taken to be there like those above them", c.Name)
		}
	}
}

func (e *encoder) categories() {
	e.line("categories:")
	for i, c := range e.snap.Categories {
		if at, ok := e.tops[c.Path]; !ok || int(at) != i {
			continue
		}
		text := "name: " + quote(c.Name) + ", path: " + quote(c.Path)
		if c.Origin != "" && good[URL](c.Origin) && strings.HasPrefix(c.Origin, "http") {
			text += ", origin: " + quote(c.Origin)
		} else if c.Origin != "" {
			e.note("category %s: origin %q: left out", c.Name, c.Origin)
		}
		e.line("  - {%s, policy: %s}", text, policyText(c.Policy))
	}
}

func policyText(p snapshot.Policy) string {
	text := fmt.Sprintf("{order: %s, minimum: %d", p.Order, max(p.Minimum, 1))
	if p.Sticky {
		text += ", sticky: true"
	}
	if p.SameScheme {
		text += ", scheme: same"
	}
	var bands []snapshot.Band
	for b := range snapshot.Bands {
		if p.Bands.Has(b) {
			bands = append(bands, b)
		}
	}
	if p.Bands != snapshot.AllBands && len(bands) > 0 {
		text += ", bands: " + list(bands, snapshot.Band.String)
	}
	return text + "}"
}

// files writes what is known of files.
func (e *encoder) files() {
	begun := false
	for dir, d := range e.snap.Directories {
		if e.in[dir] < 0 {
			continue
		}
		for file, to := e.snap.Files.In(uint32(dir)); file < to; file++ {
			path := strings.TrimPrefix(d.Path+"/"+string(e.snap.Files.Name(file)), "/")
			if e.skip(path) {
				e.note("file %q: not the path of a file: left out", path)
				continue
			}
			if !begun {
				e.line("files:")
				begun = true
			}
			e.file(uint32(dir), file, path)
		}
	}
}

// skip reports whether a catalogue could not name the path as that of a file.
func (e *encoder) skip(path string) bool {
	_, isTop := e.tops[path]
	_, isDirectory := slices.BinarySearchFunc(e.snap.Directories, path,
		func(d snapshot.Directory, path string) int { return strings.Compare(d.Path, path) })
	return isTop || isDirectory || path == "" || strings.HasSuffix(path, "/") || strings.HasPrefix(path, "/") || !good[Path](path)
}

func (e *encoder) file(dir, file uint32, path string) {
	v, to := e.snap.Files.Versions(file)
	text := "path: " + quote(path)
	if v < to {
		if current := e.version(v); current != "" {
			text += ", " + current
		}
		v++
	}
	var alternates []string
	for ; v < to; v++ {
		if older := e.version(v); older != "" {
			alternates = append(alternates, older)
		}
	}
	if len(alternates) > 0 {
		text += ", alternates: " + list(alternates, func(s string) string { return "{" + s + "}" })
	}
	lacks := e.holes[file]
	for _, h := range e.snap.Files.Lacks(file) {
		if slices.Contains(e.hosts, h) && e.carries(h, dir) && !slices.Contains(lacks, e.snap.Hosts[h].Name) {
			lacks = append(lacks, e.snap.Hosts[h].Name)
		}
	}
	if len(lacks) > 0 {
		text += ", lacks: " + list(lacks, quote)
	}
	e.line("  - {%s}", text)
}

// version returns what is known of a version, "" if nothing is.
func (e *encoder) version(v uint32) string {
	var parts []string
	if size := e.snap.Files.Size(v); size >= 0 {
		parts = append(parts, "size: "+strconv.FormatInt(size, 10))
	}
	if at := time.Unix(e.snap.Files.MTime(v), 0).UTC(); at.Unix() != 0 && at.Year() >= 0 && at.Year() <= 9999 {
		parts = append(parts, "mtime: "+at.Format(time.RFC3339))
	}
	for k := range snapshot.HashKinds {
		if sum := e.snap.Files.Hash(v, k); sum != nil {
			parts = append(parts, fmt.Sprintf(`%s: "%x"`, k, sum))
		}
	}
	return strings.Join(parts, ", ")
}

// complete writes the directories at and below which all is known.
func (e *encoder) complete() {
	begun := false
	for dir, whole := range e.whole {
		if !whole {
			continue
		}
		if !begun {
			e.line("complete:")
			begun = true
		}
		e.line("  - %s", quote(e.snap.Directories[dir].Path))
	}
}

func (e *encoder) repositories() {
	taken := map[string]bool{}
	for _, r := range e.snap.Repositories {
		_, inside := e.category(r.Path)
		key := r.Name + "+" + r.Arch
		if !good[Name](r.Name) || !good[Name](r.Arch) || !good[Path](r.Path) || !inside || e.embargoed(r.Path) || taken[key] {
			e.note("repository %q, path %q: left out", key, r.Path)
			continue
		}
		if len(taken) == 0 {
			e.line("repositories:")
		}
		taken[key] = true
		e.line("  - {name: %s, arch: %s, path: %s}", quote(r.Name), quote(r.Arch), quote(r.Path))
	}
}

// overrides writes the small tables.
func (e *encoder) overrides() {
	redirects := map[string]string{}
	for from, to := range e.snap.RepositoryRedirects {
		if from == to || !good[Name](from) || !good[Name](to) {
			e.note("redirect of repository %q to %q: left out", from, to)
			continue
		}
		redirects[quote(from)] = quote(to)
	}
	e.table("repository_redirects", redirects)
	var disabled []string
	for _, name := range slices.Sorted(maps.Keys(e.snap.Disabled)) {
		if e.snap.Disabled[name] && good[Name](name) {
			disabled = append(disabled, name)
		}
	}
	if len(disabled) > 0 {
		e.line("disabled_repositories: %s", list(disabled, quote))
	}
	seen := map[string]bool{}
	for _, o := range e.snap.CountryOverrides {
		if seen[o.Prefix.String()] || !good[Prefix](o.Prefix.String()) || !o.Country.Known() {
			e.note("country %s of netblock %s: left out", o.Country, o.Prefix)
			continue
		}
		if len(seen) == 0 {
			e.line("netblock_countries:")
		}
		seen[o.Prefix.String()] = true
		e.line("  - {prefix: %s, country: %s}", quote(o.Prefix.String()), quote(o.Country.String()))
	}
	continents := map[string]string{}
	for c, k := range e.snap.ContinentOverrides {
		continents[quote(c.String())] = quote(cmp.Or(k.String(), "--"))
	}
	e.table("continents", continents)
}

func (e *encoder) table(key string, table map[string]string) {
	if len(table) > 0 {
		e.line("%s:", key)
	}
	for _, k := range slices.Sorted(maps.Keys(table)) {
		e.line("  %s: %s", k, table[k])
	}
}
