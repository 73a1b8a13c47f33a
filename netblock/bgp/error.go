package bgp

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Codes of NOTIFICATION messages (RFC 4271 section 4.5).
const (
	codeHeader = 1
	codeOpen   = 2
	codeUpdate = 3
	codeHold   = 4
	codeState  = 5
	codeCease  = 6
)

// Subcodes of Cease (RFC 4486).
const (
	ceasePrefixes  = 1
	ceaseShutdown  = 2
	ceaseRejected  = 5
	ceaseCollision = 7
)

// An Error ends a session: one that was found here and told the peer, or one
// that the peer told.
type Error struct {
	Code, Subcode byte   // of the NOTIFICATION message
	Data          []byte // what came with it
	Received      bool   // the peer told it
	Text          string // what is wrong, for operators
}

// Error says what is wrong, and its number.
func (e *Error) Error() string {
	number := fmt.Sprintf("%s (%d/%d)", e.name(), e.Code, e.Subcode)
	switch {
	case e.Received && e.Text != "":
		return "the peer closed the session: " + number + ": " + e.Text
	case e.Received:
		return "the peer closed the session: " + number
	}
	return number + ": " + e.Text
}

// Kind names the error in metrics.
func (e *Error) Kind() string {
	switch {
	case e.Code == codeCease && e.Subcode == ceasePrefixes:
		return "max_prefixes"
	case e.Received:
		return "notification"
	case e.Code == codeHold:
		return "hold_timer"
	case e.Code == codeOpen:
		return "open"
	}
	return "message"
}

// name names the code and subcode.
func (e *Error) name() string {
	subs := map[byte][]string{
		codeHeader: {"message header error", "connection not synchronized", "bad message length", "bad message type"},
		codeOpen: {
			"OPEN message error", "unsupported version", "bad peer AS", "bad router ID", "unsupported parameter",
			"authentication failure", "unacceptable hold time", "unsupported capability",
		},
		codeUpdate: {
			"UPDATE message error", "malformed attribute list", "unrecognized attribute", "missing attribute", "attribute flags error",
			"attribute length error", "invalid origin", "routing loop", "invalid next hop", "optional attribute error", "invalid network field",
			"malformed AS path",
		},
		codeHold:  {"hold timer expired"},
		codeState: {"state machine error"},
		codeCease: {
			"cease", "too many prefixes", "shut down by an operator", "peer taken out of the configuration", "reset by an operator",
			"connection rejected", "configuration changed", "connection collision", "out of resources", "hard reset", "BFD down",
		},
	}[e.Code]
	switch {
	case len(subs) == 0:
		return "unknown error"
	case int(e.Subcode) < len(subs):
		return subs[e.Subcode]
	}
	return subs[0]
}

// append appends the body of the NOTIFICATION message.
func (e *Error) append(b []byte) []byte {
	data := e.Data
	if e.Code == codeCease && e.Subcode == ceaseShutdown { // RFC 9003
		data = append([]byte{byte(len(e.Text))}, e.Text...)
	}
	return append(append(b, e.Code, e.Subcode), data...)
}

// parseNotification reads the body of a NOTIFICATION message.
func parseNotification(b []byte) *Error {
	e := &Error{Code: b[0], Subcode: b[1], Data: b[2:], Received: true}
	switch {
	case e.Code == codeCease && (e.Subcode == ceaseShutdown || e.Subcode == 4) && len(b) > 3 && int(b[2]) == len(b)-3 && utf8.Valid(b[3:]):
		e.Text = fmt.Sprintf("%q", b[3:])
	case e.Code == codeOpen && e.Subcode == 2:
		e.Text = "it expects another AS number than local_asn, or is of another AS itself"
	case e.Code == codeCease && e.Subcode == ceaseRejected:
		e.Text = "it knows no neighbour of this address, or has switched it off"
	case e.Code == codeOpen && e.Subcode == 6:
		e.Text = "it does not accept our hold time"
	case len(e.Data) > 0:
		e.Text = fmt.Sprintf("data %x", e.Data[:min(len(e.Data), 32)])
	}
	e.Data = nil
	return e
}

// badUpdate returns an error that ends the session because an UPDATE message
// cannot be read (RFC 7606 section 3 says which).
func badUpdate(subcode byte, text string) *Error {
	return &Error{Code: codeUpdate, Subcode: subcode, Text: text}
}

// uint16At is a short name for big-endian.
func uint16At(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
