package wire

import "net/netip"

// Options of EDNS.
const (
	optionNSID   = 3
	optionSubnet = 8
	optionCookie = 10
)

// parseOPT reads an OPT, whose bytes b start behind the owner name.
func (q *Query) parseOPT(b []byte) Rcode {
	q.HasOPT = true
	q.Size = max(int(uint16At(b, 2)), MinUDP) // RFC 6891 section 6.2.3
	q.DO = b[6]&0x80 != 0
	if version := b[5]; version != 0 {
		return BadVers
	}
	for b = b[recordLen:]; len(b) > 0; {
		if len(b) < 4 {
			return FormErr
		}
		code, size := uint16At(b, 0), int(uint16At(b, 2))
		if 4+size > len(b) || !q.parseOption(code, b[4:4+size]) {
			return FormErr
		}
		b = b[4+size:]
	}
	return NoError
}

// parseOption reads one option and reports whether it is well formed. Options
// that we do not know are passed over (RFC 6891 section 6.1.2).
func (q *Query) parseOption(code uint16, data []byte) bool {
	switch code {
	case optionNSID:
		q.NSID = true
	case optionSubnet:
		return !q.Subnet.Present && q.Subnet.parse(data)
	case optionCookie:
		if !q.Cookie.Present { // the first one counts
			return q.Cookie.parse(data)
		}
	}
	return true
}

// Families of client subnets, as IANA numbers them.
const (
	familyV4 = 1
	familyV6 = 2
)

// A Subnet is a client subnet, RFC 7871 section 6.
type Subnet struct {
	Present bool
	Addr    netip.Addr // the rest of the address is zero; never v4-mapped
	Source  int        // how many bits of Addr are known
	Mapped  bool       // it was v6 inside ::ffff:0:0/96; Addr and Source are the v4 ones

	data []byte // as the client wrote it
}

// mappedBits is the length of ::ffff:0:0/96, the v4-mapped part of v6.
const mappedBits = 96

// parse reads an option. What RFC 7871 has an error for, section 7.1.2 and
// before, is one: a family that is neither v4 nor v6, a prefix longer than an
// address, an address that is shorter or longer than the prefix, bits set
// behind it, a scope.
func (s *Subnet) parse(data []byte) bool {
	if len(data) < 4 || data[3] != 0 {
		return false
	}
	family, source, addr := uint16At(data, 0), int(data[2]), data[4:]
	if len(addr) != (source+7)/8 || source%8 != 0 && addr[len(addr)-1]<<(source%8) != 0 {
		return false
	}
	switch {
	case family == familyV4 && source <= 32:
		var a [4]byte
		copy(a[:], addr)
		s.Addr = netip.AddrFrom4(a)
	case family == familyV6 && source <= 128:
		var a [16]byte
		copy(a[:], addr)
		s.Addr = netip.AddrFrom16(a)
		if s.Addr.Is4In6() && source >= mappedBits {
			s.Addr, source, s.Mapped = s.Addr.Unmap(), source-mappedBits, true
		}
	default:
		return false
	}
	s.Present, s.Source, s.data = true, source, data
	return true
}

// Scope returns what the answer says for the prefix of length bits around
// Addr.
func (s *Subnet) Scope(bits int) byte {
	if s.Mapped {
		bits += mappedBits
	}
	return byte(bits)
}
