package bgp

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// said is what an update says, as a map: prefix → origin, -1 for withdrawn.
type said map[netip.Prefix]int64

func (s said) announce(family int, k key, origin uint32) { s[k.prefix(family)] = int64(origin) }
func (s said) withdraw(family int, k key)                { s[k.prefix(family)] = -1 }

// slowSaid reads an UPDATE message by gobgp's codec and looks at all of it. ok
// is false where gobgp refuses the message.
func slowSaid(body []byte, as2 bool, peer uint32) (s said, ok bool) {
	defer func() {
		if recover() != nil { // gobgp's codec panics on some of what the fuzzer makes
			s, ok = nil, false
		}
	}()
	header := &gobgp.BGPHeader{Type: gobgp.BGP_MSG_UPDATE, Len: uint16(headerLen + len(body))}
	m, err := gobgp.ParseBGPBody(header, body, &gobgp.MarshallingOption{})
	if err != nil {
		return nil, false
	}
	u, _ := m.Body.(*gobgp.BGPUpdate)
	s = said{}
	for _, w := range u.WithdrawnRoutes {
		s.note(w.Prefix, w.Length, -1)
	}
	var path, as4 []slowSegment
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *gobgp.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				s.noteMP(n, -1)
			}
		case *gobgp.PathAttributeAsPath:
			path = slowPath(a.Value)
		case *gobgp.PathAttributeAs4Path:
			for _, p := range a.Value {
				as4 = append(as4, slowSegment{p.Type, p.AS})
			}
		}
	}
	if !as2 {
		as4 = nil
	}
	o := int64(slowOrigin(path, as4, peer))
	for _, a := range u.PathAttributes {
		if a, is := a.(*gobgp.PathAttributeMpReachNLRI); is {
			for _, n := range a.Value {
				s.noteMP(n, o)
			}
		}
	}
	for _, n := range u.NLRI {
		s.note(n.Prefix, n.Length, o)
	}
	return s, true
}

func (s said) noteMP(n gobgp.AddrPrefixInterface, o int64) {
	switch n := n.(type) {
	case *gobgp.IPAddrPrefix:
		s.note(n.Prefix, n.Length, o)
	case *gobgp.IPv6AddrPrefix:
		s.note(n.Prefix, n.Length, o)
	}
}

func (s said) note(ip []byte, bits uint8, o int64) {
	a, _ := netip.AddrFromSlice(ip)
	p := netip.PrefixFrom(a, int(bits)).Masked()
	if slowKept(p) {
		s[p] = o
	}
}

// slowKept is kept in the words of the registries.
func slowKept(p netip.Prefix) bool {
	least, most := 8, 24
	if p.Addr().Is6() {
		least, most = 16, 48
	}
	if p.Bits() < least || p.Bits() > most {
		return false
	}
	if p.Addr().Is6() && !netip.MustParsePrefix("2000::/3").Contains(p.Addr()) {
		return false
	}
	for _, b := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "3ffe::/16", "3fff::/20",
	} {
		if bogon := netip.MustParsePrefix(b); bogon.Contains(p.Addr()) && p.Bits() >= bogon.Bits() {
			return false
		}
	}
	return true
}

type slowSegment struct {
	kind uint8
	as   []uint32
}

func slowPath(params []gobgp.AsPathParamInterface) (path []slowSegment) {
	for _, p := range params {
		path = append(path, slowSegment{p.GetType(), p.GetAS()})
	}
	return path
}

// slowOrigin writes the path out, a 0 for a set, and looks at its end.
func slowOrigin(path, as4 []slowSegment, peer uint32) uint32 {
	long, longer := slowFlat(path), slowFlat(as4)
	if len(longer) > 0 && len(longer) <= len(long) {
		long = append(slices.Clone(long[:len(long)-len(longer)]), longer...)
	}
	if len(long) == 0 {
		long = []uint32{peer}
	}
	for len(long) > 0 && slowPrivate(long[len(long)-1]) {
		long = long[:len(long)-1]
	}
	if len(long) == 0 {
		return 0
	}
	switch last := long[len(long)-1]; last {
	case 23456, 65535, 4294967295:
		return 0
	default:
		return last
	}
}

func slowPrivate(n uint32) bool {
	return 64512 <= n && n <= 65534 || 4200000000 <= n && n <= 4294967294
}

func slowFlat(path []slowSegment) (flat []uint32) {
	for _, s := range path {
		switch s.kind {
		case segSequence:
			flat = append(flat, s.as...)
		case segSet:
			flat = append(flat, 0)
		}
	}
	return flat
}

