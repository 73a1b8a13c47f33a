package match_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// slow deals one host at a time, by the prose of architecture.md §3 and the
// raw snapshot.
type slow struct {
	in    index.Inputs
	q     *match.Query
	exact bool // the known part of the address settles who the client is
	near  geo.Vec
}

func (s *slow) asked() bool { return s.q.Global || len(s.q.Countries) > 0 }

// netblock returns the length of the longest netblock of h that holds all that
// is known of the client, or -1.
func (s *slow) netblock(h *snapshot.Host) int {
	longest := -1
	for _, p := range h.Netblocks {
		if p.Contains(s.q.Place.Addr) && p.Bits() <= s.q.Place.Source {
			longest = max(longest, p.Bits())
		}
	}
	return longest
}

func (s *slow) asn() uint32 {
	_, number, _ := s.in.ASNs.Lookup(s.q.Place.Addr)
	return number
}

func (s *slow) own(h *snapshot.Host) bool { return s.asn() != 0 && slices.Contains(h.ASNs, s.asn()) }

func (s *slow) peer(h *snapshot.Host) bool {
	return s.asn() != 0 && slices.Contains(h.PeerASNs, s.asn())
}

func hasFamily(h *snapshot.Host, f index.Family) bool {
	return slices.ContainsFunc(h.Addresses, func(a netip.Addr) bool { return a.Is4() == (f == index.V4) })
}

func (s *slow) hasURL(h *snapshot.Host) bool {
	for _, m := range h.Mounts {
		for _, u := range m.URLs {
			if m.Category == s.q.Category && s.q.Schemes&index.SchemeOf(u) != 0 {
				return true
			}
		}
	}
	return false
}

// holds reports whether a reason holds for a host, whatever else does.
func (s *slow) holds(why match.Reason, n uint32) bool {
	h, q := &s.in.Snapshot.Hosts[n], s.q
	switch why {
	case match.LacksDirectory:
		return !h.Has.Has(q.Directory)
	case match.LacksFile:
		return q.HasFile && slices.Contains(s.in.Snapshot.Files.Lacks(q.File), n) && !s.older(n)
	case match.HoldsOlder:
		return !q.Older && s.older(n)
	case match.MarkedDown:
		return h.Down
	case match.Drained:
		return q.Drained.Has(n)
	case match.LacksScheme:
		return q.Schemes != 0 && !s.hasURL(h)
	case match.LacksFamily:
		return q.Reach != 0 && len(h.Addresses) > 0 && !hasFamily(h, q.Reach)
	case match.LacksRecord:
		return q.Record != 0 && (!h.DNS || !hasFamily(h, q.Record))
	case match.Private:
		theirs := s.netblock(h) >= 0 || s.exact && (s.own(h) || s.peer(h))
		return h.Private && (!theirs || s.asked() || q.NoNear || q.NoPrivate)
	case match.CountryNotAllowed:
		return len(h.Allowed) > 0 && !slices.Contains(h.Allowed, q.Place.Country)
	case match.CountryExcluded:
		return slices.Contains(h.Excluded, q.Place.Country)
	case match.Avoided:
		return slices.Contains(q.Avoid, h.Country)
	}
	return false
}

// older reports whether a host holds an older version of the file.
func (s *slow) older(n uint32) bool {
	return s.q.HasFile && slices.ContainsFunc(s.in.Snapshot.Files.Older(s.q.File), func(h snapshot.Holder) bool { return h.Host == n })
}

// reasons returns why each host is not eligible: the first reason that holds.
func (s *slow) reasons() (why []match.Reason, avoidIgnored bool) {
	why = make([]match.Reason, len(s.in.Snapshot.Hosts))
	left, avoided := 0, 0
	for n := range why {
		for r := match.LacksDirectory; r <= match.Avoided && why[n] == match.Eligible; r++ {
			if s.holds(r, uint32(n)) {
				why[n] = r
			}
		}
		switch why[n] {
		case match.Eligible:
			left++
		case match.Avoided:
			avoided++
		}
	}
	if left > 0 || avoided == 0 {
		return why, false
	}
	for n := range why {
		if why[n] == match.Avoided {
			why[n] = match.Eligible
		}
	}
	return why, true
}

// place is a host's band, and the netblock's length in it.
type place struct {
	kind  snapshot.Band
	bits  int
	older int // 1: holds an older version of the file
}

