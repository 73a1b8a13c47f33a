package bgp

import "encoding/binary"

// Segments of an AS_PATH (RFC 4271 section 4.3, RFC 5065 section 3).
const (
	segSet            = 1
	segSequence       = 2
	segConfedSequence = 3
	segConfedSet      = 4
)

// asPath is the value of an AS_PATH or AS4_PATH attribute that [asPath.valid]
// found good, with ASNs of size bytes.
type asPath struct {
	b    []byte
	size int
}

// valid reports whether segments have a known type and at least one AS, and
// end where the path ends (RFC 7606 section 7.2). zero: there is no AS 0 in it
// (RFC 7607).
func (p asPath) valid() bool {
	b := p.b
	for len(b) > 0 {
		if len(b) < 2 || b[0] < segSet || b[0] > segConfedSet || b[1] == 0 {
			return false
		}
		n := 2 + int(b[1])*p.size
		if len(b) < n {
			return false
		}
		for i := 2; i < n; i += p.size {
			if p.at(b[i:]) == 0 {
				return false
			}
		}
		b = b[n:]
	}
	return true
}

func (p asPath) at(b []byte) uint32 {
	if p.size == 2 {
		return uint32(binary.BigEndian.Uint16(b))
	}
	return binary.BigEndian.Uint32(b)
}

// count is the number of ASes as AS4_PATH is compared: a set is one,
// confederations are none (RFC 6793 section 4.2.3, RFC 4271 section 9.1.2.2).
func (p asPath) count() int {
	n := 0
	for b := p.b; len(b) > 0; b = b[2+int(b[1])*p.size:] {
		switch b[0] {
		case segSet:
			n++
		case segSequence:
			n += int(b[1])
		}
	}
	return n
}

// An origin is found by folding a path from its first AS to its last.
type origin struct {
	asn  uint32 // 0: none is known
	some bool   // the path is not empty
}

// fold goes on with the first limit ASes of the path: at its end the origin is
// the last AS of a sequence, but for private ones after it; none after a set,
// whose members are in no order. Confederations do not count: they are inside
// the peer's AS.
func (o *origin) fold(p asPath, limit int) {
	for b := p.b; len(b) > 0 && limit > 0; b = b[2+int(b[1])*p.size:] {
		switch b[0] {
		case segSet:
			*o = origin{0, true}
			limit--
		case segSequence:
			for i := range min(int(b[1]), limit) {
				o.some = true
				if n := p.at(b[2+i*p.size:]); !private(n) {
					o.asn = n
				}
			}
			limit -= int(b[1])
		}
	}
}

// originOf returns the origin AS of a route, 0 for none. as4 is the AS4_PATH
// that 2-byte speakers pass on, empty if there is none; peer is the AS that an
// empty path stands for: the peer's own.
func originOf(path, as4 asPath, peer uint32) uint32 {
	var o origin
	if n, m := path.count(), as4.count(); len(as4.b) > 0 && m <= n {
		o.fold(path, n-m)
		o.fold(as4, m)
	} else {
		o.fold(path, n)
	}
	if !o.some {
		o.asn = peer
	}
	if private(o.asn) || reserved(o.asn) {
		return 0
	}
	return o.asn
}

// private reports whether n is for use inside a network (RFC 6996).
func private(n uint32) bool {
	return n >= 64512 && n <= 65534 || n >= 4200000000 && n <= 4294967294
}

// reserved reports whether n is no AS: AS_TRANS, and the last ones (RFC 7300).
func reserved(n uint32) bool { return n == asTrans || n == 65535 || n == 4294967295 }
