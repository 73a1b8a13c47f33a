package catalog

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// errText is why text is refused; Want says what was expected.
var errText = errors.New("not as wanted")

// Name is a name of something: not empty, printable, without white space at its ends.
type Name string

// UnmarshalText reads a name.
func (n *Name) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" || s != strings.TrimSpace(s) || strings.ContainsFunc(s, unprintable) {
		return errText
	}
	*n = Name(s)
	return nil
}

// Want says what a name looks like.
func (*Name) Want() string { return "a name without control characters or white space at its ends" }

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// Path is the path of a directory or file, such as pub/os. Slashes at its ends
// are dropped; "" is the root. The zero value is no path at all.
type Path struct {
	text  string
	given bool // and well-formed
}

// String returns the path without slashes at its ends.
func (p Path) String() string { return p.text }

// UnmarshalText reads a path.
func (p *Path) UnmarshalText(text []byte) error {
	s := strings.Trim(string(text), "/")
	for element := range strings.SplitSeq(s, "/") {
		if s != "" && element == "" || element == "." || element == ".." {
			return errText
		}
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errText
	}
	*p = Path{s, true}
	return nil
}

// Want says what a path looks like.
func (*Path) Want() string {
	return "a path such as pub/os, without empty, . or .. elements and control characters"
}

// URL is the URL of a top directory. Slashes at its end are dropped.
type URL string

// UnmarshalText reads a URL.
func (u *URL) UnmarshalText(text []byte) error {
	s := string(text)
	parsed, err := url.Parse(s)
	if err != nil || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errText
	}
	port, err := strconv.ParseUint("0"+parsed.Port(), 10, 16)
	switch {
	case !slices.Contains([]string{"http", "https", "ftp", "rsync"}, parsed.Scheme),
		!strings.HasPrefix(s, parsed.Scheme+"://"), // in lower case
		parsed.Hostname() == "", parsed.User != nil, strings.ContainsAny(s, `?#"<>\^{|}`+"`"),
		err != nil, parsed.Port() != "" && port == 0:
		return errText
	}
	*u = URL(strings.TrimRight(s, "/"))
	return nil
}

// Want says what a URL looks like.
func (*URL) Want() string {
	return "an http, https, ftp or rsync URL such as https://mirror.example.org/os, percent-encoded, without user, query or fragment"
}

// Country is a country code.
type Country struct{ geo.Country }

// UnmarshalText reads a country code.
func (c *Country) UnmarshalText(text []byte) (err error) {
	c.Country, err = geo.ParseCountry(string(text))
	return err
}

// Want says what a country code looks like.
func (*Country) Want() string { return "a country code of two letters such as DE" }

// Continent is a continent code.
type Continent struct{ geo.Continent }

// UnmarshalText reads a continent code.
func (c *Continent) UnmarshalText(text []byte) (err error) {
	c.Continent, err = geo.ParseContinent(string(text))
	return err
}

// Want says what a continent code looks like.
func (*Continent) Want() string { return "one of AF AN AS EU NA OC SA, or -- for none" }

// Prefix is an address prefix without bits beyond its length: such bits are
// mostly a slip, and which of the two was meant cannot be known.
type Prefix struct{ netip.Prefix }

// UnmarshalText reads a prefix.
func (p *Prefix) UnmarshalText(text []byte) (err error) {
	p.Prefix, err = netip.ParsePrefix(string(text))
	if err != nil || p.Masked() != p.Prefix || p.Addr().Is4In6() {
		return errText
	}
	return nil
}

// Want says what a prefix looks like.
func (*Prefix) Want() string {
	return "a prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its length"
}

// Address is the address of a host.
type Address struct{ netip.Addr }

// UnmarshalText reads an address.
func (a *Address) UnmarshalText(text []byte) (err error) {
	a.Addr, err = netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
		return errText
	}
	return nil
}

// Want says what an address looks like.
func (*Address) Want() string { return "the IP address of a host, without a zone" }

// ASN is the number of an autonomous system.
type ASN uint32

// UnmarshalText reads an AS number.
func (a *ASN) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil || n == 0 {
		return errText
	}
	*a = ASN(n)
	return nil
}

// Want says what an AS number looks like.
func (*ASN) Want() string { return "an AS number from 1 to 4294967295" }

// Order is an order inside a band.
type Order snapshot.Order

// UnmarshalText reads an order.
func (o *Order) UnmarshalText(text []byte) error {
	switch string(text) {
	case "bandwidth":
		*o = Order(snapshot.ByBandwidth)
	case "nearest":
		*o = Order(snapshot.Nearest)
	default:
		return errText
	}
	return nil
}

// Want names the orders.
func (*Order) Want() string { return "bandwidth or nearest" }

// Scheme says whether a client keeps its scheme.
type Scheme bool

// UnmarshalText reads a scheme.
func (s *Scheme) UnmarshalText(text []byte) error {
	if *s = string(text) == "same"; !*s {
		return errText
	}
	return nil
}

// Want names the only value.
func (*Scheme) Want() string { return "same, or no such key" }

// Band is a reason to prefer a host.
type Band snapshot.Band

// bandNames names the bands, in their order.
func bandNames() []string {
	return []string{"netblock", "asn", "peer_asn", "country", "continent", "everywhere"}
}

// UnmarshalText reads a band.
func (b *Band) UnmarshalText(text []byte) error {
	n := slices.Index(bandNames(), string(text))
	if n < 0 {
		return errText
	}
	*b = Band(n)
	return nil
}

// Want names the bands.
func (*Band) Want() string { return "one of " + strings.Join(bandNames(), ", ") }
