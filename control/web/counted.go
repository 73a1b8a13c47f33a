package web

import (
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/statistics"
)

// other is the name under which all is counted that the registry does not have:
// what was deleted meanwhile, and what an edge that is not well makes up. So the
// statistics have no more names than the registry.
const other = "other"

// counted are the names that counts may have.
type counted struct {
	categories map[string]bool
	names      map[string]map[string]bool // by dimension; countries are not among them
}

func countedIn(w *registry.World) counted {
	c := counted{categories: map[string]bool{}, names: map[string]map[string]bool{
		statistics.ByHost: {}, statistics.ByRepository: {}, statistics.ByArch: {}, statistics.ByKind: {},
	}}
	for _, category := range registry.All[*registry.Category](w) {
		c.categories[category.Name] = true
	}
	for _, h := range registry.All[*registry.Host](w) {
		c.names[statistics.ByHost][h.Key()] = true
	}
	for _, r := range registry.All[*registry.Repository](w) {
		c.names[statistics.ByRepository][r.Name] = true
		c.names[statistics.ByArch][r.Arch] = true
	}
	for k := range statistics.Kinds {
		c.names[statistics.ByKind][k.String()] = true
	}
	return c
}

// all returns counts as they are kept.
func (c counted) all(sent []Count) (kept []store.Count) {
	for _, n := range sent {
		if is, ok := c.known(n); ok {
			is.At = is.At.UTC()
			kept = append(kept, store.Count(is))
		}
	}
	return kept
}

// known returns a count under names that are known. ok is false for a dimension
// that only a newer version of this program may know.
func (c counted) known(n Count) (out Count, ok bool) {
	if !c.categories[n.Category] {
		n.Category = other
	}
	if n.Dimension == statistics.ByCountry {
		if n.Name != "" && !isCountry(n.Name) {
			n.Name = other
		}
		return n, true
	}
	names, ok := c.names[n.Dimension]
	if !names[n.Name] {
		n.Name = other
	}
	return n, ok
}

// isCountry reports whether a name is two letters or digits, as edges count
// countries.
func isCountry(name string) bool {
	return len(name) == 2 && !slices.ContainsFunc([]byte(name), func(b byte) bool {
		return (b < 'A' || b > 'Z') && (b < '0' || b > '9')
	})
}
