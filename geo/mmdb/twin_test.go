package mmdb_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	maxminddb "github.com/oschwald/maxminddb-golang/v2"
	"go4.org/netipx"

	"github.com/waypost/waypost/geo/mmdb"
)

// slowCountries is the twin of Countries: the walk of the library, and each
// record decoded anew.
func slowCountries(t *testing.T, b []byte, options ...maxminddb.NetworksOption) (lines []string) {
	t.Helper()
	reader, err := maxminddb.OpenBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	for r := range reader.Networks(options...) {
		var record struct {
			Country struct {
				Code string `maxminddb:"iso_code"`
			} `maxminddb:"country"`
		}
		if err := r.Decode(&record); err != nil {
			t.Fatal(err)
		}
		if !r.Prefix().Addr().Is4In6() {
			lines = append(lines, fmt.Sprint(r.Prefix(), " ", record.Country.Code))
		}
	}
	return lines
}

// TestCountriesAgainstLibrary compares random databases of each family and
// record size.
func TestCountriesAgainstLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for round := range 150 {
		family, size := []int{4, 6}[round%2], []int{24, 28, 32}[round%3]
		tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", IPVersion: family, RecordSize: size, IncludeReservedNetworks: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(200) {
			code := string([]byte{'A' + byte(r.IntN(26)), 'A' + byte(r.IntN(3))})
			if err = tree.Insert(netipx.PrefixIPNet(randomPrefix(r, family)), country(code)); err != nil {
				t.Fatal(err)
			}
		}
		b := encode(t, tree)
		db, err := mmdb.FromBytes("test.mmdb", b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slowCountries(t, b), list(db.Countries())); diff != "" {
			t.Fatalf("round %d, Countries (-library +got):\n%s", round, diff)
		}
		want, got := slowCountries(t, b, maxminddb.IncludeAliasedNetworks()), list(db.WithAliases().Countries())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d, WithAliases (-library +got):\n%s", round, diff)
		}
		if !slices.Equal(got, list(db.WithAliases().Countries())) {
			t.Fatalf("round %d: a second listing differs", round)
		}
	}
}

// randomPrefix stays clear of the aliases, which a file cannot have data in.
func randomPrefix(r *rand.Rand, family int) netip.Prefix {
	if family == 4 || r.IntN(2) == 0 {
		a := netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
		return netip.PrefixFrom(a, 1+r.IntN(32)).Masked()
	}
	a := [16]byte{0x20 + byte(r.IntN(16)), 3 + byte(r.IntN(253)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 15: byte(r.IntN(256))}
	return netip.PrefixFrom(netip.AddrFrom16(a), 16+r.IntN(113)).Masked()
}
