package http

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// The first line of a text list says what was asked for, and why the hosts
// below it are there. Each fragment ends with a blank, but that of protocol=:
//
//	# repo = epel-9 arch = x86_64 Using ASN 553 country = DE country = AT country = global
//
// A country is named if a public host there holds the directory, even one that
// does not serve the client's country or has no URL, as MirrorManager does it.

// appendTitle appends what was asked for.
func (l *list) appendTitle(buf []byte) []byte {
	if l.repo == "" && l.params.given[paramPath] {
		buf = append(buf, "# path = "...)
		buf = appendVisible(buf, l.path)
		return append(buf, ' ')
	}
	buf = append(buf, "# repo = "...)
	buf = appendVisible(buf, []byte(l.repo))
	buf = append(buf, " arch = "...)
	buf = appendVisible(buf, l.params.value[paramArch])
	return append(buf, ' ')
}

// appendHeader appends the header without the newline at its end. minimum is
// how many hosts are enough; 0: as many as the policy says.
func (l *list) appendHeader(buf []byte, r *request, minimum int) []byte {
	ix, a := r.view.Index, &r.answer
	buf = l.appendTitle(buf)
	l.findHave(ix, a)
	if !l.params.noNear() {
		buf = l.appendNear(buf, ix, &a.Place)
	}
	buf = l.appendAsked(buf, ix, a)
	if !a.Match.Asked() {
		buf = l.appendOwn(buf, ix, &a.Place)
		if global(a.Match.Bands(), cmp.Or(minimum, ix.Category(l.target.Category).Policy.Minimum)) {
			buf = append(buf, "country = global "...)
		}
	}
	if l.params.given[paramAvoid] {
		buf = l.appendAvoided(buf, a.Match.AvoidIgnored)
	}
	if len(l.params.protocols) > 0 {
		buf = append(buf, "protocol = "...)
		buf = appendVisible(buf, l.params.value[paramProtocol])
	}
	if l.params.given[paramTime] {
		buf = append(buf, "\n# database creation time: "...)
		buf = strconv.AppendInt(buf, ix.Created().Unix(), 10)
	}
	return buf
}

// findHave fills l.near with the hosts that hold the target and serve clients
// of this country, private ones among them, and l.have with the public hosts
// that hold the target.
func (l *list) findHave(ix *index.Index, a *answer.Answer) {
	if words := hostset.Words(ix.Hosts()); len(l.have) != words {
		l.have, l.near = make(hostset.Set, words), make(hostset.Set, words)
	}
	l.have.Copy(ix.Holders(l.target.Directory))
	if l.target.HasFile {
		l.have.AndNot(ix.Lacking(l.target.File))
	}
	l.have.And(ix.Active())
	l.have.AndNot(a.View.Health.Drained())
	if !a.Match.AvoidIgnored {
		for _, c := range l.params.avoid {
			l.have.AndNot(ix.HostsIn(c))
		}
	}
	l.near.Copy(l.have)
	l.near.AndNot(ix.Barred(&a.Place))
	l.have.And(ix.Public())
}

// appendNear says whether hosts declared the client's netblock, and whether
// some have its ASN or peer with it.
func (l *list) appendNear(buf []byte, ix *index.Index, place *index.Place) []byte {
	for _, b := range ix.Netblocks(place) {
		if l.near.Intersects(b.Hosts) {
			buf = append(buf, "Using preferred netblock "...)
			break
		}
	}
	number, own, peers := ix.ASN(place)
	if number == 0 || !l.near.Intersects(own) && !l.near.Intersects(peers) {
		return buf
	}
	buf = append(buf, "Using ASN "...)
	buf = strconv.AppendUint(buf, uint64(number), 10)
	return append(buf, ' ')
}

// appendAsked names the countries that were asked for and have hosts; where
// none has, those of their continents that have.
func (l *list) appendAsked(buf []byte, ix *index.Index, a *answer.Answer) []byte {
	found := false
	for i := range l.params.countries {
		c := &l.params.countries[i]
		switch {
		case c.global:
			buf = append(buf, "country = global "...)
			found = true
		case c.code.Known() && l.have.Intersects(ix.HostsIn(c.code)):
			buf = append(buf, "country = "...)
			buf = append(buf, c.text...) // two letters or digits
			buf = append(buf, ' ')
			found = true
		}
	}
	onContinent := func(b match.Band) bool { return b.Kind == snapshot.BandContinent }
	if found && !slices.ContainsFunc(a.Match.Bands(), onContinent) {
		return buf
	}
	for _, c := range l.params.codes {
		buf = l.appendCountries(buf, ix, ix.HostsAround(c), c)
	}
	return buf
}

// appendOwn names the client's country and the others of its continent.
func (l *list) appendOwn(buf []byte, ix *index.Index, place *index.Place) []byte {
	if l.have.Intersects(ix.InCountry(place)) {
		buf = appendCountry(buf, place.Country)
	}
	return l.appendCountries(buf, ix, ix.InContinent(place), place.Country)
}

// global reports whether the list is filled up from everywhere, be it in vain.
func global(bands []match.Band, minimum int) bool {
	near := 0
	for i := range bands {
		if bands[i].Kind == snapshot.BandEverywhere {
			return true
		}
		near += bands[i].Hosts.Len()
	}
	return near < minimum
}

func (l *list) appendAvoided(buf []byte, ignored bool) []byte {
	buf = append(buf, "avoid_country = "...)
	buf = appendVisible(buf, l.params.value[paramAvoid])
	if ignored {
		buf = append(buf, " (ignored: nothing would be left)"...)
	}
	return append(buf, ' ')
}

// A country code is two of the characters from '0' to 'Z', so that codes in
// order are the numbers below codeSpan².
const (
	codeFirst = '0'
	codeSpan  = 'Z' - codeFirst + 1
)

// appendCountries names the countries, but one, of the hosts in among that
// are in l.have, in order.
func (l *list) appendCountries(buf []byte, ix *index.Index, among hostset.Set, but geo.Country) []byte {
	var seen [(codeSpan*codeSpan + 63) / 64]uint64
	for i, w := range among {
		for w &= l.have[i]; w != 0; w &= w - 1 {
			c := ix.Host(uint32(i*64 + bits.TrailingZeros64(w))).Country
			code := uint(c[0]-codeFirst)*codeSpan + uint(c[1]-codeFirst)
			seen[code/64%uint(len(seen))] |= 1 << (code % 64)
		}
	}
	for i, w := range seen {
		for ; w != 0; w &= w - 1 {
			code := i*64 + bits.TrailingZeros64(w)
			c := geo.Country{byte(code/codeSpan) + codeFirst, byte(code%codeSpan) + codeFirst}
			if c != but {
				buf = appendCountry(buf, c)
			}
		}
	}
	return buf
}

func appendCountry(buf []byte, c geo.Country) []byte {
	buf = append(buf, "country = "...)
	return append(buf, c[0], c[1], ' ')
}

// appendVisible appends what the client said, with ? for control characters:
// a line must stay a line.
func appendVisible(buf, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		buf = append(buf, c)
	}
	return buf
}