// candidates returns the bands that name a host, the best first. found says
// that asked-for countries or their continents have some host.
func (s *slow) candidates(h *snapshot.Host, found bool) (out []place) {
	q := s.q
	continent := s.in.Continents.With(s.in.Snapshot.ContinentOverrides).Of
	if found {
		if q.Global || slices.Contains(q.Countries, h.Country) && h.Country.Known() {
			out = append(out, place{kind: snapshot.BandCountry})
		}
		for _, c := range q.Countries {
			if continent(c).Known() && continent(c) == continent(h.Country) {
				out = append(out, place{kind: snapshot.BandContinent})
			}
		}
		return append(out, place{kind: snapshot.BandEverywhere})
	}
	if !s.asked() && !q.NoNear {
		if bits := s.netblock(h); bits >= 0 {
			out = append(out, place{kind: snapshot.BandNetblock, bits: bits})
		}
		if s.own(h) {
			out = append(out, place{kind: snapshot.BandASN})
		}
		if s.peer(h) {
			out = append(out, place{kind: snapshot.BandPeerASN})
		}
	}
	if h.Country.Known() && h.Country == q.Place.Country {
		out = append(out, place{kind: snapshot.BandCountry})
	}
	_, central := geo.Centroid(h.Country)
	switch nearest := s.in.Snapshot.Categories[q.Category].Policy.Order == snapshot.Nearest; {
	case nearest && s.near.Known():
		if h.Place != nil || central {
			out = append(out, place{kind: snapshot.BandContinent})
		}
	case continent(h.Country).Known() && continent(h.Country) == continent(q.Place.Country):
		out = append(out, place{kind: snapshot.BandContinent})
	}
	return append(out, place{kind: snapshot.BandEverywhere})
}

// bands returns the bands as text, a line each.
func (s *slow) bands(why []match.Reason) (lines []string, found bool) {
	for n, r := range why {
		if s.asked() && r == match.Eligible {
			found = found || s.candidates(&s.in.Snapshot.Hosts[n], true)[0].kind != snapshot.BandEverywhere
		}
	}
	in := map[place][]int{}
	for n, r := range why {
		if r != match.Eligible {
			continue
		}
		for _, p := range s.candidates(&s.in.Snapshot.Hosts[n], found) {
			always := found && p.kind != snapshot.BandEverywhere
			if s.older(uint32(n)) {
				p.older = 1
			}
			if always || s.in.Snapshot.Categories[s.q.Category].Policy.Bands.Has(p.kind) {
				in[p] = append(in[p], n)
				break
			}
		}
	}
	places := slices.SortedFunc(func(yield func(place) bool) {
		for p := range in {
			if !yield(p) {
				return
			}
		}
	}, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.older, b.older), cmp.Compare(a.kind, b.kind), cmp.Compare(b.bits, a.bits))
	})
	for _, p := range places {
		lines = append(lines, fmt.Sprint(p.kind, p.bits, p.older == 1, in[p]))
	}
	return lines, found
}

func fast(m *match.Match) (lines []string) {
	for _, b := range m.Bands() {
		lines = append(lines, fmt.Sprint(b.Kind, b.Bits, b.Older, members(b.Hosts)))
	}
	return lines
}

func members(s hostset.Set) (out []int) {
	s.Each(func(h uint32) { out = append(out, int(h)) })
	return out
}

// drawInputs returns a random catalogue of 1 to 200 hosts with random policies.
func drawInputs(seed uint64) (index.Inputs, *rand.Rand) {
	r := rand.New(rand.NewPCG(seed, 'M'))
	c := synth.Small(seed)
	c.Hosts, c.Nearest = 1+r.IntN(200), seed%3 == 0
	in := synth.Inputs(c)
	for i := range in.Snapshot.Categories {
		if r.IntN(2) == 0 {
			in.Snapshot.Categories[i].Policy.Bands = snapshot.BandSet(r.IntN(1 << snapshot.Bands))
		}
	}
	in.Snapshot.ContinentOverrides = map[geo.Country]geo.Continent{{'I', 'L'}: {'E', 'U'}}
	return in, r
}

// drawQuery returns a random query of a client; half of them have nothing special.
func drawQuery(r *rand.Rand, in index.Inputs, ix *index.Index, a netip.Addr) match.Query {
	if stale := slices.Sorted(maps.Keys(in.Snapshot.Files.AllOlder())); len(stale) > 0 && r.IntN(8) == 0 {
		file := stale[r.IntN(len(stale))]
		dir := directoryOf(in.Snapshot, file)
		return refine(r, ix.Hosts(), match.Query{
			Directory: dir, Category: in.Snapshot.Directories[dir].Category, HasFile: true, File: file, Place: ix.Place(a, a.BitLen()),
		})
	}
	dir := uint32(r.IntN(ix.Directories()))
	if from, to := in.Snapshot.Files.In(dir); r.IntN(3) == 0 && to > from {
		return refine(r, ix.Hosts(), match.Query{
			Directory: dir, Category: in.Snapshot.Directories[dir].Category,
			HasFile: true, File: from + uint32(r.IntN(int(to-from))), Place: ix.Place(a, a.BitLen()),
		})
	}
	source := a.BitLen()
	if r.IntN(3) == 0 {
		source = r.IntN(source + 1)
	}
	return refine(r, ix.Hosts(), match.Query{Directory: dir, Category: in.Snapshot.Directories[dir].Category, Place: ix.Place(a, source)})
}

