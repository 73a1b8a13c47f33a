package cluster

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
)

// Streams begin with a handshake. The library cannot tell whether who sends has
// a key before it has read all of a message, of up to 20 MiB; so both sides
// show a key first, and it gets to see only streams of those who have one.
//
//	who dials    greeting
//	who listens  greeting, proof
//	who dials    proof, and what the library says
//
// A greeting is [magic], 8 bytes of a hash of the label, and 32 random bytes; a
// proof is an HMAC-SHA256 over a word for the side and both greetings, by the
// key that this side encrypts with. Any key of the ring is accepted, as in
// messages. Without keys the empty one is used, which all have: then it tells
// labels apart, and no more.
const (
	magic        = "waypost\x01" // with a version
	labelSize    = 8
	greetingSize = len(magic) + labelSize + 32
	proofSize    = sha256.Size
)

// What a side says that it does, in its proof: else it could be sent back its own.
const (
	dials   = "waypost gossip: dials"
	listens = "waypost gossip: listens"
)

// Why a stream is refused, as metrics have it.
const (
	reasonKey       = "key"
	reasonLabel     = "label"
	reasonMalformed = "malformed"
)

// A greeting is what a side says first.
type greeting [greetingSize]byte

func newGreeting(label string) (g greeting) {
	hash := sha256.Sum256([]byte(label))
	n := copy(g[:], magic)
	n += copy(g[n:], hash[:labelSize])
	_, _ = rand.Read(g[n:]) // never fails
	return g
}

// isOurs reports whether this version of the handshake begins so.
func (g *greeting) isOurs() bool { return string(g[:len(magic)]) == magic }

// label returns the part that goes by the label.
func (g *greeting) label() []byte { return g[len(magic) : len(magic)+labelSize] }

// A handshake is how this edge shows its keys, and wants to be shown them. It is
// safe for any number of goroutines.
type handshake struct {
	keys  *keyring
	label string
}

// prove returns the proof of a side.
func prove(key []byte, side string, dialler, listener *greeting) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(side))
	mac.Write(dialler[:])
	mac.Write(listener[:])
	return mac.Sum(nil)
}

// own returns the key that this edge encrypts with.
func (h *handshake) own() []byte { return h.all()[0] }

// all returns the keys that this edge accepts.
func (h *handshake) all() [][]byte {
	if h.keys.ring == nil {
		return [][]byte{nil}
	}
	return h.keys.ring.GetKeys()
}

// accepts reports whether a proof was made with one of the keys.
func (h *handshake) accepts(proof []byte, side string, dialler, listener *greeting) bool {
	return slices.ContainsFunc(h.all(), func(key []byte) bool {
		return hmac.Equal(proof, prove(key, side, dialler, listener))
	})
}

// dial does the part of who dials. It reads no more than the handshake.
func (h *handshake) dial(c net.Conn) error {
	own := newGreeting(h.label)
	if _, err := c.Write(own[:]); err != nil {
		return err
	}
	var there greeting
	var proof [proofSize]byte
	if _, err := io.ReadFull(c, there[:]); err != nil {
		return fmt.Errorf("it does not greet as an edge does: %w", err)
	}
	if !there.isOurs() {
		return errors.New("it is no edge, or one of a version that is spoken to in another way")
	}
	if _, err := io.ReadFull(c, proof[:]); err != nil {
		return err
	}
	// Whatever the other side has shown: so it, too, can tell why it is not joined.
	if _, err := c.Write(prove(h.own(), dials, &own, &there)); err != nil {
		return err
	}
	switch {
	case !bytes.Equal(there.label(), own.label()):
		return errors.New("it is an edge of another label")
	case !h.accepts(proof[:], listens, &own, &there):
		return errors.New("it is an edge with a key that this one does not have")
	}
	return nil
}

// listen does the part of who listens. It reads no more than the handshake, and
// returns why the other side is refused; "" where it has said nothing, or nothing
// is wrong with what it has said.
func (h *handshake) listen(c net.Conn) (reason string, err error) {
	var there greeting
	switch n, err := io.ReadFull(c, there[:]); {
	case n == 0:
		return "", err // as who looks whether the port is open
	case err != nil:
		return reasonMalformed, fmt.Errorf("it does not greet as an edge does: %w", err)
	case !there.isOurs():
		return reasonMalformed, errors.New("it does not greet as an edge of this version does")
	}
	own := newGreeting(h.label)
	if _, err := c.Write(slices.Concat(own[:], prove(h.own(), listens, &there, &own))); err != nil {
		return "", err
	}
	var proof [proofSize]byte
	if _, err := io.ReadFull(c, proof[:]); err != nil {
		return reasonMalformed, fmt.Errorf("it shows no key: %w", err)
	}
	switch {
	case !bytes.Equal(there.label(), own.label()):
		return reasonLabel, errors.New("it is of another label")
	case !h.accepts(proof[:], dials, &there, &own):
		return reasonKey, errors.New("it has none of the keys of this edge")
	}
	return "", nil
}
