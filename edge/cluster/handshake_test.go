package cluster

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/memberlist"
)

// ringOf returns a ring of keys of one byte each, the first of which encrypts.
func ringOf(t *testing.T, keys string) *keyring {
	t.Helper()
	if keys == "" {
		return &keyring{}
	}
	var all [][]byte
	for _, k := range []byte(keys) {
		all = append(all, bytes.Repeat([]byte{k}, 32))
	}
	ring, err := memberlist.NewKeyring(all, all[0])
	if err != nil {
		t.Fatal(err)
	}
	return &keyring{ring: ring}
}

// TestHandshake has edges of all kinds of rings and labels meet. Both sides agree,
// and know why they do not.
func TestHandshake(t *testing.T) {
	tests := []struct {
		name               string
		dials, listens     string // keys
		labelDial, labelTo string
		dialled            string // error
		reason             string
	}{
		{name: "one key", dials: "a", listens: "a"},
		{name: "none", dials: "", listens: ""},
		{name: "a new key that both have", dials: "ba", listens: "ab"},
		{name: "other keys", dials: "a", listens: "b", dialled: "a key that this one does not have", reason: reasonKey},
		{name: "a key and none", dials: "", listens: "a", dialled: "a key that this one does not have", reason: reasonKey},
		{name: "none and a key", dials: "a", listens: "", dialled: "a key that this one does not have", reason: reasonKey},
		{name: "a key too early", dials: "ba", listens: "a", reason: reasonKey}, // it hangs up
		{name: "a key that is not yet known here", dials: "a", listens: "ba", dialled: "a key that this one does not have"},
		{name: "another label", dials: "a", listens: "a", labelTo: "x", dialled: "another label", reason: reasonLabel},
		{name: "another label and key", dials: "a", listens: "b", labelDial: "x", dialled: "another label", reason: reasonLabel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			here, there := net.Pipe()
			defer closeBoth(here, there)
			dialler := handshake{ringOf(t, tt.dials), "waypost" + tt.labelDial}
			listener := handshake{ringOf(t, tt.listens), "waypost" + tt.labelTo}
			dialled := make(chan error, 1)
			go func() { dialled <- dialler.dial(here) }()
			reason, err := listener.listen(there)
			if reason != tt.reason || (err == nil) != (reason == "") {
				t.Errorf("refused for %q, want %q: %v", reason, tt.reason, err)
			}
			if err := <-dialled; (err == nil) != (tt.dialled == "") || err != nil && !strings.Contains(err.Error(), tt.dialled) {
				t.Errorf("who dials says %v, want %q", err, tt.dialled)
			}
		})
	}
}

func closeBoth(a, b io.Closer) {
	_ = a.Close()
	_ = b.Close()
}

// TestProofs: neither a proof of before nor the other side's own opens the door.
func TestProofs(t *testing.T) {
	key := []byte("key")
	h := handshake{ringOf(t, "a"), "waypost"}
	one, two := newGreeting("waypost"), newGreeting("waypost")
	if one == two {
		t.Fatal("a greeting comes twice")
	}
	proof := prove(key, dials, &one, &two)
	for name, other := range map[string][]byte{
		"of the other side":   prove(key, listens, &one, &two),
		"of another greeting": prove(key, dials, &two, &one),
		"of another key":      prove([]byte("kez"), dials, &one, &two),
	} {
		if bytes.Equal(proof, other) {
			t.Errorf("the proof is that %s", name)
		}
	}
	here, there := net.Pipe()
	defer closeBoth(here, there)
	go func() { // sends back what it hears
		_, _ = here.Write(one[:])
		answer := make([]byte, greetingSize+proofSize)
		_, _ = io.ReadFull(here, answer)
		_, _ = here.Write(answer[greetingSize:])
	}()
	if reason, err := h.listen(there); reason != reasonKey {
		t.Errorf("its own proof: refused for %q, %v", reason, err)
	}
}

// TestNoEdge: what is no edge is refused after its first words, and who says
// nothing is no news.
func TestNoEdge(t *testing.T) {
	ours := newGreeting("waypost")
	tests := []struct {
		name   string
		says   string
		reason string
	}{
		{"nothing", "", ""},
		{"a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", reasonMalformed},
		{"an edge of before", "\xf4\x07waypost\x0a\x01\x3f\xff\xff" + strings.Repeat("x", 1000), reasonMalformed},
		{"half a greeting", string(ours[:20]), reasonMalformed},
		{"no proof", string(ours[:]), reasonMalformed},
		{"a wrong one", string(ours[:]) + strings.Repeat("x", proofSize), reasonKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reason, read := listenTo(t, tt.says)
			if reason != tt.reason || read > greetingSize+proofSize {
				t.Errorf("refused for %q, want %q, after %d bytes", reason, tt.reason, read)
			}
		})
	}
}

// listenTo returns what becomes of a stranger who says something and hangs up, and
// how much of it was read.
func listenTo(t *testing.T, says string) (reason string, read int) {
	t.Helper()
	c := &deafConn{Reader: strings.NewReader(says)}
	reason, err := (&handshake{ringOf(t, "a"), "waypost"}).listen(c)
	if err == nil {
		t.Errorf("%.40q is let in", says)
	}
	return reason, c.read
}

// A deafConn is a connection whose other side says what it says, whatever it is told.
type deafConn struct {
	net.Conn
	io.Reader

	read int
}

func (c *deafConn) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += n
	return n, err
}

func (c *deafConn) Write(b []byte) (int, error) { return len(b), nil }

// FuzzHandshake: whatever a stranger says, it is not let in, no more is read than
// the handshake has, and who dials it gets an error.
func FuzzHandshake(f *testing.F) {
	ours := newGreeting("waypost")
	for _, seed := range []string{"", "x", string(ours[:]), string(ours[:]) + strings.Repeat("x", 100), magic, "GET / HTTP/1.1\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		if _, read := listenTo(t, string(says)); read > greetingSize+proofSize {
			t.Errorf("%d bytes were read", read)
		}
		c := &deafConn{Reader: bytes.NewReader(says)}
		if err := (&handshake{ringOf(t, "a"), "waypost"}).dial(c); err == nil || c.read > greetingSize+proofSize {
			t.Errorf("%d bytes were read, %v", c.read, err)
		}
	})
}

// TestShowWithin: who says nothing has to go after some time.
func TestShowWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer closeBoth(here, there)
		tr := &transport{handshake: handshake{ringOf(t, "a"), "waypost"}, door: newDoor(), closed: make(chan struct{}), sink: &sink{refusals: &refusals{}}}
		tr.welcome(tr.door.Enter(there)) // returns
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the stranger is still there: %v", err)
		}
	})
}

// TestKeysOfRing: all keys of a ring are tried.
func TestKeysOfRing(t *testing.T) {
	one, two := newGreeting("waypost"), newGreeting("waypost")
	h := handshake{ringOf(t, "abc"), "waypost"}
	for _, k := range []byte("abcd") {
		key := bytes.Repeat([]byte{k}, 32)
		if got, want := h.accepts(prove(key, dials, &one, &two), dials, &one, &two), slices.Contains([]byte("abc"), k); got != want {
			t.Errorf("%c: accepted is %v, want %v", k, got, want)
		}
	}
}
