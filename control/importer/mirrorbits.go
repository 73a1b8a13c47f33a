package importer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// MirrorbitsOptions are what mirrorbits does not know.
type MirrorbitsOptions struct {
	Site     string // of all hosts
	Category string // which they all carry
	Path     string // the category's top directory, "" for the root
}

// Mirrorbits reads mirrors of a mirrorbits (https://github.com/videolabs/mirrorbits)
// in any of the forms in which it gives them out:
//
//   - what mirrorbits show prints, or mirrorbits edit gives to an editor, one or
//     several after another: "Mirror: NAME", then lines KEY: VALUE, then comments;
//   - JSON: the answer to ?mirrorlist, or a list or an object of mirrors, with
//     its Go names or with the fields of its database's MIRROR_… hashes;
//   - what mirrorbits export mirmon prints: lines COUNTRY URL MAIL, where a
//     host's URLs are those with one host name.
//
// Rsync and FTP URLs are for scanning and become private. A score becomes a
// bandwidth. Who served only its country or its AS still does; who served only
// its continent is switched off, because a host here is for countries. Nothing
// of this says what a mirror holds: a crawl finds that out.
func Mirrorbits(file string, data []byte, o MirrorbitsOptions) (*Result, error) {
	c := newCollector(file)
	var records []record
	var problem *snapshot.Problem
	switch text := bytes.TrimSpace(data); {
	case len(text) > 0 && (text[0] == '{' || text[0] == '['):
		records, problem = jsonRecords(data)
	case isMirmon(text):
		records, problem = mirmonRecords(data)
	default:
		records, problem = shownRecords(data)
	}
	if problem == nil && len(records) == 0 {
		problem = &snapshot.Problem{Text: "want mirrors of mirrorbits, got none"}
	}
	if problem != nil {
		problem.File = file
		return nil, snapshot.Problems{*problem}
	}
	on := registry.Activity{AdminActive: true, UserActive: true}
	c.add(0, &registry.Site{Name: o.Site, State: registry.Approved, Activity: on})
	c.add(0, &registry.Category{Name: o.Category, Path: o.Path})
	names := map[string]bool{}
	for _, r := range records {
		if err := c.mirror(r, o, names); err != nil {
			return nil, snapshot.Problems{{File: file, Line: cmp.Or(r.lines[strings.ToUpper(err.key)], r.line), Key: err.key, Text: err.text}}
		}
	}
	return c.done(), nil
}

// A record is one mirror: its fields by their names in capitals, as "HTTPURL".
type record struct {
	line   int // where it begins
	fields map[string]string
	lines  map[string]int // where its fields stand
}

// A badField is a field that cannot be read.
type badField struct{ key, text string }

// get returns a field by one of its names.
func (r record) get(names ...string) string {
	for _, n := range names {
		if v := strings.TrimSpace(r.fields[strings.ToUpper(n)]); v != "" {
			return v
		}
	}
	return ""
}

// A reader reads fields of a record until one is bad.
type reader struct {
	record

	bad *badField
}

func (r *reader) fail(name, want string) {
	if r.bad == nil {
		r.bad = &badField{name, fmt.Sprintf("want %s, got %.100q", want, r.get(name))}
	}
}

func (r *reader) flag(name string) bool {
	text := r.get(name)
	b, err := strconv.ParseBool(cmp.Or(text, "false"))
	if err != nil {
		r.fail(name, "true or false")
	}
	return b
}

func (r *reader) number(names ...string) float64 {
	text := r.get(names...)
	f, err := strconv.ParseFloat(cmp.Or(text, "0"), 64)
	if err != nil || f != f || f > 1e15 || f < -1e15 {
		r.fail(names[0], "a number")
	}
	return f
}

// countries returns the codes of a list between blanks or commas.
func (r *reader) countries(name string) (out []string) {
	for _, text := range strings.FieldsFunc(r.get(name), func(c rune) bool { return c == ' ' || c == ',' }) {
		code, err := geo.ParseCountry(text)
		if err != nil {
			r.fail(name, "country codes of two letters")
			return nil
		}
		if !slices.Contains(out, code.String()) {
			out = append(out, code.String())
		}
	}
	return out
}

