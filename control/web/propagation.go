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

// spreads keeps how far metadata has got, as all hosts have it. All that ask for
// it at the same time wait for one to find out.
type spreads struct {
	turn  chan struct{} // guards the rest
	files []Propagated
	until time.Time // by the monotonic clock
}

// seldom is how many times as long as it took to find out the answer is good:
// where there are many mirrors it takes a second, and anybody may ask.
const seldom = 20

// noTrouble is what it may take without being kept.
const noTrouble = 50 * time.Millisecond

// propagation answers with the ages of metadata on mirrors.
func (s *server) propagation(c *call) error {
	all, err := s.spread(c)
	if err != nil {
		return err
	}
	out := Propagation{Files: []Propagated{}}
	only := c.parameter("category")
	for _, f := range all {
		category, ok := registry.Find[*registry.Category](c.world, f.Category)
		if ok && (only == "" || only == f.Category) && c.caller.sees(c.world, category) && !c.caller.secret(c.world, f.Path) {
			out.Files = append(out.Files, f)
		}
	}
	return c.json(http.StatusOK, out)
}

// spread returns how far metadata has got.
func (s *server) spread(c *call) ([]Propagated, error) {
	x := &s.spreads
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-c.Context().Done():
		return nil, c.Context().Err()
	}
	began := time.Now()
	if began.Before(x.until) {
		return x.files, nil
	}
	files, err := s.findSpread(c)
	if took := time.Since(began); err == nil && took > noTrouble {
		x.files, x.until = files, time.Now().Add(seldom*took)
	}
	return files, err
}

// findSpread reads what crawls saw of all categories: 20,000 sightings of 250
// files take about a second.
func (s *server) findSpread(c *call) (files []Propagated, err error) {
	standing, err := s.Store.Standings(c.Context())
	if err != nil {
		return nil, err
	}
	for _, category := range registry.All[*registry.Category](c.world) {
		p := propagating{category: category, mirrors: crawledMirrors(c.world, category.Name, standing)}
		if p.history, err = s.Store.HistoryBelow(c.Context(), category.Path); err != nil {
			return nil, err
		}
		if err = p.read(c, s.Store); err != nil {
			return nil, err
		}
		files = append(files, p.files()...)
	}
	return files, nil
}

// crawledMirrors returns the hosts whose metadata counts: those that are public
// and crawled, and in lists.
func crawledMirrors(w *registry.World, category string, standing map[store.Place]store.Standing) map[string]bool {
	mirrors := map[string]bool{}
	for _, h := range registry.All[*registry.Host](w) {
		if carry := carried(h, category); carry != nil && !carry.AlwaysUpToDate && registry.Public(w, h) {
			mirrors[h.Key()] = standing[store.Place{Host: h.Key(), Category: category}].Out.IsZero()
		}
	}
	return mirrors
}

// A propagating counts the versions of a category's metadata.
type propagating struct {
	category *registry.Category
	history  map[string][]store.FileVersion // by whole path, the newest first
	mirrors  map[string]bool                // those of which nothing counts are false
	seen     map[string]map[int]int         // by path and position in history, -1 for a version that nobody knows: hosts
	which    map[string]map[string]int      // by path and SHA-256: the position in history
}

// read reads what crawls saw. Most hosts have the same, which is read once.
func (p *propagating) read(c *call, s *store.Store) error {
	p.seen, p.which = map[string]map[int]int{}, map[string]map[string]int{}
	hosts := map[string]int{} // by what was seen
	err := s.Sightings(c.Context(), p.category.Name, func(host, _, text string) error {
		if p.mirrors[host] {
			hosts[text]++
		}
		return nil
	})
	for text, n := range hosts {
		var sums map[string]string
		if err == nil {
			err = json.Unmarshal([]byte(text), &sums)
		}
		if err != nil {
			return fmt.Errorf("reading what was seen of %s: %w", p.category.Name, err)
		}
		for file, sum := range sums {
			p.add(file, sum, n)
		}
	}
	return err
}

// add adds hosts with a version of a file.
func (p *propagating) add(file, sum string, hosts int) {
	version, known := p.versions(file)[sum]
	if !known {
		version = -1
	}
	if p.seen[file] == nil {
		p.seen[file] = map[int]int{}
	}
	p.seen[file][version] += hosts
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
		var seen []crawl.Sighting
		for version, hosts := range p.seen[file] {
			seen = append(seen, crawl.Sighting{Current: version == 0, Older: max(-1, version-1), Hosts: hosts})
		}
		n := crawl.Ages(versions, registry.FileRef{}, seen, len(p.mirrors))
		files = append(files, Propagated{
			Category: p.category.Name, Path: whole, Newest: time.Unix(versions[0].MTime, 0).UTC(),
			SameDay: n.SameDay, OneDay: n.OneDay, TwoDays: n.TwoDays, Older: n.Older, Unknown: n.Unknown,
		})
	}
	return files
}
