package wire

import (
	"maps"
	"slices"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

func packCategories(p *packer, all []snapshot.Category) {
	p.uint(uint64(len(all)))
	for i := range all {
		c := &all[i]
		p.text(c.Name)
		p.text(c.Path)
		p.text(c.Origin)
		p.byte(byte(c.Policy.Order))
		p.uint(uint64(c.Policy.Minimum))
		p.byte(byte(c.Policy.Bands))
		p.flags(c.Policy.Sticky, c.Policy.SameScheme, c.Enumerated)
	}
}

func unpackCategories(u *unpacker) []snapshot.Category {
	return list(u, 7, "categories", func() (c snapshot.Category) {
		c.Name, c.Path = u.text("category"), u.path("top directory of the category")
		if c.Origin = u.text("origin"); c.Origin != "" {
			if err := checkURL(c.Origin); err != nil {
				u.fail("origin of category %s: %w", c.Name, err)
			}
		}
		c.Policy.Order = snapshot.Order(u.upTo(uint64(snapshot.Nearest), "order"))
		c.Policy.Minimum = int(u.upTo(maxHosts, "minimum"))
		c.Policy.Bands = snapshot.BandSet(u.byte())
		if c.Policy.Minimum == 0 || c.Policy.Bands == 0 || c.Policy.Bands&^snapshot.AllBands != 0 {
			u.fail("category %s: want a policy with a minimum and with bands that exist", c.Name)
		}
		on := u.flag(3)
		c.Policy.Sticky, c.Policy.SameScheme, c.Enumerated = on[0], on[1], on[2]
		return c
	})
}

func packRepositories(p *packer, s *snapshot.Snapshot) {
	p.uint(uint64(len(s.Repositories)))
	for _, r := range s.Repositories {
		p.text(r.Name)
		p.text(r.Arch)
		p.text(r.Path)
	}
	p.uint(uint64(len(s.RepositoryRedirects)))
	for _, from := range slices.Sorted(maps.Keys(s.RepositoryRedirects)) {
		p.text(from)
		p.text(s.RepositoryRedirects[from])
	}
	off := disabled(s)
	p.uint(uint64(len(off)))
	for _, name := range off {
		p.text(name)
	}
}

// disabled returns the names of disabled repositories, sorted.
func disabled(s *snapshot.Snapshot) (names []string) {
	for name, off := range s.Disabled {
		if off {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func unpackRepositories(u *unpacker, s *snapshot.Snapshot) {
	s.Repositories = list(u, 3, "repositories", func() snapshot.Repository {
		return snapshot.Repository{Name: u.text("repository"), Arch: u.text("architecture"), Path: u.path("path of the repository")}
	})
	s.RepositoryRedirects, s.Disabled = map[string]string{}, map[string]bool{}
	for _, r := range list(u, 2, "redirects", func() [2]string { return [2]string{u.text("redirect"), u.text("redirect")} }) {
		s.RepositoryRedirects[r[0]] = r[1]
	}
	for _, name := range list(u, 1, "disabled repositories", func() string { return u.text("disabled repository") }) {
		s.Disabled[name] = true
	}
}

func packOverrides(p *packer, s *snapshot.Snapshot) {
	p.uint(uint64(len(s.CountryOverrides)))
	for _, o := range s.CountryOverrides {
		p.prefix(o.Prefix)
		p.country(o.Country)
	}
	p.uint(uint64(len(s.ContinentOverrides)))
	byCode := func(a, b geo.Country) int { return int(a.Uint32()) - int(b.Uint32()) }
	for _, c := range slices.SortedFunc(maps.Keys(s.ContinentOverrides), byCode) {
		p.country(c)
		p.continent(s.ContinentOverrides[c])
	}
}

func unpackOverrides(u *unpacker, s *snapshot.Snapshot) {
	s.CountryOverrides = list(u, 8, "country overrides", func() snapshot.CountryOverride {
		return snapshot.CountryOverride{Prefix: u.prefix("override"), Country: u.country("override")}
	})
	s.ContinentOverrides = map[geo.Country]geo.Continent{}
	type row struct {
		country   geo.Country
		continent geo.Continent
	}
	for _, r := range list(u, 4, "continent overrides", func() row {
		return row{u.country("override"), u.continent("override")}
	}) {
		s.ContinentOverrides[r.country] = r.continent
	}
}

func packEmbargoes(p *packer, all []snapshot.Embargo) {
	p.uint(uint64(len(all)))
	for _, e := range all {
		p.text(e.Path)
		p.time(e.LiftAt)
	}
}

func unpackEmbargoes(u *unpacker) []snapshot.Embargo {
	return list(u, 2, "embargoes", func() snapshot.Embargo {
		return snapshot.Embargo{Path: u.path("embargo"), LiftAt: u.time()}
	})
}
