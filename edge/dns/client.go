package dns

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/pick"
)

// A lookup is one query for a tailored name, on its way to the engine.
type lookup struct {
	view  *answer.View
	query answer.Query
	name  *zone.Tailored

	resolver bool // the client is the resolver, and scope is known already
	scope    int  // of the answer so far, for the client's address

	host uint32 // the number of the host that is named first, plus 1; 0: none so far
}

// place settles whose address the query is for.
func (l *lookup) place(w *Work) {
	q := &l.query
	q.Client, q.Source = w.client, 0
	q.NoPrivate = !l.name.Zone.PrivateByResolver
	l.resolver, l.scope = true, 0
	subnet := &w.query.Subnet
	if !subnet.Present || l.name.Zone.IgnoreECS {
		return
	}
	if subnet.Source == 0 {
		if subnet.Mapped { // ::ffff:0:0/96 is not the /0 that holds for nobody else
			l.scope = besidePrivate(subnet.Addr)
		}
		return
	}
	place := l.view.Index.Place(subnet.Addr, subnet.Source)
	if n, ok := privateBlock(subnet.Addr); ok && subnet.Source >= n && len(l.view.Index.Netblocks(&place)) == 0 {
		l.scope = max(n, place.Bits) // longer where a host named a part of the block
		return
	}
	q.Client, q.Source, q.NoPrivate = subnet.Addr, subnet.Source, false
	l.resolver, l.scope = false, besidePrivate(subnet.Addr)
}

// answer asks the engine and returns the hosts, and sees to the scope.
func (l *lookup) answer(a *answer.Answer) []uint32 {
	l.view.Answer(&l.query, a)
	if !l.resolver {
		l.scope = max(l.scope, a.Scope())
	}
	hosts := a.Hosts()
	if l.host == 0 && len(hosts) > 0 {
		l.host = hosts[0] + 1
	}
	return hosts
}

// answerInOrder is answer for records in which the order of the hosts is part
// of the data: where there are several, it holds for no wider prefix than the
// draw that made it.
func (l *lookup) answerInOrder(a *answer.Answer) []uint32 {
	hosts := l.answer(a)
	if len(hosts) > 1 && !l.resolver {
		sticky := pick.StickyBits6
		if l.query.Client.Is4() {
			sticky = pick.StickyBits4
		}
		l.scope = max(l.scope, sticky)
	}
	return hosts
}

// family is that over which the client will most likely fetch, where the
// answer leaves that open.
func (l *lookup) family() index.Family { return index.FamilyOf(l.query.Client) }

// A block is a part of the address space: the first bits of hi, which for v4
// has the address in its upper half.
type block struct {
	hi   uint64
	bits int
}

// private4 are the v4 blocks that mean something else in every network: RFC
// 1918, RFC 6598 (carriers), RFC 3927 (link-local).
func private4() [5]block {
	return [5]block{
		{10 << 56, 8},
		{172<<56 | 16<<48, 12},
		{192<<56 | 168<<48, 16},
		{100<<56 | 64<<48, 10},
		{169<<56 | 254<<48, 16},
	}
}

// private6 are those of v6: RFC 4193, and RFC 4291 section 2.5.6 (link-local).
func private6() [2]block {
	return [2]block{{0xfc << 56, 7}, {0xfe<<56 | 0x80<<48, 10}}
}

// privateBlock returns the length of the private block that holds a. An
// answer for it goes by the resolver's address, with the scope of the whole
// block (RFC 7871 section 10).
func privateBlock(a netip.Addr) (length int, ok bool) {
	_, length = nearPrivate(a)
	return length, length > 0
}

// besidePrivate returns the least length of a prefix around a that reaches
// across no border of a private block: the answer on its other side is another.
func besidePrivate(a netip.Addr) int {
	beside, inside := nearPrivate(a)
	return max(beside, inside)
}

// nearPrivate returns the length of the widest prefix around a that touches no
// private block, or of the private block that holds a.
func nearPrivate(a netip.Addr) (beside, inside int) {
	if a.Is4() {
		b := a.As4()
		four := private4()
		return near(four[:], uint64(binary.BigEndian.Uint32(b[:]))<<32)
	}
	b := a.As16()
	six := private6()
	return near(six[:], binary.BigEndian.Uint64(b[:8]))
}

func near(blocks []block, hi uint64) (beside, inside int) {
	for _, p := range blocks {
		common := bits.LeadingZeros64(hi ^ p.hi)
		if common >= p.bits {
			return 0, p.bits
		}
		beside = max(beside, common+1)
	}
	return beside, 0
}
