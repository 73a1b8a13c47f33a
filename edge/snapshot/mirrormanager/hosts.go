package mirrormanager

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// describeHosts fills in what the cache's tables say of hosts.
func (b *builder) describeHosts() {
	for number := range b.hosts.ids {
		h := &b.snap.Hosts[b.place[number]]
		f := b.facts[uint32(number)]
		if f == nil {
			f = &facts{}
		}
		h.Country = b.countryOf(number, f.country)
		if f.bandwidth != nil {
			h.Bandwidth = uint32(min(max(*f.bandwidth, 0), math.MaxUint32))
		}
		b.restrict(h, f.allowed)
		slices.Sort(f.asns)
		h.ASNs = slices.Compact(f.asns)
		slices.SortFunc(f.netblocks, netip.Prefix.Compare)
		h.Netblocks = slices.Compact(f.netblocks)
	}
}

// countryOf returns a host's country. Where HostCountryCache has none, the one
// under which directories list the host counts.
func (b *builder) countryOf(number int, text string) geo.Country {
	listed := geo.Country{}
	if number < len(b.byCountry) {
		listed = b.byCountry[number]
	}
	country, err := geo.ParseCountry(text)
	id := b.hosts.ids[number]
	switch {
	case text != "" && err != nil:
		b.report.odd("country of a host is not two letters", fmt.Sprintf("host %d: %q", id, text))
		return listed
	case !listed.Known():
		return country
	case text == "":
		b.report.odd("country of a host taken from ByCountry: HostCountryCache has none", fmt.Sprintf("host %d: %s", id, listed))
		return listed
	case country != listed:
		b.report.odd("host is listed in ByCountry under another country: HostCountryCache counts",
			fmt.Sprintf("host %d: %s, %s", id, country, listed))
	}
	return country
}

// restrict sets the countries that a host serves. A list of which nothing can be
// read must not become no list, which would open the host to everybody.
func (b *builder) restrict(h *snapshot.Host, allowed []string) {
	for _, text := range allowed {
		country, err := geo.ParseCountry(text)
		if err != nil {
			b.report.odd("country in a host's HostCountryAllowedCache dropped: want two letters", fmt.Sprintf("host %d: %q", h.ID, text))
			continue
		}
		if !slices.Contains(h.Allowed, country) {
			h.Allowed = append(h.Allowed, country)
		}
	}
	if len(allowed) > 0 && len(h.Allowed) == 0 {
		h.Down = true
		b.report.odd("host taken out: no country in its HostCountryAllowedCache can be read", fmt.Sprintf("host %d", h.ID))
	}
}

// nameHosts names each host by the host part of its first web URL, or else of its
// first URL, with its id where that is not unique.
func (b *builder) nameHosts() {
	hosts := b.snap.Hosts
	used := map[string]int{}
	for i := range hosts {
		hosts[i].Name = hostPart(&hosts[i])
		used[hosts[i].Name]++
	}
	for i := range hosts {
		h := &hosts[i]
		switch {
		case h.Name == "":
			h.Name = fmt.Sprintf("host-%d", h.ID)
		case used[h.Name] > 1:
			h.Name = fmt.Sprintf("%s#%d", h.Name, h.ID)
		}
	}
}

func hostPart(h *snapshot.Host) (other string) {
	for _, m := range h.Mounts {
		for _, text := range m.URLs {
			u, err := url.Parse(text)
			if err != nil || u.Hostname() == "" {
				continue
			}
			if strings.HasPrefix(u.Scheme, "http") {
				return u.Hostname()
			}
			if other == "" {
				other = u.Hostname()
			}
		}
	}
	return other
}