// slowMessage makes the body of an UPDATE message with gobgp's codec.
func slowMessage(tb testing.TB, withdrawn, announced []string, attrs ...gobgp.PathAttributeInterface) []byte {
	tb.Helper()
	list := func(texts []string) (out []*gobgp.IPAddrPrefix) {
		for _, text := range texts {
			p := netip.MustParsePrefix(text)
			out = append(out, gobgp.NewIPAddrPrefix(uint8(p.Bits()), p.Addr().String()))
		}
		return out
	}
	b, err := gobgp.NewBGPUpdateMessage(list(withdrawn), attrs, list(announced)).Serialize()
	if err != nil {
		tb.Fatal(err)
	}
	return b[headerLen:]
}

// seq, seq2 and set are segments of paths.
func seq(as ...uint32) gobgp.AsPathParamInterface { return gobgp.NewAs4PathParam(segSequence, as) }

func seq2(as ...uint16) gobgp.AsPathParamInterface {
	return gobgp.NewAsPathParam(segSequence, as)
}
func set(as ...uint32) gobgp.AsPathParamInterface { return gobgp.NewAs4PathParam(segSet, as) }

func confed(as ...uint32) gobgp.AsPathParamInterface {
	return gobgp.NewAs4PathParam(segConfedSequence, as)
}

// attrsOf are the attributes of a good route with a path.
func attrsOf(path ...gobgp.AsPathParamInterface) []gobgp.PathAttributeInterface {
	return []gobgp.PathAttributeInterface{
		gobgp.NewPathAttributeOrigin(0), gobgp.NewPathAttributeAsPath(path), gobgp.NewPathAttributeNextHop("5.0.0.1"),
	}
}

func mp6(announced ...string) gobgp.PathAttributeInterface {
	return gobgp.NewPathAttributeMpReachNLRI("2a00::1", nlri6(announced))
}

func nlri6(texts []string) (out []gobgp.AddrPrefixInterface) {
	for _, text := range texts {
		p := netip.MustParsePrefix(text)
		out = append(out, gobgp.NewIPv6AddrPrefix(uint8(p.Bits()), p.Addr().String()))
	}
	return out
}

var both = [families]bool{true, true}

// read returns what the fast reader makes of a message.
func read(tb testing.TB, body []byte, as2 bool, peer uint32) (*update, said) {
	tb.Helper()
	var u update
	if err := u.parse(body, as2, peer); err != nil {
		tb.Fatalf("parse: %v", err)
	}
	s := said{}
	u.apply(s, both)
	return &u, s
}

