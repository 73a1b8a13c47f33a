package registry

import (
	"slices"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

// An Override corrects where clients are: a Netblock is in a Country, or a
// Country is on a Continent or embargoed.
type Override struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Netblock, a prefix, is in Country whatever the database says.
	Netblock string `json:"netblock,omitempty" yaml:"netblock"`

	// Country is on Continent whatever the table says, or in which Netblock is.
	Country string `json:"country,omitempty" yaml:"country"`

	Continent string `json:"continent,omitempty" yaml:"continent"`

	// Embargoed means that mirrors in Country are not accepted, and those that
	// are there already are not published.
	Embargoed bool `json:"embargoed,omitempty" yaml:"embargoed"`
}

var _ Object = (*Override)(nil)

// Kind returns [KindOverride].
func (*Override) Kind() Kind { return KindOverride }

// Key returns the override's name.
func (o *Override) Key() string { return o.Name }

// Redacted returns the override itself.
func (o *Override) Redacted() Object { return o }

// Embargoed reports whether mirrors in a country are under embargo.
func Embargoed(w *World, country string) bool {
	if country == "" {
		return false
	}
	return slices.ContainsFunc(All[*Override](w), func(o *Override) bool { return o.Embargoed && o.Country == country })
}

// Check returns all that is wrong with the override by itself.
func (o *Override) Check() snapshot.Problems {
	c := check(o)
	c.name("name", o.Name)
	required[catalog.Country](c, "country", o.Country)
	optional[catalog.Prefix](c, "netblock", o.Netblock)
	optional[catalog.Continent](c, "continent", o.Continent)
	switch {
	case o.Netblock != "" && (o.Continent != "" || o.Embargoed):
		c.problem("netblock", "want a netblock in a country, or a country on a continent or embargoed, got both")
	case o.Netblock == "" && o.Continent == "" && !o.Embargoed:
		c.problem("", "want a netblock, a continent or embargoed: it changes nothing")
	}
	return c.problems
}
