package wire

import "net/netip"

// A Section is a part of a message that holds records.
type Section int

// The sections, in their order.
const (
	Answer Section = iota
	Authority
	Additional
	sections
)

// AtQuestion is the owner offset of records that belong to the question's name.
const AtQuestion = 0

// EDNS is what goes into the OPT of a reply, beside what the query asks for.
type EDNS struct {
	Server  string // for NSID
	Secrets Secrets
	Client  netip.Addr // not v4-mapped
	Now     uint32     // Unix seconds
}

// A Reply is one message to a client. Its memory is the caller's:
//
//	r.Begin(dst, &q, limit)
//	r.OpenSet(Answer)          // an RRset: whole in the message, or not at all
//	r.Address(60, addr)
//	r.CloseSet()
//	packet := r.Finish(&q, &edns)
//
// The question is echoed bit for bit, so that the case of its letters comes
// back (draft-vixie-dnsext-dns0x20), and owner names are pointers into it.
// Nothing else is compressed.
type Reply struct {
	Rcode         Rcode
	Authoritative bool
	Truncated     bool
	Subnet        bool // echo the client subnet of the query, if it has one
	Scope         byte // for which prefix around it the answer holds

	b      []byte
	limit  int // for all but the OPT
	counts [sections]uint16

	// The set and the record being written.
	section Section
	set     int
	records uint16
	record  int
}

// Begin starts the answer to q in dst's memory. It will have at most limit
// bytes, unless the question and the OPT alone are longer.
func (r *Reply) Begin(dst []byte, q *Query, e *EDNS, limit int) {
	*r = Reply{b: append(dst[:0], make([]byte, headerLen)...), limit: limit - q.optLen(e)}
	r.b = append(r.b, q.question...)
}

// Records returns how many records the section has so far.
func (r *Reply) Records(s Section) int { return int(r.counts[s]) }

// OpenSet starts an RRset.
func (r *Reply) OpenSet(s Section) { r.section, r.set, r.records = s, len(r.b), 0 }

// CloseSet ends an RRset. If it does not fit, it is taken back, the reply is
// marked truncated, and takes no more.
func (r *Reply) CloseSet() {
	if r.Truncated || len(r.b) > r.limit {
		r.b = r.b[:r.set]
		r.Truncated = true
		return
	}
	r.counts[r.section] += r.records
}

// Static adds an RRset that was made before: count records in wire form, the
// owner of each a two-byte pointer, which is made to point owner bytes into
// the question's name.
func (r *Reply) Static(s Section, owner, count int, records []byte) {
	r.OpenSet(s)
	r.b = append(r.b, records...)
	r.records = uint16(count)
	if owner != AtQuestion {
		for at := r.set; at < len(r.b); at += 2 + recordLen + int(uint16At(r.b, at+10)) {
			putUint16(r.b, at, pointer(owner))
		}
	}
	r.CloseSet()
}

// Extra adds complete records, with their owner names, to the additional
// section. If they do not fit, they are left out; the reply is then truncated
// only if they are needed.
func (r *Reply) Extra(count int, records []byte, needed bool) {
	if !needed && (r.Truncated || len(r.b)+len(records) > r.limit) {
		return
	}
	r.OpenSet(Additional)
	r.b = append(r.b, records...)
	r.records = uint16(count)
	r.CloseSet()
}

// pointer returns a compression pointer (RFC 1035 section 4.1.4) to what is
// owner bytes into the question's name.
func pointer(owner int) uint16 { return uint16(0xc000 | (headerLen + owner)) }

// OpenRecord starts a record of the question's name in the open set.
func (r *Reply) OpenRecord(rrtype, class uint16, ttl uint32) {
	r.records++
	r.b = append(r.b, 0xc0, headerLen, byte(rrtype>>8), byte(rrtype), byte(class>>8), byte(class),
		byte(ttl>>24), byte(ttl>>16), byte(ttl>>8), byte(ttl), 0, 0)
	r.record = len(r.b)
}

// CloseRecord ends the record.
func (r *Reply) CloseRecord() {
	putUint16(r.b, r.record-2, uint16(len(r.b)-r.record))
}

// DropSet takes the open RRset back.
func (r *Reply) DropSet() { r.b = r.b[:r.set] }

