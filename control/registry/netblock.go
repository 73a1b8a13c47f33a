package registry

import (
	"fmt"
	"net/netip"
	"strings"

	"go4.org/netipx"
)

// A Netblock is a range of addresses, or a DNS name that stands for some.
type Netblock struct {
	Range netipx.IPRange // valid unless Name is given
	Name  string         // without a dot at its end
}

// Prefixes returns the prefixes that cover the range and nothing else, nil for a name.
func (n Netblock) Prefixes() []netip.Prefix { return n.Range.Prefixes() }

// ParseNetblock reads a prefix such as 192.0.2.0/24 without bits beyond its
// length, an address, a range such as 192.0.2.1-192.0.2.9, or a DNS name of at
// least two labels.
func ParseNetblock(s string) (Netblock, error) {
	if first, last, ok := strings.Cut(s, "-"); ok {
		if r, ok := parseRange(first, last); ok {
			return Netblock{Range: r}, nil
		}
	}
	if p, err := netip.ParsePrefix(s); err == nil && p.Masked() == p && !p.Addr().Is4In6() {
		return Netblock{Range: netipx.RangeOfPrefix(p)}, nil
	}
	if r, ok := parseRange(s, s); ok {
		return Netblock{Range: r}, nil
	}
	if isName(s) {
		return Netblock{Name: s}, nil
	}
	return Netblock{}, fmt.Errorf("want a prefix such as 192.0.2.0/24 without bits beyond its length, "+
		"an address, a range such as 192.0.2.1-192.0.2.9 or a DNS name, got %q", s)
}

func parseRange(first, last string) (netipx.IPRange, bool) {
	from, err := netip.ParseAddr(first)
	to, err2 := netip.ParseAddr(last)
	r := netipx.IPRangeFrom(from, to)
	ok := err == nil && err2 == nil && r.IsValid() && from.Zone() == "" && !from.Is4In6() && !to.Is4In6()
	return r, ok
}

// isName reports whether s is a DNS name of at least two labels (RFC 1123
// section 2.1), the last of which is not a number.
func isName(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, notInName) {
			return false
		}
	}
	return true
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
