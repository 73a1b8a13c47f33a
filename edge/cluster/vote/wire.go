package vote

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Message is what edges tell one another: one report when it changes, all of
// them when two edges compare what they know.
//
// On the wire, numbers are unsigned varints, and names have their length
// before them:
//
//	version            2, see [Format]
//	hosts              number, names; "" is an observer itself
//	observers          number; for each
//	  name, incarnation
//	  reports          number; for each
//	    host           its place in the list of hosts
//	    counter
//	    states         two bytes, four bits a kind, the first kind lowest
//	    verdict, ms    for each kind whose state is not Unseen
//	drains             number; for each
//	  flags            1: an edge, 2: on
//	  name, counter, author, ms left, ms kept
//
// A report on a host takes some 45 bytes alone and 13 among all that is known.
type Message struct {
	Reports []Report
	Drains  []Drain
}

// Format is the version of what is on the wire. An edge understands its own only.
const Format = 2

const (
	maxName    = 255
	maxVersion = 1 << 62 // of incarnations and counters: nothing that counts gets there
)

// Append appends the message to b.
func (m *Message) Append(b []byte) []byte {
	hosts := map[string]uint64{}
	of := map[life][]*Report{}
	b = append(b, Format)
	for i := range m.Reports {
		r := &m.Reports[i]
		hosts[r.Host] = 0
		of[r.life()] = append(of[r.life()], r)
	}
	b = binary.AppendUvarint(b, uint64(len(hosts)))
	for i, host := range slices.Sorted(maps.Keys(hosts)) {
		hosts[host] = uint64(i)
		b = appendName(b, host)
	}
	b = binary.AppendUvarint(b, uint64(len(of)))
	for _, l := range slices.SortedFunc(maps.Keys(of), life.compare) {
		b = appendName(b, l.observer)
		b = binary.AppendUvarint(b, l.incarnation)
		b = binary.AppendUvarint(b, uint64(len(of[l])))
		for _, r := range of[l] {
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

// A life is of an observer, until it starts anew.
type life struct {
	observer    string
	incarnation uint64
}

func (r *Report) life() life { return life{r.Observer, r.Version.Incarnation} }

func (l life) compare(other life) int {
	return cmp.Or(strings.Compare(l.observer, other.observer), cmp.Compare(l.incarnation, other.incarnation))
}

func appendName(b []byte, name string) []byte {
	name = name[:min(len(name), maxName)]
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

func (s *Sights) append(b []byte) []byte {
	all := uint16(0)
	for k := range s {
		all |= uint16(s[k].State) << (4 * k)
	}
	b = binary.LittleEndian.AppendUint16(b, all)
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
	b = binary.AppendUvarint(b, uint64(max(d.Left.Milliseconds(), 0)))
	return binary.AppendUvarint(b, uint64(max(d.Kept.Milliseconds(), 0)))
}

// Parse reads a message. It refuses what [Message.Append] does not write, and
// takes no more memory than in proportion to b. A report or an order that no
// edge can have made is left out, and the others are taken.
func Parse(b []byte) (*Message, error) {
	p := parser{rest: b}
	if got := p.byte(); got != Format {
		return nil, fmt.Errorf("want a message of edges in format %d, got %d: they are of different versions", Format, got)
	}
	m := &Message{}
	hosts := make([]string, p.count(1))
	for i := range hosts {
		hosts[i] = p.name()
	}
	for range p.count(3) {
		observer, incarnation := p.name(), p.uvarint()
		for range p.count(4) {
			r := Report{Observer: observer, Version: Version{Incarnation: incarnation}}
			if at := p.uvarint(); at < uint64(len(hosts)) {
				r.Host = hosts[at]
			} else {
				p.fail("host %d of %d", at, len(hosts))
			}
			r.Version.Counter = p.uvarint()
			p.sights(&r.Sights)
			if r.valid() {
				m.Reports = append(m.Reports, r)
			}
		}
	}
	for range p.count(6) {
		if d := p.drain(); d.Counter < maxVersion {
			m.Drains = append(m.Drains, d)
		}
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

// valid reports whether an edge can have made the report.
func (r *Report) valid() bool {
	for k := range r.Sights {
		if r.Sights[k].State >= states {
			return false
		}
	}
	return r.Version.Incarnation < maxVersion && r.Version.Counter < maxVersion
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.fail("it ends within a number, or that has more than 64 bits")
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

// number returns a number below limit.
func (p *parser) number(limit uint64) uint64 {
	v := p.uvarint()
	if v >= limit {
		p.fail("number %d, want less than %d", v, limit)
		return 0
	}
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
	all := uint16(p.byte()) | uint16(p.byte())<<8
	for k := range s {
		if s[k].State = State(all >> (4 * k) & 15); s[k].State != Unseen {
			s[k].Verdict = p.byte()
			s[k].RoundTrip = uint16(p.number(1 << 16))
		}
	}
}

func (p *parser) drainTime() time.Duration {
	return time.Duration(p.number(uint64(MaxDrain/time.Millisecond)+1)) * time.Millisecond
}

func (p *parser) drain() Drain {
	flags := p.byte()
	if flags > 3 {
		p.fail("flags %d of a drain", flags)
	}
	d := Drain{Edge: flags&1 != 0, On: flags&2 != 0, Name: p.name(), Counter: p.uvarint(), Author: p.name()}
	d.Left, d.Kept = p.drainTime(), p.drainTime()
	return d
}
