package report

import (
	"fmt"
	"strings"
)

// An iniFile is a file in the format of Python's configparser, as far as
// report_mirror uses it:
//
//	[section]
//	key = value        or key: value; keys in any case
//	  more value       a line that begins with white space goes on with the value
//	# comment          or ;, at the beginning of a line
//
// %% in a value is a percent sign, %(key)s the value of another key of the
// section or of [DEFAULT]; other percent signs stay as they are.
type iniFile struct {
	name     string
	sections []*iniSection
}

// An iniSection is a section, in the order of its file.
type iniSection struct {
	name     string
	line     int
	values   map[string]iniValue // by key in lower case
	defaults *iniSection         // [DEFAULT]; nil: none
}

type iniValue struct {
	text string
	line int
}

// A syntaxError is a line that is not as the format wants it.
type syntaxError struct {
	file string
	line int
	text string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.text) }

// parseINI reads a file. The first flaw ends it.
func parseINI(name, text string) (*iniFile, error) {
	p := iniParser{file: &iniFile{name: name}, defaults: &iniSection{name: "DEFAULT", values: map[string]iniValue{}}}
	text = strings.TrimPrefix(text, "\ufeff")
	for n, line := range strings.Split(text, "\n") {
		p.line = n + 1
		if err := p.take(strings.TrimRight(line, " \t\r\f\v")); err != nil {
			return nil, err
		}
	}
	return p.file, nil
}

type iniParser struct {
	file     *iniFile
	defaults *iniSection
	now      *iniSection // where values go; nil before the first section
	key      string      // that the last line was of; "" if none
	line     int
}

func (p *iniParser) fail(format string, args ...any) error {
	return &syntaxError{p.file.name, p.line, fmt.Sprintf(format, args...)}
}

func (p *iniParser) take(line string) error {
	trimmed := strings.TrimLeft(line, " \t")
	switch {
	case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		return nil
	case len(trimmed) < len(line) && p.key != "":
		v := p.now.values[p.key]
		v.text = strings.TrimPrefix(v.text+"\n"+trimmed, "\n")
		p.now.values[p.key] = v
		return nil
	case trimmed[0] == '[':
		return p.section(trimmed)
	}
	return p.value(trimmed)
}

func (p *iniParser) section(line string) error {
	name, found := strings.CutSuffix(line[1:], "]")
	if !found || name == "" {
		return p.fail("want [SECTION], got %.100q", line)
	}
	p.key = ""
	if name == "DEFAULT" {
		p.now = p.defaults
		return nil
	}
	if s := p.file.section(name); s != nil {
		return p.fail("the section [%s] stands in line %d already", name, s.line)
	}
	p.now = &iniSection{name: name, line: p.line, values: map[string]iniValue{}, defaults: p.defaults}
	p.file.sections = append(p.file.sections, p.now)
	return nil
}

func (p *iniParser) value(line string) error {
	at := strings.IndexAny(line, "=:")
	if at <= 0 {
		return p.fail("want KEY = VALUE, got %.100q", line)
	}
	if p.now == nil {
		return p.fail("want a [SECTION] before the first key, got %.100q", line)
	}
	key := strings.ToLower(strings.TrimSpace(line[:at]))
	if v, ok := p.now.values[key]; ok {
		return p.fail("%s stands in line %d already", key, v.line)
	}
	p.key = key
	p.now.values[key] = iniValue{strings.TrimSpace(line[at+1:]), p.line}
	return nil
}

// section returns a section, nil if there is none with this name.
func (f *iniFile) section(name string) *iniSection {
	for _, s := range f.sections {
		if s.name == name {
			return s
		}
	}
	return nil
}

// get returns a value with its percent signs resolved.
func (s *iniSection) get(key string) (text string, ok bool) {
	v, ok := s.raw(key)
	return s.resolve(v.text, 0), ok
}

func (s *iniSection) raw(key string) (v iniValue, ok bool) {
	if v, ok = s.values[key]; !ok && s.defaults != nil {
		v, ok = s.defaults.values[key]
	}
	return v, ok
}

// resolve resolves percent signs. Values that name one another, which Python
// refuses, stay as they are when it gets too deep or too long.
func (s *iniSection) resolve(text string, depth int) string {
	const deepest, longest = 10, 64 << 10
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = rest
		key, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")s")
		v, known := s.raw(strings.ToLower(key))
		switch {
		case strings.HasPrefix(rest, "%"):
			b.WriteByte('%')
			text = rest[1:]
		case strings.HasPrefix(rest, "(") && closed && known && depth < deepest && b.Len() < longest:
			b.WriteString(s.resolve(v.text, depth+1))
			text = after
		default:
			b.WriteByte('%')
		}
	}
}
