package diff

import (
	"fmt"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// fields returns what is different between two hosts, as catalogues call it.
func (c *comparison) fields(a, b *snapshot.Host) (names []string) {
	place := func(h *snapshot.Host) string {
		if h.Place == nil {
			return ""
		}
		return fmt.Sprint(*h.Place)
	}
	for _, f := range []struct {
		name string
		same bool
	}{
		{"id", a.ID == b.ID},
		{"country", a.Country == b.Country},
		{"location", place(a) == place(b)},
		{"bandwidth", a.Bandwidth == b.Bandwidth},
		{"asn", slices.Equal(a.ASNs, b.ASNs)},
		{"peer_asns", slices.Equal(a.PeerASNs, b.PeerASNs)},
		{"netblocks", slices.Equal(a.Netblocks, b.Netblocks)},
		{"private", a.Private == b.Private},
		{"countries_allowed", slices.Equal(a.Allowed, b.Allowed)},
		{"countries_excluded", slices.Equal(a.Excluded, b.Excluded)},
		{"down", a.Down == b.Down},
		{"addresses", slices.Equal(a.Addresses, b.Addresses)},
		{"dns", a.DNS == b.DNS},
		{"urls", urls(c.a, a) == urls(c.b, b)},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}
	return names
}

// urls returns a text of a host's URLs by name of the category.
func urls(s *snapshot.Snapshot, h *snapshot.Host) string {
	lines := make([]string, len(h.Mounts))
	for i, m := range h.Mounts {
		lines[i] = fmt.Sprintf("%q %q", s.Categories[m.Category].Name, m.URLs)
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

// tables compares what there is little of.
func (c *comparison) tables() {
	c.d.Categories = compareMaps(categories(c.a), categories(c.b))
	c.d.Repositories = compareMaps(repositories(c.a), repositories(c.b))
	c.d.Overrides = compareMaps(overrides(c.a), overrides(c.b))
	c.d.Embargoes = compareMaps(embargoes(c.a), embargoes(c.b))
}

func categories(s *snapshot.Snapshot) map[string]snapshot.Category {
	all := map[string]snapshot.Category{}
	for _, c := range s.Categories {
		all[c.Name] = c
	}
	return all
}

func repositories(s *snapshot.Snapshot) map[string]string {
	all := map[string]string{}
	for _, r := range s.Repositories {
		all[r.Name+"+"+r.Arch] = r.Path
	}
	for from, to := range s.RepositoryRedirects {
		all["redirect "+from] = to
	}
	for name, off := range s.Disabled {
		if off {
			all["disabled "+name] = ""
		}
	}
	return all
}

func overrides(s *snapshot.Snapshot) map[string]string {
	all := map[string]string{}
	for _, o := range s.CountryOverrides {
		all[o.Prefix.String()] = o.Country.String()
	}
	for country, continent := range s.ContinentOverrides {
		all[country.String()] = continent.String()
	}
	return all
}

func embargoes(s *snapshot.Snapshot) map[string]string {
	all := map[string]string{}
	for _, e := range s.Embargoes {
		all[e.Path] = e.LiftAt.UTC().Format(time.RFC3339)
	}
	return all
}
