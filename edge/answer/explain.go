package answer

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// An Explanation says why a client gets these mirrors, and why not the
// others. It names private hosts and all URLs: it is for operators.
type Explanation struct {
	Client  netip.Addr   `json:"client"`
	Prefix  netip.Prefix `json:"prefix"` // the widest around the client in which all clients are alike
	Country string       `json:"country,omitempty"`

	Netblocks []netip.Prefix `json:"netblocks,omitempty"` // declared ones around the client, the longest first
	ASN       Row            `json:"asn"`                 // the raw row of the table prefix → AS
	Database  Row            `json:"country_row"`         // the raw row of the country database
	Override  string         `json:"country_override,omitempty"`

	Path      string `json:"path"`
	Category  string `json:"category"`
	Directory string `json:"directory"` // whose holders count
	File      string `json:"file,omitempty"`
	Policy    string `json:"policy"`

	Bands        []ExplainedBand `json:"bands"`
	Rejected     []Rejected      `json:"rejected"`
	AllDown      bool            `json:"all_down"`      // every eligible host is down
	AvoidIgnored bool            `json:"avoid_ignored"` // avoid_country= would have left none

	Version uint64    `json:"snapshot_version"`
	Created time.Time `json:"snapshot_created"`
}

// A Row is a row of a raw table.
type Row struct {
	Prefix netip.Prefix `json:"prefix"`
	Value  string       `json:"value"`            // "" if no row covers the client
	Source string       `json:"source,omitempty"` // whom it came from, where there are several
}

// An ExplainedBand is a band and its hosts in the order of this answer.
type ExplainedBand struct {
	Name   string   `json:"name"`
	Prefix string   `json:"prefix,omitempty"` // the declared one, of a netblock band
	Hosts  []Chosen `json:"hosts"`
}

// Chosen is an eligible host.
type Chosen struct {
	Name    string   `json:"name"`
	Country string   `json:"country,omitempty"`
	URLs    []string `json:"urls,omitempty"`
	Down    bool     `json:"down,omitempty"` // and so left out, unless all are

	// Distance is how far the host is taken to be, and by what, where a policy
	// says order: nearest.
	Distance string `json:"distance,omitempty"`
}

// Rejected is a host that is not eligible, or has no place in the answer.
type Rejected struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Explain answers q and says why. It is for the slow path.
func (v *View) Explain(q *Query) *Explanation {
	var a Answer
	all := *q
	all.Count = 0
	v.Answer(&all, &a)
	ix := v.Index
	t := &q.Target
	category := ix.Category(t.Category)
	x := &Explanation{
		Client: a.Place.Addr, Country: a.Place.Country.String(),
		Path: string(t.Path), Category: category.Name,
		Directory: ix.Directory(t.Directory).Path, Policy: category.Policy.String(),
		AllDown: a.AllDown(), AvoidIgnored: a.Match.AvoidIgnored,
		Version: ix.Version(), Created: ix.Created(),
	}
	if t.HasFile {
		x.File = string(ix.Files().Name(t.File))
	}
	x.explainClient(ix, &a.Place)
	x.explainBands(v, &a, a.from(a.family(&all)))
	x.explainRejected(ix, &a)
	return x
}

// explainClient fills in who the client is, from the raw tables.
func (x *Explanation) explainClient(ix *index.Index, p *index.Place) {
	x.Prefix, _ = p.Addr.Prefix(p.Bits)
	for _, b := range ix.Netblocks(p) {
		x.Netblocks = append(x.Netblocks, b.Prefix)
	}
	in := ix.Inputs()
	if prefix, number, ok := in.ASNs.Lookup(p.Addr); ok {
		x.ASN = Row{Prefix: prefix}
		if number != 0 { // else the prefix is known to have no single origin
			x.ASN.Value = "AS" + strconv.FormatUint(uint64(number), 10)
		}
	}
	if prefix, code, ok := in.Countries.Lookup(p.Addr); ok {
		x.Database = Row{Prefix: prefix, Value: geo.CountryFromUint32(code).String()}
	}
	if x.Database.Value != x.Country {
		x.Override = x.Country
	}
}

// explainBands fills in the eligible hosts: those in the answer in its order,
// then those left out for being down.
func (x *Explanation) explainBands(v *View, a *Answer, from distance.From) {
	for _, b := range a.Match.Bands() {
		out := ExplainedBand{Name: v.bandName(a, b.Kind)}
		if b.Older {
			out.Name += ", older version"
		}
		if b.Kind == snapshot.BandNetblock {
			if p, err := a.Place.Addr.Prefix(b.Bits); err == nil {
				out.Prefix = p.String()
			}
		}
		left := append(b.Hosts[:0:0], b.Hosts...)
		for _, h := range a.Hosts() {
			if left.Has(h) {
				out.Hosts = append(out.Hosts, v.chosen(a, &from, h, a.AllDown()))
				left.Remove(h)
			}
		}
		left.Each(func(h uint32) { out.Hosts = append(out.Hosts, v.chosen(a, &from, h, true)) })
		x.Bands = append(x.Bands, out)
	}
}

// explainRejected fills in the hosts that are in no band, and why.
func (x *Explanation) explainRejected(ix *index.Index, a *Answer) {
	banded := hostset.Make(ix.Hosts())
	for _, b := range a.Match.Bands() {
		banded.Or(b.Hosts)
	}
	for h, why := range match.Explain(ix, &a.Query) {
		reason := why.String()
		switch {
		case banded.Has(uint32(h)):
			continue
		case why == match.Eligible:
			reason = "in no band of the policy, or beyond the end of the list"
		case why == match.HoldsOlder:
			reason += " (alternate " + strconv.Itoa(alternate(ix.Files(), a.Query.File, uint32(h))) + ")"
		}
		x.Rejected = append(x.Rejected, Rejected{ix.Registered(uint32(h)).Name, reason})
	}
}

// alternate returns which of a file's alternates a host holds: 1 is the newest.
func alternate(files *snapshot.Files, file, host uint32) int {
	current, _ := files.Versions(file)
	for _, o := range files.Older(file) {
		if o.Host == host {
			return int(o.Version - current)
		}
	}
	return 0
}

// bandName names a band as policies do, but for the continent's of a policy
// that goes by distance.
func (v *View) bandName(a *Answer, b snapshot.Band) string {
	near := v.Index.Category(a.Query.Category).Policy.Order == snapshot.Nearest
	if b == snapshot.BandContinent && near && !a.Match.Asked() && v.Index.Vec(&a.Place).Known() {
		return "distance"
	}
	return b.String()
}

func (v *View) chosen(a *Answer, from *distance.From, h uint32, down bool) Chosen {
	r := v.Index.Registered(h)
	c := Chosen{Name: r.Name, Country: r.Country.String(), Down: down, Distance: explainDistance(from, h, v.Index.Host(h).Vec)}
	for _, u := range v.Index.URLs(a.Query.Category, h) {
		c.URLs = append(c.URLs, u.Base)
	}
	return c
}

// explainDistance returns how far a host is, in words; "" if that does not matter.
func explainDistance(from *distance.From, h uint32, at geo.Vec) string {
	if !from.Known() {
		return ""
	}
	ring, measured := from.Ring(h, at)
	_, upTo := geo.RingBounds(ring)
	switch {
	case upTo == 0:
		return "nobody knows how far"
	case measured:
		return fmt.Sprintf("up to %d km, by round-trip times", upTo)
	}
	return fmt.Sprintf("up to %d km, by coordinates", upTo)
}