// Byte appends one byte to the open record, as the following do.
func (r *Reply) Byte(v byte) { r.b = append(r.b, v) }

// Uint16 appends a number of two bytes.
func (r *Reply) Uint16(v uint16) { r.b = append(r.b, byte(v>>8), byte(v)) }

// Bytes appends bytes.
func (r *Reply) Bytes(b []byte) { r.b = append(r.b, b...) }

// Host appends the name of a host, see [AppendHost].
func (r *Reply) Host(name string) (ok bool) {
	r.b, ok = AppendHost(r.b, name)
	return ok
}

// Data returns what is in the open record so far, good until the next call.
func (r *Reply) Data() []byte { return r.b[r.record:] }

// Addr appends an address.
func (r *Reply) Addr(a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		r.b = append(r.b, b[:]...)
		return
	}
	b := a.As16()
	r.b = append(r.b, b[:]...)
}

// Address adds an A or AAAA record of the question's name.
func (r *Reply) Address(ttl uint32, a netip.Addr) {
	rrtype := uint16(TypeAAAA)
	if a.Is4() {
		rrtype = TypeA
	}
	r.OpenRecord(rrtype, ClassIN, ttl)
	r.Addr(a)
	r.CloseRecord()
}

// CharacterString appends s, of at most 255 bytes, with its length before it
// (RFC 1035 section 3.3).
func (r *Reply) CharacterString(s []byte) {
	r.b = append(r.b, byte(len(s)))
	r.b = append(r.b, s...)
}

// Finish returns the message, with an OPT if q has one.
func (r *Reply) Finish(q *Query, e *EDNS) []byte {
	flags := flagQR | q.flags&(maskOpcode|flagRD) | uint16(r.Rcode&15)
	if r.Authoritative {
		flags |= flagAA
	}
	if r.Truncated {
		flags |= flagTC
	}
	putUint16(r.b, 0, q.id)
	putUint16(r.b, 2, flags)
	if q.Asked {
		r.b[5] = 1
	}
	for s, n := range r.counts {
		putUint16(r.b, 6+2*s, n)
	}
	if q.HasOPT {
		r.appendOPT(q, e)
		putUint16(r.b, 10, r.counts[Additional]+1)
	}
	b := r.b
	r.b = nil
	return b
}

// optLen returns the length of the OPT in the answer to q.
func (q *Query) optLen(e *EDNS) int {
	if !q.HasOPT {
		return 0
	}
	n := 1 + recordLen
	if q.NSID {
		n += 4 + len(e.Server)
	}
	if q.Subnet.Present {
		n += 4 + len(q.Subnet.data)
	}
	if q.Cookie.Present {
		n += 4 + clientCookieLen + serverCookieLen
	}
	return n
}

func (r *Reply) appendOPT(q *Query, e *EDNS) {
	do := byte(0)
	if q.DO {
		do = 0x80
	}
	r.b = append(r.b, 0, 0, TypeOPT, MaxUDP>>8, MaxUDP&0xff, byte(r.Rcode>>4), 0, do, 0, 0, 0)
	start := len(r.b)
	if r.Rcode != FormErr && r.Rcode != BadVers { // then the options mean nothing
		r.appendOptions(q, e)
	}
	putUint16(r.b, start-2, uint16(len(r.b)-start))
}

func (r *Reply) appendOptions(q *Query, e *EDNS) {
	if q.NSID { // RFC 5001
		r.option(optionNSID, len(e.Server))
		r.b = append(r.b, e.Server...)
	}
	if q.Subnet.Present && r.Subnet { // RFC 7871 section 7.2.1: family, prefix and address as received
		r.option(optionSubnet, len(q.Subnet.data))
		r.b = append(r.b, q.Subnet.data[:3]...)
		r.b = append(r.b, r.Scope)
		r.b = append(r.b, q.Subnet.data[4:]...)
	}
	if q.Cookie.Present {
		r.option(optionCookie, clientCookieLen+serverCookieLen)
		r.b = e.Secrets.append(r.b, &q.Cookie, e.Client, e.Now)
	}
}

func (r *Reply) option(code, size int) {
	r.b = append(r.b, byte(code>>8), byte(code), byte(size>>8), byte(size))
}
