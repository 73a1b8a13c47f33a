package http

import (
	"bytes"
	"slices"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// A listName is a parameter of a list.
type listName uint8

// The parameters that count; others are ignored, as MirrorManager does.
const (
	paramPath listName = iota
	paramRepo
	paramArch
	paramCountry
	paramAvoid
	paramNetblock
	paramProtocol
	paramRedirect
	paramTime
	listNames
)

// listNameOf returns the parameter called key, or listNames.
func listNameOf(key []byte) listName {
	switch string(key) {
	case "path":
		return paramPath
	case "repo":
		return paramRepo
	case "arch":
		return paramArch
	case "country":
		return paramCountry
	case "avoid_country":
		return paramAvoid
	case "netblock":
		return paramNetblock
	case "protocol":
		return paramProtocol
	case "redirect":
		return paramRedirect
	case "time":
		return paramTime
	}
	return listNames
}

// listParams are the parameters of one list, and their parts.
//
// Of a parameter that is given twice the last counts. A value is what follows
// the first equals sign, percent-decoded; where the name of a path or
// repository is unknown that way, it is looked up as it was sent, for clients
// that do not encode. A plus sign is a plus sign, which repository and file
// names have more often than blanks.
type listParams struct {
	raw     [listNames][]byte
	value   [listNames][]byte
	given   [listNames]bool
	scratch []byte

	countries []askedCountry // country=, sorted and without repeats, as text
	codes     []geo.Country  // the known ones of them
	global    bool           // one of them is global
	avoid     []geo.Country  // avoid_country=
	protocols [][]byte       // protocol=, without repeats
	schemes   index.Schemes  // what protocols stand for
}

// An askedCountry is one element of country=.
type askedCountry struct {
	text   []byte // as it was given
	code   geo.Country
	global bool
}

// How many elements of a list count; the rest are ignored. Every country costs
// a look at its continent, and nobody asks for a hundred.
const (
	maxCountries = 64
	maxProtocols = 16
)

// parse reads the parameters of a raw query, which must stay as it is while
// they are in use.
func (p *listParams) parse(query []byte) {
	*p = listParams{
		scratch: p.scratch[:0], countries: p.countries[:0], codes: p.codes[:0],
		avoid: p.avoid[:0], protocols: p.protocols[:0],
	}
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		if n := listNameOf(key); n < listNames {
			p.raw[n], p.given[n] = value, true
		}
	}
	for n := range p.raw {
		p.value[n] = p.decode(p.raw[n])
	}
	if bytes.Contains(p.value[paramRepo], []byte("source")) {
		p.raw[paramArch], p.value[paramArch] = []byte("source"), []byte("source")
	}
	p.parseCountries()
	p.parseAvoid()
	p.parseProtocols()
}

// decode returns a value decoded, or as it is where nothing is encoded or an
// encoding is incomplete.
func (p *listParams) decode(value []byte) []byte {
	if bytes.IndexByte(value, '%') < 0 {
		return value
	}
	from := len(p.scratch)
	out, ok := appendUnescaped(p.scratch, value)
	if p.scratch = out; !ok {
		return value
	}
	return slices.Clip(out[from:])
}

func (p *listParams) parseCountries() {
	for rest := p.value[paramCountry]; len(rest) > 0; {
		var text []byte
		text, rest, _ = bytes.Cut(rest, []byte(","))
		p.countries = append(p.countries, askedCountry{text: text})
	}
	slices.SortFunc(p.countries, func(a, b askedCountry) int { return bytes.Compare(a.text, b.text) })
	p.countries = slices.CompactFunc(p.countries, func(a, b askedCountry) bool { return bytes.Equal(a.text, b.text) })
	p.countries = p.countries[:min(len(p.countries), maxCountries)]
	for i := range p.countries {
		c := &p.countries[i]
		if c.global = bytes.EqualFold(c.text, []byte("global")); c.global {
			p.global = true
		} else if c.code = parseCountry(c.text); c.code.Known() {
			p.codes = append(p.codes, c.code)
		}
	}
}

func (p *listParams) parseAvoid() {
	for rest := p.value[paramAvoid]; len(rest) > 0 && len(p.avoid) < maxCountries; {
		var text []byte
		text, rest, _ = bytes.Cut(rest, []byte(","))
		if c := parseCountry(text); c.Known() {
			p.avoid = append(p.avoid, c)
		}
	}
}

func (p *listParams) parseProtocols() {
	for rest := p.value[paramProtocol]; len(rest) > 0 && len(p.protocols) < maxProtocols; {
		var text []byte
		text, rest, _ = bytes.Cut(rest, []byte(","))
		same := func(have []byte) bool { return bytes.Equal(have, text) }
		if !slices.ContainsFunc(p.protocols, same) {
			p.protocols = append(p.protocols, text)
			p.schemes |= schemeOf(text)
		}
	}
}

// schemeOf returns the set in which URLs of a protocol are.
func schemeOf(protocol []byte) index.Schemes {
	switch string(protocol) {
	case "https":
		return index.HTTPS
	case "http":
		return index.HTTP
	case "ftp":
		return index.FTP
	case "rsync":
		return index.RSYNC
	}
	return index.OtherScheme
}

// wantsRedirect reports whether the list is to be a redirect to its first URL:
// redirect with any value, or none, but 0.
func (p *listParams) wantsRedirect() bool {
	return p.given[paramRedirect] && string(p.value[paramRedirect]) != "0"
}

// noNear reports whether the client's netblock and ASN do not count: netblock
// is given and is not 1, or countries were asked for.
func (p *listParams) noNear() bool {
	return len(p.value[paramCountry]) > 0 || p.given[paramNetblock] && string(p.value[paramNetblock]) != "1"
}

// matches reports whether u is of one of the protocols that were asked for, if any were.
func (p *listParams) matches(u *index.URL) bool {
	if len(p.protocols) == 0 {
		return true
	}
	if u.Scheme != index.OtherScheme {
		return p.schemes&u.Scheme != 0
	}
	for _, protocol := range p.protocols {
		if n := len(protocol); len(u.Base) > n && u.Base[n] == ':' && u.Base[:n] == string(protocol) {
			return true
		}
	}
	return false
}
