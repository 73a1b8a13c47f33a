package bgp

import "encoding/binary"

// Path attributes (RFC 4271 section 5, RFC 4760, RFC 6793). Others say nothing
// about the origin and are passed over.
const (
	attrOrigin        = 1
	attrASPath        = 2
	attrNextHop       = 3
	attrAggregator    = 7
	attrReach         = 14
	attrUnreach       = 15
	attrAS4Path       = 17
	attrAS4Aggregator = 18
)

// Flags of attributes.
const (
	flagOptional   = 0x80
	flagTransitive = 0x40
	flagExtended   = 0x10
)

// update is what one UPDATE message says. Its slices are parts of the message.
// The parser allocates nothing.
type update struct {
	withdrawn [families][2][]byte // lists of prefixes: the message's own, and that of MP_UNREACH_NLRI
	announced [families][2][]byte
	origin    uint32
	end       [families]bool // End-of-RIB (RFC 4724 section 2)
	bad       string         // not "": the announced prefixes count as withdrawn (RFC 7606 section 2)
}

// reader is the state of reading one message.
type reader struct {
	u         *update
	as2       bool   // paths have 2-byte ASNs
	peer      uint32 // the peer's ASN
	seen      [256]bool
	attrs     int // how many there are
	path, as4 asPath
	old       bool // AGGREGATOR says that AS4 attributes are out of date
}

// parse reads the body of an UPDATE message into u. as2 says that the peer
// does not know 4-byte ASNs; peer is its ASN. The error is a *[Error] that ends
// the session; what is less bad makes the announced prefixes withdrawn ones.
func (u *update) parse(body []byte, as2 bool, peer uint32) error {
	*u = update{}
	if len(body) < 4 {
		return badUpdate(1, "an UPDATE of less than 4 bytes")
	}
	n := uint16At(body)
	if len(body) < 4+n {
		return badUpdate(1, "withdrawn routes longer than their UPDATE")
	}
	withdrawn, rest := body[2:2+n], body[2+n:]
	n = uint16At(rest)
	if len(rest) < 2+n {
		return badUpdate(1, "attributes longer than their UPDATE")
	}
	attrs, nlri := rest[2:2+n], rest[2+n:]
	if !readable(familyV4, withdrawn) || !readable(familyV4, nlri) {
		return badUpdate(10, "a list of IPv4 prefixes that cannot be read")
	}
	u.withdrawn[familyV4][0], u.announced[familyV4][0] = withdrawn, nlri
	r := reader{u: u, as2: as2, peer: peer}
	if err := r.attributes(attrs); err != nil {
		return err
	}
	u.end[familyV4] = u.end[familyV4] || len(body) == 4
	return r.finish()
}

// attributes reads the list of attributes.
func (r *reader) attributes(b []byte) error {
	for len(b) > 0 {
		head := 3
		if b[0]&flagExtended != 0 {
			head = 4
		}
		if len(b) < head {
			r.fail("an attribute that is cut off")
			return nil
		}
		n := int(b[2])
		if head == 4 {
			n = uint16At(b[2:])
		}
		if len(b) < head+n {
			r.fail("an attribute that is longer than the rest")
			return nil
		}
		flags, kind, value := b[0], b[1], b[head:head+n]
		b = b[head+n:]
		if r.seen[kind] {
			if kind == attrReach || kind == attrUnreach {
				return badUpdate(1, "MP_REACH_NLRI or MP_UNREACH_NLRI twice")
			}
			continue
		}
		r.seen[kind] = true
		r.attrs++
		if err := r.attribute(flags, kind, value); err != nil {
			return err
		}
	}
	return nil
}

// fail notes why the announced prefixes count as withdrawn.
func (r *reader) fail(why string) {
	if r.u.bad == "" {
		r.u.bad = why
	}
}

func (r *reader) attribute(flags, kind byte, v []byte) error {
	wellKnown := flags&(flagOptional|flagTransitive) == flagTransitive
	switch kind {
	case attrOrigin:
		if !wellKnown || len(v) != 1 || v[0] > 2 {
			r.fail("a bad ORIGIN")
		}
	case attrASPath:
		r.path = asPath{v, 4}
		if r.as2 {
			r.path.size = 2
		}
		if !wellKnown || !r.path.valid() {
			r.fail("a bad AS_PATH")
			r.path.b = nil
		}
	case attrNextHop:
		if !wellKnown || len(v) != 4 {
			r.fail("a bad NEXT_HOP")
		}
	case attrAggregator:
		r.old = r.as2 && len(v) == 6 && uint16At(v) != asTrans
	case attrReach:
		return r.reach(v)
	case attrUnreach:
		return r.unreach(v)
	case attrAS4Path:
		if r.as4 = (asPath{v, 4}); !r.as2 || !r.as4.valid() {
			r.as4.b = nil // RFC 6793 section 6: the attribute alone does not count
		}
	}
	return nil
}

