package geo

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// Continent is one of AF, AN, AS, EU, NA, OC and SA: Africa, Antarctica, Asia,
// Europe, North America, Oceania, South America. The zero value means unknown.
type Continent [2]byte

// ParseContinent reads one of the seven codes, in either case. "--" is how
// MirrorManager's table writes none; it gives the unknown continent.
func ParseContinent(s string) (Continent, error) {
	if s == "--" {
		return Continent{}, nil
	}
	if len(s) == 2 {
		c := Continent{upper(s[0]), upper(s[1])}
		switch c.String() {
		case "AF", "AN", "AS", "EU", "NA", "OC", "SA":
			return c, nil
		}
	}
	return Continent{}, fmt.Errorf("continent %q: want one of AF AN AS EU NA OC SA, or -- for none", s)
}

// Known reports whether c is a continent at all.
func (c Continent) Known() bool { return c != Continent{} }

// String returns the two letters, or "" for the unknown continent.
func (c Continent) String() string {
	if c == (Continent{}) {
		return ""
	}
	return string(c[:])
}

// The digits and upper-case letters all lie in '0'..'Z', so that two of them
// make an index into a table of 43 × 43 without a look at what they are.
const (
	codeFirst = '0'
	codeSpan  = 'Z' - '0' + 1
)

// Continents tells the continent of each country. It is immutable; the zero
// value knows none.
type Continents struct {
	of [codeSpan * codeSpan]Continent
}

// Of returns the continent of c, unknown if the table has none. It does not
// allocate and takes about a nanosecond.
func (t *Continents) Of(c Country) Continent {
	hi, lo := c[0]-codeFirst, c[1]-codeFirst // below '0' wraps to a large value
	if hi >= codeSpan || lo >= codeSpan {
		return Continent{}
	}
	return t.of[int(hi)*codeSpan+int(lo)]
}

// With returns a copy of the table in which the countries of overrides are moved
// to their continent, or to none if that is unknown. Countries the table did not
// have are added: MirrorManager's server ignores those, for no stated reason.
func (t *Continents) With(overrides map[Country]Continent) *Continents {
	next := *t
	for c, continent := range overrides {
		next.set(c, continent)
	}
	return &next
}

func (t *Continents) set(c Country, continent Continent) {
	if c.valid() {
		t.of[int(c[0]-codeFirst)*codeSpan+int(c[1]-codeFirst)] = continent
	}
}

// ReadContinents reads lines "COUNTRY,CONTINENT" as in MirrorManager's
// country_continent.csv. Rows whose first field does not have two bytes are
// skipped, as MirrorManager skips them: its header, and comments. A later row for
// the same country wins. name is for errors, which also give the line. A file
// without any country is an error: it is not the file it is taken for.
func ReadContinents(name string, r io.Reader) (*Continents, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	rows.LazyQuotes = true
	rows.ReuseRecord = true
	var t Continents
	for found := false; ; {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF) && !found:
			return nil, fmt.Errorf("reading %s: no rows COUNTRY,CONTINENT", name)
		case errors.Is(err, io.EOF):
			return &t, nil
		case err != nil:
			return nil, fmt.Errorf("reading %s: %w", name, err)
		case len(row[0]) != 2:
			continue
		}
		found = true
		if err := t.addRow(row); err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("reading %s: line %d: %w", name, line, err)
		}
	}
}

func (t *Continents) addRow(row []string) error {
	c, err := ParseCountry(row[0])
	if err != nil {
		return err
	}
	if len(row) < 2 {
		return fmt.Errorf("country %s has no second field, its continent", c)
	}
	continent, err := ParseContinent(row[1])
	if err != nil {
		return fmt.Errorf("country %s: %w", c, err)
	}
	t.set(c, continent)
	return nil
}
