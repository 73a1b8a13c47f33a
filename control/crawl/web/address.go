package web

import (
	"fmt"
	"net/netip"
	"slices"
)

// Allowed returns an error where crawls may not connect to: addresses that are
// not of the public Internet, unless private ones are allowed. An address of
// NAT64 (RFC 6052) is what its IPv4 address is, since the translator connects
// there.
func Allowed(a netip.Addr, private bool) error {
	to := a.Unmap().WithZone("")
	if translated.Contains(to) {
		b := to.As16()
		to = netip.AddrFrom4([4]byte(b[12:]))
	}
	public := to.IsGlobalUnicast() && (to.Is4() || unicast6.Contains(to)) &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(to) })
	if public || private && !to.IsMulticast() && !to.IsUnspecified() {
		return nil
	}
	return fmt.Errorf("%w: %s is not of the public Internet", ErrAddress, a.Unmap())
}

//nolint:gochecknoglobals // constants; Go has none of this type
var (
	// unicast6 is all that is given out of IPv6: what is not in it leads nowhere,
	// or into somebody's own network.
	unicast6 = netip.MustParsePrefix("2000::/3")

	translated = netip.MustParsePrefix("64:ff9b::/96")

	// special are the networks of IANA's registries of special-purpose addresses
	// (RFC 6890) that are not reached through the Internet, or, as 6to4 and
	// Teredo, lead to an IPv4 address that is not seen here.
	special = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	)
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}
