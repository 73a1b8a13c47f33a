// Package publish makes snapshots for edges out of what the control plane
// knows:
//
//	objects (who mirrors what) ─┐
//	trees (what masters hold)   ├─► Build ─► snapshot.Snapshot ─► edge/snapshot/wire
//	listings (what hosts hold) ─┘
//
// [Build] is a pure function of its inputs, which it does not change. What is
// not certain is left out: a host that nobody saw holds nothing, a directory
// that the world may not read and no release announces is not there.
package publish

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// Inputs is what a snapshot is built from.
type Inputs struct {
	World    *registry.World
	Trees    []*registry.Tree    // one of each category that was scanned
	Listings []*registry.Listing // one of each host and category that was seen

	// Files returns the files of Trees[tree].Directories[dir], where the
	// directories do not have them themselves. It is asked for the directories
	// of each tree in their order; the files are good until it is asked again.
	// Nil: directories have their files.
	Files func(tree, dir int) []registry.File

	// Content is what [NewContent] made of the same categories, releases, trees
	// and older versions, which then need not be here. Nil: Build makes it.
	Content *Content

	// Number returns the number of a directory by its whole path. Every
	// directory of Trees has one.
	Number func(path string) (uint32, bool)

	// Older returns versions of a file that mirrors may still hold, the newest
	// first, by its whole path; the current one may be among them. Nil: there
	// are none.
	Older func(path string) []snapshot.Version

	// Resolve returns the addresses of a DNS name that a host gave as its
	// netblock. Nil, or an error: such netblocks are left out, and noted.
	Resolve func(name string) ([]netip.Addr, error)

	Now time.Time
}

// Build returns the snapshot of in, without a version, and notes of what it
// left out, a line each. It costs about a microsecond a file where there is no
// Content yet, and half a second for 1,000 hosts of 200,000 directories.
func Build(in Inputs) (*snapshot.Snapshot, []string) {
	if in.Content == nil {
		in.Content = NewContent(in)
	}
	b := &builder{in: in, snap: &snapshot.Snapshot{Created: in.Now}, content: in.Content, notes: slices.Clone(in.Content.notes)}
	b.addCategories()
	b.snap.Directories = b.content.directories
	b.addHosts()
	b.addHoles()
	b.addRepositories()
	b.addOverrides()
	b.addEmbargoes()
	return b.snap, b.notes
}

// A builder builds one snapshot.
type builder struct {
	in    Inputs
	snap  *snapshot.Snapshot
	notes []string

	content    *Content
	categories []*registry.Category
	listed     [][]*registry.Listing // by position of the host: what it was seen to hold
}

func (b *builder) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// tree returns the position of a category's tree, -1 if it was not scanned.
func (in *Inputs) tree(category string) int {
	return slices.IndexFunc(in.Trees, func(t *registry.Tree) bool { return t.Category == category })
}

func (b *builder) addCategories() {
	b.categories = registry.All[*registry.Category](b.in.World)
	for i, c := range b.categories {
		b.snap.Categories = append(b.snap.Categories, snapshot.Category{
			Name: c.Name, Path: c.Path, Origin: c.Origin, Policy: policy(c.Policy),
			Enumerated: b.content.enumerated[i],
		})
	}
}

// policy returns a policy as snapshots have it; the registry has checked it.
func policy(p registry.Policy) snapshot.Policy {
	out := snapshot.Policy{
		Minimum: snapshot.DefaultMinimum, Sticky: p.Sticky, SameScheme: p.Scheme == "same", Bands: snapshot.AllBands,
	}
	if p.Minimum > 0 {
		out.Minimum = p.Minimum
	}
	if p.Order == snapshot.Nearest.String() {
		out.Order = snapshot.Nearest
	}
	if len(p.Bands) > 0 {
		out.Bands = 0
	}
	for band := range snapshot.Bands {
		if slices.Contains(p.Bands, band.String()) {
			out.Bands |= 1 << band
		}
	}
	return out
}

func (b *builder) addRepositories() {
	b.snap.RepositoryRedirects, b.snap.Disabled = map[string]string{}, map[string]bool{}
	for _, r := range registry.All[*registry.Repository](b.in.World) {
		if r.RedirectTo != "" {
			b.snap.RepositoryRedirects[r.Name] = r.RedirectTo
			continue
		}
		if r.Disabled {
			b.snap.Disabled[r.Name] = true
		}
		b.snap.Repositories = append(b.snap.Repositories, snapshot.Repository{Name: r.Name, Arch: r.Arch, Path: r.Path})
	}
}

func (b *builder) addOverrides() {
	b.snap.ContinentOverrides = map[geo.Country]geo.Continent{}
	for _, o := range registry.All[*registry.Override](b.in.World) {
		country, err := geo.ParseCountry(o.Country)
		if err != nil {
			b.note("override %s: %v", o.Name, err)
			continue
		}
		if p, err := netip.ParsePrefix(o.Netblock); err == nil {
			b.snap.CountryOverrides = append(b.snap.CountryOverrides, snapshot.CountryOverride{Prefix: p.Masked(), Country: country})
		}
		if k, err := geo.ParseContinent(o.Continent); err == nil && o.Continent != "" {
			b.snap.ContinentOverrides[country] = k
		}
	}
}

// addEmbargoes hides the paths of releases until their time. Each edge lifts
// them by its own clock.
func (b *builder) addEmbargoes() {
	for _, r := range registry.All[*registry.Release](b.in.World) {
		if !r.LiftAt.After(b.in.Now) {
			continue
		}
		for _, path := range r.Paths {
			b.snap.Embargoes = append(b.snap.Embargoes, snapshot.Embargo{Path: path, LiftAt: r.LiftAt})
		}
	}
}