func directoryOf(s *snapshot.Snapshot, file uint32) uint32 {
	for dir := range uint32(len(s.Directories)) {
		if from, to := s.Files.In(dir); from <= file && file < to {
			return dir
		}
	}
	panic("a file in no directory")
}

func refine(r *rand.Rand, hosts int, q match.Query) match.Query {
	oneIn := func(n int) bool { return r.IntN(n) == 0 }
	codes := func() (out []geo.Country) {
		for range 1 + r.IntN(3) {
			text := []string{"DE", "US", "FJ", "BR", "ZA", "AU", "ZZ", "IL", "NC"}[r.IntN(9)]
			out = append(out, geo.Country{text[0], text[1]})
		}
		return out
	}
	if oneIn(2) {
		q.Schemes = index.Schemes(r.IntN(int(index.AnyScheme) + 1))
	}
	if oneIn(3) {
		q.Reach = index.Family(r.IntN(3))
	}
	if oneIn(4) {
		q.Record = index.Family(r.IntN(3))
	}
	if oneIn(4) {
		q.Countries = codes()
	}
	q.Global = oneIn(12)
	q.NoNear = oneIn(8)
	q.NoPrivate = oneIn(8)
	q.Older = oneIn(2)
	if oneIn(4) {
		q.Drained = hostset.Make(hosts)
		for range r.IntN(hosts + 1) {
			q.Drained.Add(uint32(r.IntN(hosts)))
		}
	}
	if oneIn(5) {
		for range 1 + 3*r.IntN(2) {
			q.Avoid = append(q.Avoid, codes()...)
		}
	}
	return q
}

// TestTwin compares with the slow way, with one Match for all catalogues.
func TestTwin(t *testing.T) {
	var m match.Match
	queries, older, kinds, whys := 0, 0, map[snapshot.Band]int{}, map[match.Reason]int{}
	for seed := range uint64(20) {
		in, r := drawInputs(seed)
		ix := index.Compile(in)
		for _, a := range slices.Concat(synth.Clients(in, seed, 150), edges(in)) {
			q := drawQuery(r, in, ix, a)
			s := slow{in: in, q: &q, exact: q.Place.Exact(), near: ix.Vec(&q.Place)}
			wantWhy, wantIgnored := s.reasons()
			want, wantAsked := s.bands(wantWhy)
			m.Find(ix, &q)
			if diff := gocmp.Diff(want, fast(&m)); diff != "" {
				t.Fatalf("seed %d, client %v: bands of %+v (-want +got):\n%s", seed, a, q, diff)
			}
			if m.AvoidIgnored != wantIgnored || m.Asked() != wantAsked {
				t.Fatalf("%+v: AvoidIgnored %v, want %v; Asked %v, want %v", q, m.AvoidIgnored, wantIgnored, m.Asked(), wantAsked)
			}
			for h, why := range wantWhy {
				if m.Eligible().Has(uint32(h)) != (why == match.Eligible) {
					t.Fatalf("%+v: host %d is eligible: %v, want %v", q, h, m.Eligible().Has(uint32(h)), why)
				}
				whys[why]++
			}
			if diff := gocmp.Diff(wantWhy, match.Explain(ix, &q)); diff != "" {
				t.Fatalf("%+v: Explain (-want +got):\n%s", q, diff)
			}
			for _, b := range m.Bands() {
				kinds[b.Kind]++
				if b.Older {
					older++
				}
			}
			queries++
		}
	}
	if queries < 3000 || older < 100 || len(kinds) != int(snapshot.Bands) || len(whys) != int(match.Avoided)+1 {
		t.Errorf("%d queries, bands %v, %d of older versions, reasons %v: some never occurred", queries, kinds, older, whys)
	}
}

// edges returns the first and the last address of some netblocks of hosts.
func edges(in index.Inputs) (out []netip.Addr) {
	for i := range in.Snapshot.Hosts {
		for _, p := range in.Snapshot.Hosts[i].Netblocks {
			if out = append(out, p.Addr(), p.Addr().Prev()); len(out) > 60 {
				return out
			}
		}
	}
	return out
}

// TestPrivateNeverLeaks looks at clients that are in no netblock and no AS of
// a private host: none of those is in any set.
func TestPrivateNeverLeaks(t *testing.T) {
	var m match.Match
	for seed := range uint64(6) {
		in, r := drawInputs(seed)
		ix := index.Compile(in)
		for _, a := range synth.Clients(in, seed+100, 400) {
			q := drawQuery(r, in, ix, a)
			s := slow{in: in, q: &q}
			m.Find(ix, &q)
			out := hostset.Make(ix.Hosts())
			out.Copy(m.Eligible())
			for _, b := range m.Bands() {
				out.Or(b.Hosts)
			}
			out.Each(func(h uint32) {
				if from := &in.Snapshot.Hosts[h]; from.Private && s.netblock(from) < 0 && !s.own(from) && !s.peer(from) {
					t.Errorf("%v gets the private host %s", a, from.Name)
				}
			})
		}
	}
}
