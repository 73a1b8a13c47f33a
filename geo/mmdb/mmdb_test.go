package mmdb_test

import (
	"bytes"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go4.org/netipx"

	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/geo/mmdb"
)

type (
	text = mmdbtype.String
	dict = mmdbtype.Map
	row  struct {
		prefix string
		record mmdbtype.DataType
	}
)

// country is a record in the layout of GeoIP2.
func country(code string) dict { return dict{"country": dict{"iso_code": text(code)}} }

// write makes a database of rows, for family 4 or 6; that for 6 aliases IPv4.
func write(tb testing.TB, family int, rows ...row) []byte {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		BuildEpoch: 1_780_000_000, DatabaseType: "Test-Type", RecordSize: 24,
		IPVersion: family, IncludeReservedNetworks: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, r := range rows {
		if err := tree.Insert(netipx.PrefixIPNet(netip.MustParsePrefix(r.prefix)), r.record); err != nil {
			tb.Fatalf("%s: %v", r.prefix, err)
		}
	}
	return encode(tb, tree)
}

func encode(tb testing.TB, tree *mmdbwriter.Tree) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func open(tb testing.TB, b []byte) *mmdb.DB {
	tb.Helper()
	db, err := mmdb.FromBytes("test.mmdb", b)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

// list writes networks one a line, to compare them at a glance.
func list[T any](networks iter.Seq2[netip.Prefix, T], err error) []string {
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for prefix, v := range networks {
		lines = append(lines, fmt.Sprint(prefix, " ", v))
	}
	return lines
}

func TestCountries(t *testing.T) {
	tests := []struct {
		name   string
		family int
		rows   []row
		want   []string
	}{
		{
			name: "GeoIP2", family: 6,
			rows: []row{{"1.0.0.0/24", country("AU")}, {"2a00::/12", country("DE")}},
			want: []string{"1.0.0.0/24 AU", "2a00::/12 DE"},
		},
		{
			name: "ip-location-db, one family", family: 4,
			rows: []row{{"1.0.0.0/24", dict{"country_code": text("AU")}}, {"1.0.1.0/24", dict{"country_code": text("cn")}}},
			want: []string{"1.0.0.0/24 AU", "1.0.1.0/24 CN"},
		},
		{
			name: "registered country does not count", family: 6,
			rows: []row{{"1.0.0.0/24", country("AU")}, {"2.0.0.0/24", dict{"registered_country": dict{"iso_code": text("FR")}}}},
			want: []string{"1.0.0.0/24 AU"},
		},
		{
			name: "codes that are none", family: 6,
			rows: []row{{"1.0.0.0/24", country("AU")}, {"2.0.0.0/24", country("-")}, {"3.0.0.0/24", country("")}, {"4.0.0.0/24", country("None")}},
			want: []string{"1.0.0.0/24 AU"},
		},
		{
			name: "other types where text or a map should be", family: 6,
			rows: []row{
				{"1.0.0.0/24", country("AU")},
				{"2.0.0.0/24", dict{"country": text("FR")}},
				{"3.0.0.0/24", dict{"country": dict{"iso_code": mmdbtype.Uint32(5)}}},
				{"4.0.0.0/24", dict{"country": mmdbtype.Slice{text("iso_code")}, "country_code": text("US")}},
			},
			want: []string{"1.0.0.0/24 AU", "4.0.0.0/24 US"},
		},
		{
			name: "one record for many networks", family: 6,
			rows: []row{{"1.0.0.0/24", country("AU")}, {"1.0.2.0/24", country("AU")}, {"2a00::/16", country("AU")}},
			want: []string{"1.0.0.0/24 AU", "1.0.2.0/24 AU", "2a00::/16 AU"},
		},
		{
			name: "all IPv4", family: 6,
			rows: []row{{"0.0.0.0/1", country("AU")}, {"128.0.0.0/1", country("US")}},
			want: []string{"0.0.0.0/1 AU", "128.0.0.0/1 US"},
		},
		{
			name: "none", family: 6,
			rows: []row{{"1.0.0.0/24", dict{"autonomous_system_number": mmdbtype.Uint32(1)}}},
			want: []string{`reading test.mmdb: no record of this database of type "Test-Type" has a country (country.iso_code or country_code)`},
		},
		{
			name: "records that are no maps", family: 6,
			rows: []row{{"1.0.0.0/24", text("AU")}},
			want: []string{"reading test.mmdb: record of 1.0.0.0/24: expected a map for country but found String"},
		},
		{
			name: "empty", family: 6,
			want: []string{`reading test.mmdb: no record of this database of type "Test-Type" has a country (country.iso_code or country_code)`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t, write(t, tt.family, tt.rows...))
			if diff := cmp.Diff(tt.want, list(db.Countries())); diff != "" {
				t.Errorf("Countries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAliases(t *testing.T) {
	db := open(t, write(t, 6, row{"1.2.3.0/24", country("AU")}, row{"2001:db8::/32", country("US")}, row{"2a00::/16", country("DE")}))
	want := []string{"1.2.3.0/24 AU", "2001:db8::/32 US", "2a00::/16 DE"}
	if diff := cmp.Diff(want, list(db.Countries())); diff != "" {
		t.Errorf("Countries (-want +got):\n%s", diff)
	}
	want = []string{"1.2.3.0/24 AU", "2001:0:102:300::/56 AU", "2001:db8::/32 US", "2002:102:300::/40 AU", "2a00::/16 DE"}
	if diff := cmp.Diff(want, list(db.WithAliases().Countries())); diff != "" {
		t.Errorf("WithAliases().Countries (-want +got):\n%s", diff)
	}
}

func TestPoints(t *testing.T) {
	at := func(lat, lon mmdbtype.DataType) dict { return dict{"latitude": lat, "longitude": lon} }
	tests := []struct {
		name   string
		record dict
		want   string
	}{
		{"GeoIP2", dict{"location": at(mmdbtype.Float64(52.52), mmdbtype.Float64(13.41))}, "1.0.0.0/24 52.52,13.41"},
		{"flat, float32", at(mmdbtype.Float32(52.52), mmdbtype.Float32(-13.41)), "1.0.0.0/24 52.52,-13.41"},
		{"flat, text", at(text("52.52"), text("-13.41")), "1.0.0.0/24 52.52,-13.41"},
		{"whole numbers", at(mmdbtype.Int32(-52), mmdbtype.Uint16(13)), "1.0.0.0/24 -52.00,13.00"},
		{"0,0 is a place", at(mmdbtype.Float64(0), mmdbtype.Float64(0)), "1.0.0.0/24 0.00,0.00"},
		{"empty text", at(text(""), text("")), "has coordinates"},
		{"half", dict{"latitude": mmdbtype.Float64(1)}, "has coordinates"},
		{"not a number", at(text("N52"), text("1")), `reading test.mmdb: record of 1.0.0.0/24: latitude "N52": want degrees`},
		{"off the globe", at(mmdbtype.Float64(91), mmdbtype.Float64(1)), "reading test.mmdb: record of 1.0.0.0/24: latitude 91: want degrees from -90 to 90"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := list(open(t, write(t, 6, row{"1.0.0.0/24", tt.record})).Points())
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("Points = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestASNs(t *testing.T) {
	tests := []struct {
		name   string
		record dict
		want   string
	}{
		{"GeoIP2", dict{"autonomous_system_number": mmdbtype.Uint32(4200000000)}, "1.0.0.0/24 4200000000"},
		{"GeoIP2 Enterprise", dict{"traits": dict{"autonomous_system_number": mmdbtype.Uint32(680)}}, "1.0.0.0/24 680"},
		{"number as text", dict{"autonomous_system_number": text("680")}, "1.0.0.0/24 680"},
		{"with AS", dict{"asn": text("AS680")}, "1.0.0.0/24 680"},
		{"AS 0", dict{"asn": mmdbtype.Uint16(0)}, "has an AS number"},
		{"no number", dict{"asn": text("AS")}, "has an AS number"},
		{"a name", dict{"asn": text("DFN")}, `reading test.mmdb: record of 1.0.0.0/24: asn "DFN": want a number`},
		{"too large", dict{"asn": text("4294967296")}, "reading test.mmdb: record of 1.0.0.0/24: asn 4294967296: want at most 32 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := list(open(t, write(t, 6, row{"1.0.0.0/24", tt.record})).ASNs())
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("ASNs = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	if err := os.WriteFile(path, write(t, 6, row{"1.0.0.0/24", country("AU")}), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := mmdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if db.Name() != path || db.Type() != "Test-Type" || !db.Built().Equal(time.Unix(1_780_000_000, 0)) {
		t.Errorf("Name %q, Type %q, Built %v", db.Name(), db.Type(), db.Built())
	}
	if _, err = mmdb.Open(path + ".missing"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a missing file: error %v, want one naming it", err)
	}
}

// TestEarlyStop leaves a loop over networks half-way.
func TestEarlyStop(t *testing.T) {
	networks, err := open(t, write(t, 6, row{"1.0.0.0/24", country("AU")}, row{"2.0.0.0/24", country("US")})).Countries()
	if err != nil {
		t.Fatal(err)
	}
	for prefix, c := range networks {
		if want := (geo.Country{'A', 'U'}); c != want {
			t.Errorf("first network %v is in %v, want %v", prefix, c, want)
		}
		break
	}
}
