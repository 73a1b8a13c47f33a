package vote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Message is what edges tell one another: one report when it changes, all of
// them when two edges compare what they know.
//
// On the wire, numbers are unsigned varints, and names have their length
// before them:
//
//	version            1
//	hosts              number, names; "" is an observer itself
//	observers          number; for each
//	  name, incarnation
//	  reports          number; for each
//	    host           its place in the list of hosts
//	    counter
//	    states         one byte, two bits a kind, the first kind lowest
//	    verdict, ms    for each kind whose state is not Unseen
//	drains             number; for each
//	  flags            1: an edge, 2: on
//	  name, counter, author, ms left
//
// A report on a host takes some 45 bytes alone and 12 among many.
type Message struct {
	Reports []Report
	Drains  []Drain
}

const (
	format     = 1
	maxName    = 255
	maxVersion = 1 << 62 // of incarnations and counters: nothing that counts gets there
)

// Append appends the message to b.
func (m *Message) Append(b []byte) []byte {
	hosts := map[string]uint64{}
	of := map[string][]*Report{}
	b = append(b, format)
	for i := range m.Reports {
		r := &m.Reports[i]
		hosts[r.Host] = 0
		of[r.Observer] = append(of[r.Observer], r)
	}
	b = binary.AppendUvarint(b, uint64(len(hosts)))
	for i, host := range slices.Sorted(maps.Keys(hosts)) {
		hosts[host] = uint64(i)
		b = appendName(b, host)
	}
	b = binary.AppendUvarint(b, uint64(len(of)))
	for _, observer := range slices.Sorted(maps.Keys(of)) {
		b = appendName(b, observer)
		b = binary.AppendUvarint(b, of[observer][0].Version.Incarnation)
		b = binary.AppendUvarint(b, uint64(len(of[observer])))
		for _, r := range of[observer] {
			b = binary.AppendUvarint(b, hosts[r.Host])
			b = binary.AppendUvarint(b, r.Version.Counter)
			b = r.Sights.append(b)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(m.Drains)))
	for i := range m.Drains {
		b = m.Drains[i].append(b)
	}
	return b
}

func appendName(b []byte, name string) []byte {
	name = name[:min(len(name), maxName)]
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

func (s *Sights) append(b []byte) []byte {
	states := byte(0)
	for k := range s {
		states |= byte(s[k].State) << (2 * k)
	}
	b = append(b, states)
	for k := range s {
		if s[k].State != Unseen {
			b = append(b, s[k].Verdict)
			b = binary.AppendUvarint(b, uint64(s[k].RoundTrip))
		}
	}
	return b
}

func (d *Drain) append(b []byte) []byte {
	flags := byte(0)
	if d.Edge {
		flags |= 1
	}
	if d.On {
		flags |= 2
	}
	b = appendName(append(b, flags), d.Name)
	b = appendName(binary.AppendUvarint(b, d.Counter), d.Author)
	return binary.AppendUvarint(b, uint64(max(d.Left.Milliseconds(), 0)))
}

var errFormat = errors.New("want a message of edges in format 1")

// Parse reads a message. It refuses what [Message.Append] does not write, and
// takes no more memory than in proportion to b.
func Parse(b []byte) (*Message, error) {
	p := parser{rest: b}
	if p.byte() != format {
		return nil, errFormat
	}
	m := &Message{}
	hosts := make([]string, p.count(1))
	for i := range hosts {
		hosts[i] = p.name()
	}
	for range p.count(3) {
		observer, incarnation := p.name(), p.number(maxVersion)
		for range p.count(3) {
			r := Report{Observer: observer, Version: Version{Incarnation: incarnation}}
			if at := p.number(maxVersion); at < uint64(len(hosts)) {
				r.Host = hosts[at]
			} else {
				p.fail("host %d of %d", at, len(hosts))
			}
			r.Version.Counter = p.number(maxVersion)
			p.sights(&r.Sights)
			m.Reports = append(m.Reports, r)
		}
	}
	for range p.count(5) {
		m.Drains = append(m.Drains, p.drain())
	}
	if len(p.rest) > 0 {
		p.fail("%d bytes too many", len(p.rest))
	}
	if p.err != nil {
		return nil, fmt.Errorf("reading a message of %d bytes: %w", len(b), p.err)
	}
	return m, nil
}

// A parser takes values from the front of rest. After an error, all are zero.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) fail(text string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(text, args...)
	}
	p.rest = nil
}

func (p *parser) byte() byte {
	if len(p.rest) == 0 {
		p.fail("it ends too soon")
		return 0
	}
	v := p.rest[0]
	p.rest = p.rest[1:]
	return v
}

// number returns a number below limit.
func (p *parser) number(limit uint64) uint64 {
	v, n := binary.Uvarint(p.rest)
	switch {
	case n <= 0:
		p.fail("it ends within a number")
		return 0
	case v >= limit:
		p.fail("number %d, want less than %d", v, limit)
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

// count returns a number of things that take so many bytes each, at least.
func (p *parser) count(bytes int) int {
	return int(p.number(uint64(len(p.rest)/bytes) + 1))
}

func (p *parser) name() string {
	n := int(p.number(maxName + 1))
	if n > len(p.rest) {
		p.fail("it ends within a name")
		return ""
	}
	name := string(p.rest[:n])
	p.rest = p.rest[n:]
	return name
}

func (p *parser) sights(s *Sights) {
	states := p.byte()
	for k := range s {
		if s[k].State = State(states >> (2 * k) & 3); s[k].State != Unseen {
			s[k].Verdict = p.byte()
			s[k].RoundTrip = uint16(p.number(1 << 16))
		}
	}
}

func (p *parser) drain() Drain {
	flags := p.byte()
	if flags > 3 {
		p.fail("flags %d of a drain", flags)
	}
	d := Drain{Edge: flags&1 != 0, On: flags&2 != 0, Name: p.name(), Counter: p.number(maxVersion), Author: p.name()}
	d.Left = time.Duration(p.number(uint64(MaxDrain/time.Millisecond)+1)) * time.Millisecond
	return d
}
