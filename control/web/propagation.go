package web

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Propagated says how far the newest version of one metadata file has got:
// how many mirrors have which version, by how much older than the newest it is.
type Propagated struct {
	Category string    `json:"category"`
	Path     string    `json:"path"`   // whole
	Newest   time.Time `json:"newest"` // when the newest version was made
	SameDay  int       `json:"same_day"`
	OneDay   int       `json:"one_day"`
	TwoDays  int       `json:"two_days"`
	Older    int       `json:"older"`   // or a version that nobody knows
	Unknown  int       `json:"unknown"` // it could not be told
}

// Propagation is the answer to GET /v1/propagation, by path.
type Propagation struct {
	Files []Propagated `json:"files"`
}

// propagation answers with the ages of metadata on mirrors.
func (s *server) propagation(c *call) error {
	out := Propagation{Files: []Propagated{}}
	history, err := s.Store.History(c.Context())
	if err != nil {
		return err
	}
	standing, err := s.Store.Standings(c.Context())
	if err != nil {
		return err
	}
	for _, category := range registry.All[*registry.Category](c.world) {
		if only := c.parameter("category"); only != "" && only != category.Name || !c.caller.sees(c.world, category) {
			continue
		}
		p := propagating{category: category, history: history, mirrors: crawledMirrors(c.world, category.Name, standing)}
		if err = p.read(c, s.Store); err != nil {
			return err
		}
		out.Files = append(out.Files, slices.DeleteFunc(p.files(), func(f Propagated) bool { return c.caller.secret(c.world, f.Path) })...)
	}
	return c.json(http.StatusOK, out)
}

// crawledMirrors returns the hosts whose metadata counts: those that are
// published and crawled, and in lists.
func crawledMirrors(w *registry.World, category string, standing map[store.Place]store.Standing) map[string]bool {
	mirrors := map[string]bool{}
	for _, h := range registry.All[*registry.Host](w) {
		site, ok := registry.Find[*registry.Site](w, h.Site)
		carry := carried(h, category)
		if !ok || carry == nil || carry.AlwaysUpToDate || h.Private || site.Private || !h.On() || !site.On() ||
			!h.State.Published() || !site.State.Published() {
			continue
		}
		mirrors[h.Key()] = standing[store.Place{Host: h.Key(), Category: category}].Out.IsZero()
	}
	return mirrors
}

// A propagating counts the versions of a category's metadata.
type propagating struct {
	category *registry.Category
	history  map[string][]store.FileVersion // by whole path, the newest first
	mirrors  map[string]bool                // those of which nothing counts are false
	seen     map[string][]crawl.Sighting    // by path
	which    map[string]map[string]int      // by path and SHA-256: the position in history
}

// read reads what crawls saw.
func (p *propagating) read(c *call, s *store.Store) error {
	p.seen, p.which = map[string][]crawl.Sighting{}, map[string]map[string]int{}
	return s.Sightings(c.Context(), p.category.Name, func(host, _, text string) error {
		if !p.mirrors[host] {
			return nil
		}
		var sums map[string]string
		if err := json.Unmarshal([]byte(text), &sums); err != nil {
			return fmt.Errorf("reading what was seen on %s: %w", host, err)
		}
		for file, sum := range sums {
			sighting := crawl.Sighting{Host: host, Older: -1}
			if which, known := p.versions(file)[sum]; known {
				sighting.Current, sighting.Older = which == 0, which-1
			}
			p.seen[file] = append(p.seen[file], sighting)
		}
		return nil
	})
}

// versions returns the positions of a file's versions by their SHA-256.
func (p *propagating) versions(file string) map[string]int {
	at, ok := p.which[file]
	if !ok {
		at = map[string]int{}
		for i, v := range p.history[path.Join(p.category.Path, file)] {
			at[hex.EncodeToString(v.Hashes[snapshot.SHA256])] = i
		}
		p.which[file] = at
	}
	return at
}

// files counts.
func (p *propagating) files() (files []Propagated) {
	for _, file := range slices.Sorted(maps.Keys(p.seen)) {
		whole := path.Join(p.category.Path, file)
		var versions []snapshot.Version
		for _, v := range p.history[whole] {
			versions = append(versions, v.Version())
		}
		if versions == nil {
			continue // the master has it no more
		}
		n := crawl.Ages(versions, registry.FileRef{}, p.seen[file], len(p.mirrors))
		files = append(files, Propagated{
			Category: p.category.Name, Path: whole, Newest: time.Unix(versions[0].MTime, 0).UTC(),
			SameDay: n.SameDay, OneDay: n.OneDay, TwoDays: n.TwoDays, Older: n.Older, Unknown: n.Unknown,
		})
	}
	return files
}