func TestUpdate(t *testing.T) {
	const peer = 3320
	tests := []struct {
		name string
		body []byte
		as2  bool
		want said
	}{
		{"the last AS", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320, 1299, 680))...), false, said{p("5.1.0.0/16"): 680}},
		{"two sequences", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320), seq(680))...), false, said{p("5.1.0.0/16"): 680}},
		{"a set at the end", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320, 680), set(7, 8))...), false, said{p("5.1.0.0/16"): 0}},
		{"a set, then a private AS", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320), set(7), seq(64512))...), false, said{p("5.1.0.0/16"): 0}},
		{"a set inside", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320), set(7, 8), seq(9))...), false, said{p("5.1.0.0/16"): 9}},
		{"private ASes at the end", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320, 680, 64512, 4200000001))...), false, said{p("5.1.0.0/16"): 680}},
		{"nothing but private ASes", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(64512, 64513))...), false, said{p("5.1.0.0/16"): 0}},
		{"a confederation", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(confed(64512, 680))...), false, said{p("5.1.0.0/16"): peer}},
		{"an empty path", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf()...), false, said{p("5.1.0.0/16"): peer}},
		{"4 bytes", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(3320, 396982))...), false, said{p("5.1.0.0/16"): 396982}},
		{"AS_TRANS alone", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq2(3320, asTrans))...), true, said{p("5.1.0.0/16"): 0}},
		{"AS4_PATH", slowMessage(t, nil, []string{"5.1.0.0/16"}, append(attrsOf(seq2(3320, asTrans)),
			gobgp.NewPathAttributeAs4Path([]*gobgp.As4PathParam{gobgp.NewAs4PathParam(segSequence, []uint32{396982})}))...), true, said{p("5.1.0.0/16"): 396982}},
		{"AS4_PATH that is too long", slowMessage(t, nil, []string{"5.1.0.0/16"}, append(attrsOf(seq2(680)),
			gobgp.NewPathAttributeAs4Path([]*gobgp.As4PathParam{gobgp.NewAs4PathParam(segSequence, []uint32{1, 396982})}))...), true, said{p("5.1.0.0/16"): 680}},
		{"AS4_PATH of private ASes", slowMessage(t, nil, []string{"5.1.0.0/16"}, append(attrsOf(seq2(680, asTrans)),
			gobgp.NewPathAttributeAs4Path([]*gobgp.As4PathParam{gobgp.NewAs4PathParam(segSequence, []uint32{4200000000})}))...), true, said{p("5.1.0.0/16"): 680}},
		{"AS4_PATH of a peer that knows 4 bytes", slowMessage(t, nil, []string{"5.1.0.0/16"}, append(attrsOf(seq(3320, 680)),
			gobgp.NewPathAttributeAs4Path([]*gobgp.As4PathParam{gobgp.NewAs4PathParam(segSequence, []uint32{396982})}))...), false, said{p("5.1.0.0/16"): 680}},
		{"AS4_PATH that is out of date", slowMessage(t, nil, []string{"5.1.0.0/16"}, append(attrsOf(seq2(3320, 680)),
			gobgp.NewPathAttributeAggregator(uint16(680), "5.0.0.1"), gobgp.NewPathAttributeAs4Aggregator(396982, "5.0.0.1"),
			gobgp.NewPathAttributeAs4Path([]*gobgp.As4PathParam{gobgp.NewAs4PathParam(segSequence, []uint32{396982})}))...), true, said{p("5.1.0.0/16"): 680}},
		{"v6", slowMessage(t, nil, nil, append(attrsOf(seq(3320, 680)), mp6("2a00:1::/32", "2a00:2:3::/48"))...), false, said{p("2a00:1::/32"): 680, p("2a00:2:3::/48"): 680}},
		{"withdrawn", slowMessage(t, []string{"5.1.0.0/16"}, nil), false, said{p("5.1.0.0/16"): -1}},
		{"withdrawn and announced", slowMessage(t, []string{"5.1.0.0/16"}, []string{"5.1.0.0/16"}, attrsOf(seq(680))...), false, said{p("5.1.0.0/16"): 680}},
		{"withdrawn v6", slowMessage(t, nil, nil, gobgp.NewPathAttributeMpUnreachNLRI(nlri6([]string{"2a00:1::/32"}))), false, said{p("2a00:1::/32"): -1}},
		{"what is left out", slowMessage(t, nil, []string{"0.0.0.0/0", "128.0.0.0/1", "5.1.1.0/25", "10.1.0.0/16", "198.51.100.0/24", "239.0.0.0/8"},
			append(attrsOf(seq(680)), mp6("::/0", "2000::/3", "2a00:1:2:3::/64", "2001:db8:1::/48", "fd00::/16"))...), false, said{}},
		{"no AS_PATH", slowMessage(t, nil, []string{"5.1.0.0/16"}, gobgp.NewPathAttributeOrigin(0), gobgp.NewPathAttributeNextHop("5.0.0.1")), false, said{p("5.1.0.0/16"): -1}},
		{"no ORIGIN", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(680))[1:]...), false, said{p("5.1.0.0/16"): -1}},
		{"no NEXT_HOP", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(680))[:2]...), false, said{p("5.1.0.0/16"): -1}},
		{"AS 0", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(680, 0))...), false, said{p("5.1.0.0/16"): -1}},
		{"an AS_PATH that ends early", withAttr(0x40, attrASPath, []byte{2, 2, 0, 0, 0, 1}), false, said{p("5.1.0.0/16"): -1}},
		{"an empty segment", withAttr(0x40, attrASPath, []byte{2, 0}), false, said{p("5.1.0.0/16"): -1}},
		{"a segment of an unknown type", withAttr(0x40, attrASPath, []byte{5, 1, 0, 0, 0, 1}), false, said{p("5.1.0.0/16"): -1}},
		{"AS_PATH with odd flags", withAttr(0xc0, attrASPath, []byte{2, 1, 0, 0, 0, 1}), false, said{p("5.1.0.0/16"): -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := read(t, tt.body, tt.as2, peer); !cmp.Equal(tt.want, got) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func p(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// withAttr is the body of an UPDATE of 5.1.0.0/16 with one attribute of its own
// beside ORIGIN and NEXT_HOP.
func withAttr(flags, kind byte, value []byte) []byte {
	attrs := []byte{0x40, attrOrigin, 1, 0, 0x40, attrNextHop, 4, 5, 0, 0, 1, flags, kind, byte(len(value))}
	attrs = append(attrs, value...)
	b := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attrs)))
	return append(append(b, attrs...), 16, 5, 1)
}

