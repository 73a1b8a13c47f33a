package vote

import "encoding/binary"

// A Pack is a message that is filled up to a size. Make one with [NewPack].
type Pack struct {
	Message

	left      int // bytes, at least
	hosts     map[string]bool
	observers map[life]bool
	scratch   []byte
}

// What a message of up to packHosts hosts has besides names, and what is said:
// its version and three numbers; for each host and each observer the length of
// its name; for each observer also the number of its reports; for each report
// the place of its host. Numbers below 128 take one byte, and others two.
const (
	packHosts  = 128
	packEmpty  = 1 + 3*2
	packNumber = 2
	packPlace  = 1
)

// NewPack returns an empty message that may become so many bytes long.
func NewPack(limit int) *Pack {
	return &Pack{left: limit - packEmpty, hosts: map[string]bool{}, observers: map[life]bool{}}
}

// Report adds a report, and reports whether there was room.
func (p *Pack) Report(r *Report) bool {
	of := r.life()
	p.scratch = r.Sights.append(binary.AppendUvarint(p.scratch[:0], r.Version.Counter))
	need := packPlace + len(p.scratch)
	fresh := !p.hosts[r.Host]
	if fresh {
		p.scratch = appendName(p.scratch[:0], r.Host)
		need += len(p.scratch)
	}
	if !p.observers[of] {
		p.scratch = binary.AppendUvarint(appendName(p.scratch[:0], of.observer), of.incarnation)
		need += packNumber + len(p.scratch)
	}
	if need > p.left || fresh && len(p.hosts) == packHosts {
		return false
	}
	p.left -= need
	p.hosts[r.Host], p.observers[of] = true, true
	p.Reports = append(p.Reports, *r)
	return true
}

// Drain adds an order, and reports whether there was room.
func (p *Pack) Drain(d *Drain) bool {
	p.scratch = d.append(p.scratch[:0])
	if len(p.scratch) > p.left {
		return false
	}
	p.left -= len(p.scratch)
	p.Drains = append(p.Drains, *d)
	return true
}