// reach reads MP_REACH_NLRI (RFC 4760 section 3).
func (r *reader) reach(v []byte) error {
	if len(v) < 5 || len(v) < 5+int(v[3]) {
		return badUpdate(9, "MP_REACH_NLRI that is cut off")
	}
	f, ok := familyOf(binary.BigEndian.Uint16(v), v[2])
	if !ok {
		return nil // of a family that was not agreed on
	}
	next := int(v[3])
	if next != 16 && next != 32 && (next != 4 || f != familyV4) {
		return badUpdate(9, "MP_REACH_NLRI with a next hop of an odd length")
	}
	list := v[5+next:]
	if !readable(f, list) {
		return badUpdate(9, "prefixes in MP_REACH_NLRI that cannot be read")
	}
	r.u.announced[f][1] = list
	return nil
}

// unreach reads MP_UNREACH_NLRI (RFC 4760 section 4).
func (r *reader) unreach(v []byte) error {
	if len(v) < 3 {
		return badUpdate(9, "MP_UNREACH_NLRI that is cut off")
	}
	f, ok := familyOf(binary.BigEndian.Uint16(v), v[2])
	if !ok {
		return nil
	}
	if !readable(f, v[3:]) {
		return badUpdate(9, "prefixes in MP_UNREACH_NLRI that cannot be read")
	}
	r.u.withdrawn[f][1] = v[3:]
	r.u.end[f] = len(v) == 3
	return nil
}

// finish looks at the attributes together.
func (r *reader) finish() error {
	u := r.u
	own := len(u.announced[familyV4][0]) > 0
	announces := own || len(u.announced[familyV4][1]) > 0 || len(u.announced[familyV6][1]) > 0
	for f := range u.end { // the marker has nothing beside it
		empty := r.attrs <= 1 && len(u.withdrawn[familyV4][0]) == 0 && !own
		u.end[f] = u.end[f] && empty && u.bad == ""
	}
	if u.bad != "" && !own && !r.seen[attrReach] {
		// It cannot be told whose attributes these are (RFC 7606 section 5.2).
		if len(u.withdrawn[familyV4][0]) == 0 && !r.seen[attrUnreach] {
			return badUpdate(1, u.bad+", and no prefix beside it")
		}
		return nil
	}
	if !announces {
		return nil
	}
	switch {
	case !r.seen[attrASPath]:
		r.fail("no AS_PATH")
	case !r.seen[attrOrigin]:
		r.fail("no ORIGIN")
	case own && !r.seen[attrNextHop]:
		r.fail("no NEXT_HOP")
	}
	if u.bad != "" {
		return nil
	}
	if r.old && r.seen[attrAS4Aggregator] {
		r.as4.b = nil // RFC 6793 section 4.2.3
	}
	u.origin = originOf(r.path, r.as4, r.peer)
	return nil
}

// A sink takes what updates say.
type sink interface {
	announce(family int, k key, origin uint32)
	withdraw(family int, k key)
}

// apply gives the kept prefixes of the families that were agreed on to to:
// withdrawn ones first, for a prefix that is in both lists is announced (RFC
// 4271 section 4.3).
func (u *update) apply(to sink, agreed [families]bool) {
	for f, on := range agreed {
		if !on {
			continue
		}
		for _, list := range u.withdrawn[f] {
			withdraw(to, f, list)
		}
		for _, list := range u.announced[f] {
			if u.bad != "" {
				withdraw(to, f, list)
				continue
			}
			for len(list) > 0 {
				var k key
				if k, list, _ = cutPrefix(f, list); kept(f, k) {
					to.announce(f, k, u.origin)
				}
			}
		}
	}
}

func withdraw(from sink, family int, list []byte) {
	for len(list) > 0 {
		var k key
		if k, list, _ = cutPrefix(family, list); kept(family, k) {
			from.withdraw(family, k)
		}
	}
}
