package http

import (
	"bytes"
	"math/rand/v2"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// ask fills r.asked with what the client asks for at t, by who it is and by
// its parameters: country=, avoid_country= and protocol=, which are lists.
// What they say that means nothing here is passed over.
func (r *request) ask(t *index.Target) {
	q := &r.asked
	*q = answer.Query{
		Client: r.client, Target: *t,
		Schemes: r.schemes(t), Reach: index.FamilyOf(r.client),
		Countries: q.Countries[:0], Avoid: q.Avoid[:0],
		Random: rand.Uint64(), //nolint:gosec // it spreads load, and guards nothing
	}
	if len(r.query) == 0 {
		return
	}
	if value, _ := param(r.query, "country"); len(value) > 0 {
		q.Countries, q.Global = appendCountries(q.Countries, r.decoded(value))
	}
	if value, _ := param(r.query, "avoid_country"); len(value) > 0 {
		q.Avoid, _ = appendCountries(q.Avoid, r.decoded(value))
	}
}

// schemes returns the schemes of URLs that the client may be given: https
// only, if it came by https itself. A client that came by http gets https or
// http, unless the policy keeps schemes or protocol= chooses.
func (r *request) schemes(t *index.Target) index.Schemes {
	if r.secure {
		return index.HTTPS
	}
	schemes := index.Web
	if r.view.Index.Category(t.Category).Policy.SameScheme {
		schemes = index.HTTP
	}
	if len(r.query) == 0 {
		return schemes
	}
	value, _ := param(r.query, "protocol")
	if chosen := parseSchemes(r.decoded(value)) & index.Web; chosen != 0 {
		return chosen
	}
	return schemes
}

// parseSchemes returns the schemes of a comma-separated list.
func parseSchemes(list []byte) (s index.Schemes) {
	for len(list) > 0 {
		var element []byte
		element, list, _ = bytes.Cut(list, []byte(","))
		switch element = bytes.TrimSpace(element); {
		case equalFold(element, "https"):
			s |= index.HTTPS
		case equalFold(element, "http"):
			s |= index.HTTP
		}
	}
	return s
}

// appendCountries appends the countries of a comma-separated list; global
// reports whether it has the word.
func appendCountries(dst []geo.Country, list []byte) (countries []geo.Country, global bool) {
	for len(list) > 0 && len(dst) < maxCountries {
		var element []byte
		element, list, _ = bytes.Cut(list, []byte(","))
		element = bytes.TrimSpace(element)
		if c := parseCountry(element); c.Known() {
			dst = append(dst, c)
		}
		global = global || equalFold(element, "global")
	}
	return dst, global
}

// parseCountry returns the country of a code of two letters, in either case;
// unknown for anything else.
func parseCountry(b []byte) geo.Country {
	if len(b) != 2 {
		return geo.Country{}
	}
	return geo.CountryFromUint32(uint32(upper(b[0]))<<8 | uint32(upper(b[1])))
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
