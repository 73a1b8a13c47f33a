package bgp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
)

// Messages have a header of 19 bytes: a marker of ones, the length with the
// header, the type (RFC 4271 section 4.1). Extended messages (RFC 8654) are not
// announced here, so none is longer than 4,096 bytes.
const (
	headerLen  = 19
	maxMessage = 4096
)

// Types of messages.
const (
	msgOpen         = 1
	msgUpdate       = 2
	msgNotification = 3
	msgKeepalive    = 4
	msgRefresh      = 5 // RFC 2918; nothing was announced, so there is nothing to repeat
)

// readMessage reads one message into buf, which has room for the longest, and
// returns its type and body. The error is a *[Error] where bytes came that are
// no message.
func readMessage(r *bufio.Reader, buf *[maxMessage]byte) (kind byte, body []byte, err error) {
	h := buf[:headerLen]
	if _, err = io.ReadFull(r, h); err != nil {
		return 0, nil, err
	}
	for _, b := range h[:16] {
		if b != 0xff {
			return 0, nil, &Error{Code: codeHeader, Subcode: 1, Text: "the marker is not all ones"}
		}
	}
	n, kind := int(binary.BigEndian.Uint16(h[16:])), h[18]
	least, fixed := headerLen, false
	switch kind {
	case msgOpen:
		least = headerLen + 10
	case msgUpdate:
		least = headerLen + 4
	case msgNotification:
		least = headerLen + 2
	case msgKeepalive:
		fixed = true
	case msgRefresh:
		least = headerLen + 4
	default:
		return 0, nil, &Error{Code: codeHeader, Subcode: 3, Data: h[18:19], Text: fmt.Sprintf("no message has the type %d", kind)}
	}
	if n < least || n > maxMessage || fixed && n != least {
		return 0, nil, &Error{Code: codeHeader, Subcode: 2, Data: h[16:18], Text: fmt.Sprintf("a message of type %d has a length of %d", kind, n)}
	}
	body = buf[headerLen:n]
	_, err = io.ReadFull(r, body)
	return kind, body, err
}

// appendMessage appends a message to b.
func appendMessage(b []byte, kind byte, body []byte) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(headerLen+len(body)))
	return append(append(b, kind), body...)
}

// Families that sessions are for.
const (
	familyV4 = iota
	familyV6
	families
)

// afi are the address family numbers of the families; SAFI 1 is unicast (RFC 4760 section 3).
var afi = [families]uint16{1, 2} //nolint:gochecknoglobals // constant

const safiUnicast = 1

// familyOf returns the family of an AFI and SAFI.
func familyOf(a uint16, safi byte) (int, bool) {
	if safi != safiUnicast || a != afi[familyV4] && a != afi[familyV6] {
		return 0, false
	}
	return int(a) - 1, true
}

// Capabilities (RFC 5492).
const (
	capMultiprotocol = 1  // RFC 4760
	capRestart       = 64 // RFC 4724
	capAS4           = 65 // RFC 6793
)

// asTrans stands for a 4-byte ASN in 2 bytes (RFC 6793 section 9).
const asTrans = 23456

// open is what an OPEN message says (RFC 4271 section 4.2).
type open struct {
	asn      uint32
	hold     uint16 // seconds
	id       netip.Addr
	as4      bool           // 4-byte ASNs in paths
	restart  bool           // announces the end of its table (RFC 4724 section 3)
	families [families]bool // what it has routes of
}

