package checkin

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/waypost/waypost/control/checkin/internal/jsonstream"
)

// A submission is what report_mirror sends, its configuration with what it
// found on disk. MirrorManager calls it a config.
//
//	{"version": 0,
//	 "global": {"enabled": "1", "server": URL},
//	 "site": {"enabled": "1", "name": NAME, "password": PASSWORD},
//	 "host": {"enabled": "1", "name": NAME, "user_active": "1"},
//	 "stats": {},
//	 "fedora linux": {"enabled": "1", "dirtree": {"": {}, "releases/43": {}}}}
type submission struct {
	isDict   bool
	version  *option
	sections map[string]options // global, site, host
	claims   []claimSection     // in the order of the document
}

// options are those of a section. A section that is no object has none.
type options map[string]option

// An option is a text, or the literal that stands in its place.
type option struct {
	text   string
	quoted bool
}

// A claimSection is the section of a category.
type claimSection struct {
	Claim
	dirtree bool // there is one
}

// errPickle is what MirrorManager would load, and so run.
var errPickle = errors.New("this is not JSON but pickle, which is never read here: please update your copy of report_mirror")

// readSubmission reads a submission; in is read to its end.
func readSubmission(in io.Reader, b *budget) (submission, error) {
	r := jsonstream.New(in, jsonstream.Limits{Depth: b.limits.Depth, Text: b.limits.Path})
	var s submission
	kind, err := r.Peek()
	switch {
	case err != nil && pickled(err):
		return s, errPickle
	case err != nil:
		return s, err
	case kind != jsonstream.Object:
		if err := r.Skip(); err != nil {
			return s, err
		}
		return s, r.End()
	}
	s.isDict = true
	s.sections = map[string]options{}
	if err := r.Object(func(key []byte) error { return s.section(r, string(key), b) }); err != nil {
		return s, err
	}
	return s, r.End()
}

// pickled reports whether the document begins as pickles do: with the protocol
// in binary ones, with a mark or a global in those of old.
func pickled(err error) bool {
	var unexpected *jsonstream.UnexpectedError
	return errors.As(err, &unexpected) && slices.Contains([]byte("\x80(c"), unexpected.Got)
}

func (s *submission) section(r *jsonstream.Reader, key string, b *budget) error {
	switch key {
	case "version":
		v, err := readOption(r)
		s.version = &v
		return err
	case "stats":
		return r.Skip()
	case "global", "site", "host":
		o, err := readOptions(r)
		s.sections[key] = o
		return err
	}
	if err := b.category(); err != nil {
		return err
	}
	c := claimSection{Claim: Claim{Category: key}}
	err := members(r, func(name []byte) error {
		if string(name) != "dirtree" {
			return r.Skip()
		}
		c.dirtree = true
		// nothing else will do here: to a private host, no directories is a claim too
		return r.Object(func(path []byte) error {
			d, err := b.directory(string(path))
			if err != nil {
				return err
			}
			c.Directories = append(c.Directories, d)
			return r.Skip()
		})
	})
	s.claims = append(s.claims, c)
	return err
}

// members calls member for those of an object; other values have none.
func members(r *jsonstream.Reader, member func(key []byte) error) error {
	kind, err := r.Peek()
	if err != nil {
		return err
	}
	if kind != jsonstream.Object {
		return r.Skip()
	}
	return r.Object(member)
}

// readOptions reads the options of a section.
func readOptions(r *jsonstream.Reader) (options, error) {
	const most = 64
	o := options{}
	return o, members(r, func(key []byte) error {
		if len(o) == most {
			return tooMuch("a section has more than %d options", most)
		}
		name := string(key)
		v, err := readOption(r)
		o[name] = v
		return err
	})
}

func readOption(r *jsonstream.Reader) (v option, err error) {
	kind, err := r.Peek()
	switch {
	case err != nil:
		return v, err
	case kind == jsonstream.Text:
		v.quoted = true
		return v, r.Text(&v.text)
	case kind == jsonstream.Object || kind == jsonstream.Array:
		v.text = string(kind)
		return v, r.Skip()
	}
	v.text, err = r.Literal()
	return v, err
}

// invalid returns the first thing that is wrong, in the order and the words of
// MirrorManager, "" if all is well.
func (s *submission) invalid() string {
	switch {
	case !s.isDict:
		return "config file is not a dict.\nPlease update your copy of report_mirror.\n"
	case s.version == nil:
		return "config file has no version field.\n"
	case !s.version.isZero():
		return fmt.Sprintf("config file version is not 0, is %s.\n", s.version.text)
	}
	for _, name := range []string{"global", "site", "host"} {
		if _, ok := s.sections[name]; !ok {
			return fmt.Sprintf("config file missing section %s.\n", name)
		}
	}
	if s.sections["global"]["enabled"] != (option{"1", true}) {
		return "config file section [global] not enabled.\n"
	}
	for _, name := range []string{"name", "password"} {
		if _, ok := s.sections["site"][name]; !ok {
			return fmt.Sprintf("config file [site] missing required option %s.\n", name)
		}
	}
	if _, ok := s.sections["host"]["name"]; !ok {
		return "section [host] missing required option name.\n"
	}
	for _, c := range s.claims {
		if !c.dirtree {
			return fmt.Sprintf("section [%s] missing required option dirtree.\n", c.Category)
		}
	}
	return ""
}

// isZero reports whether Python would find the value equal to 0.
func (o option) isZero() bool {
	n, err := strconv.ParseFloat(o.text, 64)
	return !o.quoted && (o.text == "false" || err == nil && n == 0)
}

// userActive returns what the host wants to be, nil if it did not say.
func (s *submission) userActive() *bool {
	o, ok := s.sections["host"]["user_active"]
	if !ok {
		return nil
	}
	return new(slices.Contains([]string{"true", "1", "t", "y", "yes"}, o.text))
}

// claimed returns the claims.
func (s *submission) claimed() []Claim {
	all := make([]Claim, len(s.claims))
	for i, c := range s.claims {
		all[i] = c.Claim
	}
	return all
}
