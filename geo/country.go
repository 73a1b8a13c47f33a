package geo

import "fmt"

// Country is an ISO 3166-1 alpha-2 code in upper case, such as {'D', 'E'}.
// Old GeoIP lists have codes with a digit (A1, O1) and codes that are not
// countries (AP, EU); those are kept as they are. The zero value means unknown.
type Country [2]byte

// ParseCountry reads a code of two ASCII letters or digits, in either case.
func ParseCountry(s string) (Country, error) {
	if len(s) != 2 {
		return Country{}, fmt.Errorf("country %q: want two letters, as in ISO 3166-1 alpha-2", s)
	}
	c := Country{upper(s[0]), upper(s[1])}
	if !c.valid() {
		return Country{}, fmt.Errorf("country %q: want two ASCII letters, as in ISO 3166-1 alpha-2", s)
	}
	return c, nil
}

// CountryFromUint32 is the inverse of [Country.Uint32]. A value that no country
// has gives the unknown country.
func CountryFromUint32(v uint32) Country {
	c := Country{byte(v >> 8), byte(v)}
	if v > 0xffff || !c.valid() {
		return Country{}
	}
	return c
}

// Uint32 returns the code as a number below 65,536 for tables that hold numbers.
// The unknown country is 0.
func (c Country) Uint32() uint32 { return uint32(c[0])<<8 | uint32(c[1]) }

// Known reports whether c is a code at all.
func (c Country) Known() bool { return c != Country{} }

// String returns the two letters, or "" for the unknown country.
func (c Country) String() string {
	if c == (Country{}) {
		return ""
	}
	return string(c[:])
}

func (c Country) valid() bool { return letterOrDigit(c[0]) && letterOrDigit(c[1]) }

func letterOrDigit(b byte) bool { return 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' }

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}
