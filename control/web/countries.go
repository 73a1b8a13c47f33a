package web

import (
	"fmt"
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/geo/bundled"
)

// oddCountries returns the countries of an object that are none and that it did
// not have before. What was imported may have such codes, and keeps them: the
// registry takes all that are spelled like a country. Those who type one are
// told, for no client would ever be in it.
func oddCountries(before, after registry.Object) (problems snapshot.Problems) {
	was := countriesOf(before)
	for _, c := range countriesOf(after) {
		known := func(o named) bool { return o.code == c.code }
		if text := c.odd(); text != "" && !slices.ContainsFunc(was, known) {
			problems = append(problems, snapshot.Problem{File: registry.Name(after), Key: c.key, Text: text})
		}
	}
	return problems
}

// A named is a country that an object names.
type named struct {
	key, code string
	place     bool // a mirror stands there; else clients are in it, says a database
}

func countriesOf(o registry.Object) (all []named) {
	switch o := o.(type) {
	case *registry.Host:
		all = append(all, named{"country", o.Country, true})
		for i, code := range o.Allowed {
			all = append(all, named{fmt.Sprintf("countries_allowed[%d]", i), code, false})
		}
		for i, code := range o.Excluded {
			all = append(all, named{fmt.Sprintf("countries_excluded[%d]", i), code, false})
		}
	case *registry.Override:
		all = append(all, named{"country", o.Country, false})
	}
	return all
}

// odd says what is wrong with a code that is spelled like a country; "" if it is
// one, or if the registry says what is wrong with it.
func (n named) odd() string {
	c, err := geo.ParseCountry(n.code)
	if err != nil || c.String() != n.code {
		return ""
	}
	if _, ok := geo.Centroid(c); ok {
		return ""
	}
	table, err := bundled.Continents()
	if !n.place && (err != nil || table.Of(c).Known()) { // EU, AP: databases have them
		return ""
	}
	return fmt.Sprintf("want a country's code of ISO 3166-1%s, got %q", meant(n.code), n.code)
}

// meant names the country that somebody who writes a wrong code is likely to
// mean: codes of languages, domains and states of the past.
func meant(code string) string {
	for _, m := range []struct{ wrong, right string }{
		{"UK", "GB"},
		{"EN", "GB"},
		{"JA", "JP"},
		{"CS", "CZ"},
		{"DA", "DK"},
		{"EL", "GR"},
		{"KO", "KR"},
		{"UR", "PK"},
		{"SP", "ES"},
		{"SU", "RU"},
		{"YU", "RS"},
		{"TP", "TL"},
		{"ZR", "CD"},
		{"BU", "MM"},
		{"DD", "DE"},
		{"FX", "FR"},
	} {
		if m.wrong == code {
			return " (" + m.right + "?)"
		}
	}
	return ", such as DE"
}
