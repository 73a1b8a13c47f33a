package match

import (
	"slices"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
)

// A Reason says why a host does not serve a client.
type Reason uint8

// The reasons, in the order in which they are looked at: a host is given the
// first that holds.
const (
	Eligible Reason = iota
	LacksDirectory
	LacksFile
	HoldsOlder
	MarkedDown
	Drained
	LacksScheme
	LacksFamily
	LacksRecord
	Private
	CountryNotAllowed
	CountryExcluded
	Avoided
	reasons
)

// String returns the reason as a person reads it.
func (r Reason) String() string {
	return [reasons]string{
		"eligible",
		"does not hold the directory",
		"does not hold the file",
		"holds an older version",
		"taken out by an operator",
		"drained: taken out by an operator for a while",
		"has no URL of a wanted scheme",
		"has no address of the client's family",
		"has no address of the asked type for DNS",
		"private, and this does not count as one of its own clients",
		"does not serve the client's country",
		"excludes the client's country",
		"is in a country that the client avoids",
	}[r]
}

// Explain returns, by host, why it is not eligible for q, or Eligible. It asks
// the same questions as Find, a host at a time, and is for the slow path.
func Explain(ix *index.Index, q *Query) []Reason {
	var m Match
	m.Find(ix, q)
	why := make([]Reason, ix.Hosts())
	for h := range uint32(len(why)) {
		if !m.Eligible().Has(h) {
			why[h] = explain(ix, q, h)
		}
	}
	return why
}

func explain(ix *index.Index, q *Query, h uint32) Reason {
	wanted, admitted := hostset.Make(ix.Hosts()), hostset.Make(ix.Hosts())
	WithSchemes(wanted, ix, q.Category, q.Schemes)
	admitted.Copy(ix.Public())
	admitPrivate(admitted, ix, q)
	switch {
	case !ix.Holders(q.Directory).Has(h):
		return LacksDirectory
	case q.HasFile && !q.Older && ix.HoldingOlder(q.File).Has(h):
		return HoldsOlder
	case q.HasFile && ix.Lacking(q.File).Has(h) && !ix.HoldingOlder(q.File).Has(h):
		return LacksFile
	case !ix.Active().Has(h):
		return MarkedDown
	case q.Drained.Has(h):
		return Drained
	case q.Schemes != 0 && !wanted.Has(h):
		return LacksScheme
	case q.Reach != 0 && !ix.Reachable(q.Reach).Has(h):
		return LacksFamily
	case q.Record != 0 && !ix.WithRecord(q.Record).Has(h):
		return LacksRecord
	case !admitted.Has(h):
		return Private
	}
	allowed, excluded := ix.Registered(h).Allowed, ix.Registered(h).Excluded
	switch {
	case len(allowed) > 0 && !slices.Contains(allowed, q.Place.Country):
		return CountryNotAllowed
	case slices.Contains(excluded, q.Place.Country):
		return CountryExcluded
	}
	return Avoided
}