// body returns the body of the message. Its restart capability names no
// family and no time: it only says that the End-of-RIB marker is known here, or
// peers would not send it.
func (o *open) body() []byte {
	asn2 := uint16(asTrans)
	if o.asn <= 0xffff {
		asn2 = uint16(o.asn)
	}
	b := []byte{4}
	b = binary.BigEndian.AppendUint16(b, asn2)
	b = binary.BigEndian.AppendUint16(b, o.hold)
	id := o.id.As4()
	b = append(b, id[:]...)
	var caps []byte
	for f, on := range o.families {
		if on {
			caps = append(caps, capMultiprotocol, 4, 0, byte(afi[f]), 0, safiUnicast)
		}
	}
	if o.restart {
		caps = append(caps, capRestart, 2, 0, 0)
	}
	if o.as4 {
		caps = append(caps, capAS4, 4)
		caps = binary.BigEndian.AppendUint32(caps, o.asn)
	}
	return append(append(b, byte(2+len(caps)), 2, byte(len(caps))), caps...)
}

// parseOpen reads the body of an OPEN message. The error is a *[Error].
func parseOpen(b []byte) (*open, error) {
	if b[0] != 4 {
		return nil, &Error{Code: codeOpen, Subcode: 1, Data: []byte{0, 4}, Text: fmt.Sprintf("it speaks version %d of BGP", b[0])}
	}
	o := &open{
		asn: uint32(binary.BigEndian.Uint16(b[1:])), hold: binary.BigEndian.Uint16(b[3:]),
		id: netip.AddrFrom4([4]byte(b[5:9])),
	}
	if o.hold == 1 || o.hold == 2 {
		return nil, &Error{Code: codeOpen, Subcode: 6, Text: fmt.Sprintf("its hold time is %d s", o.hold)}
	}
	if !o.id.IsValid() || o.id.IsUnspecified() {
		return nil, &Error{Code: codeOpen, Subcode: 3, Text: "its router ID is 0.0.0.0"}
	}
	params, wide, ok := openParameters(b[9:])
	hasFamily := false
	for ok && len(params) > 0 {
		var kind byte
		var value []byte
		if kind, value, params, ok = cutParameter(params, wide); !ok {
			break
		}
		if kind != 2 {
			return nil, &Error{Code: codeOpen, Subcode: 4, Text: fmt.Sprintf("parameter %d of its OPEN is not known", kind)}
		}
		for ok && len(value) > 0 {
			var c byte
			var v []byte
			if c, v, value, ok = cutParameter(value, false); ok {
				ok = o.capability(c, v, &hasFamily)
			}
		}
	}
	if !ok {
		return nil, &Error{Code: codeOpen, Subcode: 0, Text: "its OPEN has lengths that do not fit"}
	}
	if !hasFamily { // RFC 4760 section 8: IPv4 unicast is what all speak
		o.families[familyV4] = true
	}
	return o, nil
}

// openParameters returns the optional parameters; wide are those with lengths
// of two bytes, whatever number but 0 stands in the place of the short length
// (RFC 9072 section 2).
func openParameters(b []byte) (params []byte, wide, ok bool) {
	n, b := int(b[0]), b[1:]
	if n != 0 && len(b) >= 3 && b[0] == 255 {
		n, b, wide = int(binary.BigEndian.Uint16(b[1:])), b[3:], true
	}
	return b, wide, n == len(b)
}

func cutParameter(b []byte, wide bool) (kind byte, value, rest []byte, ok bool) {
	head := 2
	if wide {
		head = 3
	}
	if len(b) < head {
		return 0, nil, nil, false
	}
	n := int(b[1])
	if wide {
		n = int(binary.BigEndian.Uint16(b[1:]))
	}
	if len(b) < head+n {
		return 0, nil, nil, false
	}
	return b[0], b[head : head+n], b[head+n:], true
}

// capability notes one capability; ok is false where its length is wrong.
func (o *open) capability(kind byte, v []byte, hasFamily *bool) (ok bool) {
	switch kind {
	case capMultiprotocol:
		if len(v) != 4 {
			return false
		}
		*hasFamily = true
		if f, known := familyOf(binary.BigEndian.Uint16(v), v[3]); known {
			o.families[f] = true
		}
	case capRestart:
		o.restart = true
	case capAS4:
		if len(v) != 4 {
			return false
		}
		o.asn, o.as4 = binary.BigEndian.Uint32(v), true
	}
	return true
}