// mirror adds a mirror as a host.
func (c *collector) mirror(rec record, o MirrorbitsOptions, names map[string]bool) *badField {
	r := &reader{record: rec}
	name := strings.ReplaceAll(r.get("Name", "ID"), "/", "-")
	if name == "" {
		return &badField{"Name", "want the mirror's name, got nothing"}
	}
	if names[name] {
		return &badField{"Name", fmt.Sprintf("%q is there already", name)}
	}
	names[name] = true
	h := &registry.Host{
		Name: name, Site: o.Site, Bandwidth: c.score(r, name), State: registry.Approved, Excluded: r.countries("ExcludedCountryCodes"),
		Comment: r.get("Comment"), Activity: registry.Activity{AdminActive: true, UserActive: r.get("Enabled") == "" || r.flag("Enabled")},
		Carries: []registry.Carry{{Category: o.Category, URLs: c.mirrorURLs(r, o.Site+"/"+name)}},
	}
	c.place(r, h)
	c.limit(r, h)
	if mail := r.get("AdminEmail"); mail != "" {
		h.Contacts = []string{mail}
		if (&registry.Site{Name: "x", State: registry.Approved, Contacts: h.Contacts}).Check() != nil {
			c.left(r.line, "AdminEmail", "host %s: left out: want a mail address, got %q", name, mail)
			h.Contacts = nil
		}
	}
	for _, field := range []string{"SponsorName", "SponsorURL", "SponsorLogoURL", "sponsorLogo", "AdminName", "CustomData", "AllowRedirects", "TZOffset"} {
		if v := r.get(field); v != "" && v != "0" && v != "null" {
			c.left(cmp.Or(r.lines[strings.ToUpper(field)], r.line), field, "host %s: left out: %.200q", name, v)
		}
	}
	if r.bad == nil {
		c.add(r.line, h)
	}
	return r.bad
}

// score returns a bandwidth: a score adds that many hundredths to a weight.
func (c *collector) score(r *reader, name string) uint32 {
	score := r.number("Score")
	if score == 0 {
		return 100
	}
	bandwidth := uint32(min(max(100+score, 1), 1e9))
	c.left(r.line, "Score", "host %s: a score of %v became a bandwidth of %d", name, score, bandwidth)
	return bandwidth
}

// mirrorURLs returns a mirror's URLs; one without a scheme is for http and https.
func (c *collector) mirrorURLs(r *reader, owner string) (out []registry.URL) {
	web := r.get("HttpURL", "http")
	all := []registry.URL{{URL: web}}
	if web != "" && !strings.Contains(web, "://") {
		all = []registry.URL{{URL: "https://" + web}, {URL: "http://" + web}}
	}
	all = append(all, registry.URL{URL: r.get("RsyncURL", "rsync"), Private: true}, registry.URL{URL: r.get("FtpURL", "ftp"), Private: true})
	for _, u := range all {
		if u.URL == "" {
			continue
		}
		if text, ok := c.url(owner, strings.TrimRight(u.URL, "/")); ok {
			out = append(out, registry.URL{URL: text, Private: u.Private})
		}
	}
	return out
}

func (c *collector) place(r *reader, h *registry.Host) {
	if countries := r.countries("CountryCodes"); len(countries) > 0 {
		h.Country = countries[0]
		if len(countries) > 1 {
			c.left(r.line, "CountryCodes", "host %s: it was also for %v, but is in one country here", h.Name, countries[1:])
		}
	}
	lat, lon := r.number("Latitude"), r.number("Longitude")
	if lat != 0 || lon != 0 {
		h.Location = &registry.Location{Lat: lat, Lon: lon}
	}
	if asn := r.number("ASNum", "Asnum"); asn >= 1 && asn < 1<<32 {
		h.ASNs = []uint32{uint32(asn)}
	}
}

// limit says for whom a host is. What cannot be said must not open it to all.
func (c *collector) limit(r *reader, h *registry.Host) {
	if r.flag("CountryOnly") {
		h.Allowed = r.countries("CountryCodes")
	}
	h.Private = r.flag("ASOnly")
	if r.flag("ContinentOnly") || h.Private && h.ASNs == nil || r.flag("CountryOnly") && h.Allowed == nil {
		h.UserActive, h.Reason = false, "imported as serving only its continent, or a country or AS that is not known: say which countries it is for"
		c.left(r.line, "ContinentOnly", "host %s: switched off: whom it serves cannot be said", h.Name)
	}
}

// jsonRecords reads JSON.
func jsonRecords(data []byte) (out []record, problem *snapshot.Problem) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		at := len(data) // it ended too early
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = min(int(syntax.Offset), at)
		}
		return nil, &snapshot.Problem{Line: 1 + bytes.Count(data[:at], []byte("\n")), Text: fmt.Sprintf("no valid JSON: %v", err)}
	}
	collectJSON(v, "", &out)
	return out, nil
}

// collectJSON finds the objects that are mirrors, in lists and objects of any depth.
func collectJSON(v any, key string, out *[]record) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			collectJSON(item, "", out)
		}
	case map[string]any:
		r := record{fields: map[string]string{}}
		for k, value := range v {
			switch value.(type) {
			case string, bool, json.Number:
				r.fields[strings.ToUpper(k)] = fmt.Sprint(value)
			}
		}
		if r.get("HttpURL", "http") != "" {
			if r.get("Name") == "" && r.get("ID") == "" {
				r.fields["NAME"] = strings.TrimPrefix(key, "MIRROR_")
			}
			*out = append(*out, r)
			return
		}
		for _, k := range sortedKeys(v) {
			collectJSON(v[k], k, out)
		}
	}
}
