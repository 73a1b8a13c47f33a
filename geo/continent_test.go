package geo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waypost/waypost/geo"
)

func ExampleReadContinents() {
	const csv = `"iso 3166 country","continent code"
DE,EU
IL,AS
A1,--
`
	table, err := geo.ReadContinents("country_continent.csv", strings.NewReader(csv))
	if err != nil {
		fmt.Println(err)
		return
	}
	israel := geo.Country{'I', 'L'}
	fmt.Println(table.Of(israel))
	fmt.Println(table.With(map[geo.Country]geo.Continent{israel: {'E', 'U'}}).Of(israel))
	// Output:
	// AS
	// EU
}

func TestReadContinents(t *testing.T) {
	tests := []struct {
		name, in string
		want     map[string]string // country to continent, "" for unknown
	}{
		{name: "plain", in: "DE,EU\nJP,AS\n", want: map[string]string{"DE": "EU", "JP": "AS", "US": ""}},
		{name: "no newline at the end, CRLF, lower case", in: "de,eu\r\njp,as", want: map[string]string{"DE": "EU", "JP": "AS"}},
		{name: "other rows skipped", in: "# comment\ncountry,continent\n\nDEU,EU\nDE,EU\n", want: map[string]string{"DE": "EU"}},
		{name: "none", in: "A1,--\nDE,EU\n", want: map[string]string{"A1": "", "DE": "EU"}},
		{name: "a later row wins", in: "TR,EU\nTR,AS\n", want: map[string]string{"TR": "AS"}},
		{name: "more fields are ignored", in: "DE,EU,Germany\n", want: map[string]string{"DE": "EU"}},
		{name: "corners of the table", in: "00,AF\nZZ,SA\n0Z,AN\nZ0,OC\n", want: map[string]string{"00": "AF", "ZZ": "SA", "0Z": "AN", "Z0": "OC"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, err := geo.ReadContinents("x.csv", strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			for c, want := range tt.want {
				if got := table.Of(country(t, c)).String(); got != want {
					t.Errorf("Of(%s) = %q, want %q", c, got, want)
				}
			}
		})
	}
}

func TestReadContinentsErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{name: "empty", in: "", want: "reading x.csv: no rows COUNTRY,CONTINENT"},
		{name: "another file", in: "prefix asn\n", want: "reading x.csv: no rows COUNTRY,CONTINENT"},
		{name: "bad continent", in: "JP,AS\nDE,XX\n", want: `reading x.csv: line 2: country DE: continent "XX": want one of AF AN AS EU NA OC SA, or -- for none`},
		{name: "no continent", in: "DE\n", want: "reading x.csv: line 1: country DE has no second field, its continent"},
		{name: "bad country", in: "D!,EU\n", want: `reading x.csv: line 1: country "D!": want two ASCII letters, as in ISO 3166-1 alpha-2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, err := geo.ReadContinents("x.csv", strings.NewReader(tt.in))
			if table != nil || err == nil || err.Error() != tt.want {
				t.Errorf("ReadContinents = %v, %v; want error %s", table != nil, err, tt.want)
			}
		})
	}
}

func TestContinentsWith(t *testing.T) {
	table, err := geo.ReadContinents("x.csv", strings.NewReader("DE,EU\nIL,AS\n"))
	if err != nil {
		t.Fatal(err)
	}
	moved := table.With(map[geo.Country]geo.Continent{
		country(t, "IL"): {'E', 'U'},
		country(t, "XK"): {'E', 'U'}, // was not in the table
		country(t, "DE"): {},
		{}:               {'E', 'U'}, // the unknown country stays unknown
	})
	for c, want := range map[geo.Country]string{{'I', 'L'}: "EU", {'X', 'K'}: "EU", {'D', 'E'}: "", {}: ""} {
		if got := moved.Of(c).String(); got != want {
			t.Errorf("With: Of(%q) = %q, want %q", c, got, want)
		}
	}
	if got := table.Of(country(t, "IL")).String(); got != "AS" {
		t.Errorf("With changed the table it was called on: IL is in %q", got)
	}
}

// TestContinentsOfAnyBytes looks up every value a Country can have.
func TestContinentsOfAnyBytes(t *testing.T) {
	table, err := geo.ReadContinents("x.csv", strings.NewReader("DE,EU\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1 << 16 {
		c := geo.Country{byte(i >> 8), byte(i)}
		if got := table.Of(c).Known(); got != (c == geo.Country{'D', 'E'}) {
			t.Errorf("Of(%q) known: %v", string(c[:]), got)
		}
	}
}

func FuzzReadContinents(f *testing.F) {
	f.Add("DE,EU\n")
	f.Add("\"iso 3166 country\",\"continent code\"\nA1,--\n")
	f.Add("\"DE\n,EU") // a quote that never ends
	f.Fuzz(func(t *testing.T, in string) {
		table, err := geo.ReadContinents("x.csv", strings.NewReader(in))
		if (table == nil) != (err != nil) {
			t.Errorf("ReadContinents(%q) = %v, %v", in, table != nil, err)
		}
	})
}

func BenchmarkContinentsOf(b *testing.B) {
	table, err := geo.ReadContinents("x.csv", strings.NewReader("DE,EU\nIL,AS\n"))
	if err != nil {
		b.Fatal(err)
	}
	c := country(b, "IL")
	for b.Loop() {
		table.Of(c)
	}
}