// TestUpdateThatEndsTheSession has messages from which it cannot be told what
// they are about.
func TestUpdateThatEndsTheSession(t *testing.T) {
	tests := []struct {
		name    string
		body    []byte
		subcode byte
	}{
		{"withdrawn routes too long", []byte{0, 9, 0, 0}, 1},
		{"attributes too long", []byte{0, 0, 0, 9}, 1},
		{"a prefix of 33 bits", []byte{0, 0, 0, 0, 33, 5, 1, 2, 3, 4}, 10},
		{"a prefix that is cut off", []byte{0, 2, 24, 5, 0, 0}, 10},
		{"MP_REACH_NLRI cut off", withAttr(0x80, attrReach, []byte{0, 2, 1, 16}), 9},
		{"MP_REACH_NLRI with an odd next hop", withAttr(0x80, attrReach, []byte{0, 2, 1, 1, 9, 0}), 9},
		{"MP_REACH_NLRI with bad prefixes", withAttr(0x80, attrReach, append(append([]byte{0, 2, 1, 16}, make([]byte, 17)...), 129)), 9},
		{"MP_UNREACH_NLRI with bad prefixes", withAttr(0x80, attrUnreach, []byte{0, 2, 1, 48, 1}), 9},
		{"a bad attribute and no prefix", []byte{0, 0, 0, 4, 0x40, attrOrigin, 1, 9}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var u update
			var err *Error
			if !errors.As(u.parse(tt.body, false, 1), &err) || err.Code != codeUpdate || err.Subcode != tt.subcode {
				t.Errorf("parse: %v, want an error %d/%d", err, codeUpdate, tt.subcode)
			}
		})
	}
}

func TestEndOfRIB(t *testing.T) {
	tests := []struct {
		name string
		body []byte
		want [families]bool
	}{
		{"v4", []byte{0, 0, 0, 0}, [families]bool{true, false}},
		{"v6", []byte{0, 0, 0, 6, 0x80, attrUnreach, 3, 0, 2, 1}, [families]bool{false, true}},
		{"v4 by MP_UNREACH_NLRI", []byte{0, 0, 0, 6, 0x80, attrUnreach, 3, 0, 1, 1}, [families]bool{true, false}},
		{"of another family", []byte{0, 0, 0, 6, 0x80, attrUnreach, 3, 0, 2, 2}, [families]bool{}},
		{"a withdrawal", slowMessage(t, []string{"5.1.0.0/16"}, nil), [families]bool{}},
		{"a route", slowMessage(t, nil, []string{"5.1.0.0/16"}, attrsOf(seq(1))...), [families]bool{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if u, _ := read(t, tt.body, false, 1); u.end != tt.want {
				t.Errorf("end = %v, want %v", u.end, tt.want)
			}
		})
	}
}

// FuzzUpdate compares with gobgp's codec wherever that takes the message and
// nothing in it is malformed for us.
func FuzzUpdate(f *testing.F) {
	f.Add(slowMessage(f, []string{"5.9.0.0/16"}, []string{"5.1.0.0/16", "5.2.0.0/24"}, append(attrsOf(seq(1, 2), set(3)), mp6("2a00:1::/32"))...), false)
	f.Add(slowMessage(f, nil, []string{"5.1.0.0/16"}, append(attrsOf(seq2(1, asTrans)),
		gobgp.NewPathAttributeAs4Path([]*gobgp.As4PathParam{gobgp.NewAs4PathParam(segSequence, []uint32{396982})}))...), true)
	f.Add(withAttr(0x50, attrASPath, []byte{0, 6, 2, 1, 0, 0, 0, 1}), false)
	f.Add(slowMessage(f, nil, nil, gobgp.NewPathAttributeMpUnreachNLRI(nlri6([]string{"2a00:1::/32"}))), false)
	f.Fuzz(func(t *testing.T, body []byte, as2 bool) {
		if len(body) > maxMessage-headerLen {
			return
		}
		var u update
		err := u.parse(body, as2, 3320)
		got := said{}
		u.apply(got, both)
		want, ok := slowSaid(body, as2, 3320)
		if err != nil || u.bad != "" || !ok || !comparable2(body) {
			return
		}
		if !maps.Equal(want, got) {
			t.Errorf("%x (2-byte: %t):\ngot  %v\nwant %v", body, as2, got, want)
		}
	})
}

// comparable2 leaves out what gobgp's codec is known to read in another way: it
// guesses the size of ASNs where we know it, and keeps the last of attributes
// that come twice.
func comparable2(body []byte) bool {
	attrs := body[4+uint16At(body):]
	attrs = attrs[:uint16At(body[2+uint16At(body):])]
	seen := map[byte]bool{}
	for len(attrs) > 0 {
		head, n := 3, int(attrs[2])
		if attrs[0]&flagExtended != 0 {
			head, n = 4, uint16At(attrs[2:])
		}
		kind := attrs[1]
		switch {
		case seen[kind], kind == attrAggregator, kind == attrAS4Aggregator:
			return false
		case kind == attrASPath && asPath{attrs[head : head+n], 2}.valid() && asPath{attrs[head : head+n], 4}.valid():
			return false
		}
		seen[kind] = true
		attrs = attrs[head+n:]
	}
	return true
}
