package export

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// RsyncACL returns the parameters hosts allow and hosts deny of rsyncd.conf(5)
// for a master, upstream "", or for a tier, upstream being its host's key: the
// addresses, of both families, of those who pull from there. Hosts must be
// approved and active, and not in a country under embargo; private ones may pull like others. Names are resolved,
// because rsyncd would trust reverse look-ups; notes say which were left out.
//
// It is no public export. If nobody may pull, nobody is let in: an empty hosts
// allow would let in everybody.
func RsyncACL(w *registry.World, upstream string, resolve func(name string) ([]netip.Addr, error)) (text string, notes []string) {
	var allowed []netip.Prefix
	for _, h := range registry.All[*registry.Host](w) {
		site, ok := registry.Find[*registry.Site](w, h.Site)
		if !ok || h.Upstream != upstream || !h.State.Published() || !site.State.Published() || !h.On() || !site.On() || registry.Embargoed(w, h.Country) {
			continue
		}
		for _, pull := range h.PullAddresses {
			prefixes, err := pullPrefixes(pull, resolve)
			if err != nil {
				notes = append(notes, fmt.Sprintf("host %s: pull address %s: %v", h.Key(), pull, err))
			}
			allowed = append(allowed, prefixes...)
		}
	}
	slices.SortFunc(allowed, netip.Prefix.Compare)
	var b strings.Builder
	if allowed = slices.Compact(allowed); len(allowed) > 0 {
		b.WriteString("hosts allow =")
		for _, p := range allowed {
			b.WriteString(" \\\n    " + p.String())
		}
		b.WriteString("\n")
	}
	b.WriteString("hosts deny = *\n")
	return b.String(), notes
}

// pullPrefixes returns what a pull address stands for.
func pullPrefixes(text string, resolve func(name string) ([]netip.Addr, error)) ([]netip.Prefix, error) {
	n, err := registry.ParseNetblock(text)
	if err != nil || n.Name == "" {
		return n.Prefixes(), err
	}
	addrs, err := resolve(n.Name)
	var out []netip.Prefix
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out, err
}
