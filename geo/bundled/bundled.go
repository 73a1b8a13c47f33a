// Package bundled holds the data that comes inside the program, so that it runs
// before an operator has any: a country database and the continents. It holds no
// state: callers keep what they get. Where it is from and under which licences:
// LICENSES.md in this folder.
package bundled

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/geo"
)

// CountryName names the bundled country database, in errors and to people.
const CountryName = "bundled country database iptoasn-country 2026-06-17"

//go:embed country.mmdb.zst
var countryZstd string

//go:embed continents.csv
var continentsCSV string

// Country returns the bundled country database, a MaxMind DB file of 5.2 MB for
// both families. Each call decompresses it anew, in some 20 ms.
func Country() ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("decompressing %s: %w", CountryName, err)
	}
	defer d.Close()
	b, err := d.DecodeAll([]byte(countryZstd), nil)
	if err != nil {
		return nil, fmt.Errorf("decompressing %s: %w", CountryName, err)
	}
	return b, nil
}

// CountryDate is the day of the data in [Country]. Networks move between
// countries by about a per cent a month: after a year, operators want their own.
func CountryDate() time.Time { return time.Date(2026, time.June, 17, 0, 0, 0, 0, time.UTC) }

// Continents returns the bundled table of continents: that of countries-list,
// but for Russia in Europe and Timor in Asia, and with the codes AN, AP and EU
// that address databases have. Each call reads it anew, in some 30 µs.
func Continents() (*geo.Continents, error) {
	return geo.ReadContinents("bundled continents.csv", strings.NewReader(continentsCSV))
}
