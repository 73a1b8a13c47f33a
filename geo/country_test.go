package geo_test

import (
	"fmt"
	"testing"

	"github.com/waypost/waypost/geo"
)

func ExampleParseCountry() {
	c, err := geo.ParseCountry("de")
	fmt.Println(c, err)
	_, err = geo.ParseCountry("Germany")
	fmt.Println(err)
	// Output:
	// DE <nil>
	// country "Germany": want two letters, as in ISO 3166-1 alpha-2
}

func TestParseCountry(t *testing.T) {
	tests := []struct {
		name, in, want string
		ok             bool
	}{
		{name: "upper case", in: "DE", want: "DE", ok: true},
		{name: "mixed case", in: "dE", want: "DE", ok: true},
		{name: "old GeoIP code with a digit", in: "A1", want: "A1", ok: true},
		{name: "empty", in: ""},
		{name: "three letters", in: "DEU"},
		{name: "punctuation", in: "--"},
		{name: "one letter of two bytes", in: "é"},
		{name: "control characters", in: "\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := geo.ParseCountry(tt.in)
			if (err == nil) != tt.ok || got.String() != tt.want {
				t.Errorf("ParseCountry(%q) = %q, %v; want %q, ok %v", tt.in, got, err, tt.want, tt.ok)
			}
		})
	}
}

func FuzzParseCountry(f *testing.F) {
	f.Add("DE")
	f.Add("")
	f.Add("a1")
	f.Fuzz(func(t *testing.T, in string) {
		c, err := geo.ParseCountry(in)
		if err != nil {
			if c.Known() {
				t.Errorf("ParseCountry(%q) = %q beside error %v", in, c, err)
			}
			return
		}
		again, err := geo.ParseCountry(c.String())
		if err != nil || again != c {
			t.Errorf("ParseCountry(%q) = %q, which reads as %q, %v", in, c, again, err)
		}
		if got := geo.CountryFromUint32(c.Uint32()); got != c || c.Uint32() == 0 || c.Uint32() > 0xffff {
			t.Errorf("CountryFromUint32(%d) = %q, want %q", c.Uint32(), got, c)
		}
	})
}

func TestUnknownCountry(t *testing.T) {
	var c geo.Country
	if c.String() != "" || c.Known() || c.Uint32() != 0 {
		t.Errorf("zero Country: String %q, Known %v, Uint32 %d", c, c.Known(), c.Uint32())
	}
	for _, v := range []uint32{0, 1, 0x4400, 0x014445, 0x6465, 0xffffffff} {
		if got := geo.CountryFromUint32(v); got.Known() {
			t.Errorf("CountryFromUint32(%#x) = %q, want unknown", v, got)
		}
	}
}

// country is a valid code, for tests.
func country(tb testing.TB, s string) geo.Country {
	tb.Helper()
	c, err := geo.ParseCountry(s)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}
