package wire

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Lengths of cookies (RFC 7873 section 4, RFC 9018 section 4).
const (
	clientCookieLen = 8
	serverCookieLen = 16 // version, 3 reserved, time, hash
	minServerCookie = 8
	maxServerCookie = 32
	cookieVersion   = 1
)

// How old a server cookie may be, and how far ahead the clock of the edge that
// signed it, in seconds (RFC 9018 section 4.3).
const (
	cookieOld    = 3600
	cookieRenew  = 1800
	cookieFuture = 300
)

// A Cookie is the cookie of a query.
type Cookie struct {
	Present bool
	client  [clientCookieLen]byte
	server  []byte // as the client sent it; empty if it has none yet
	keep    bool   // the server cookie is good for a while yet
}

// parse reads an option (RFC 7873 section 5.2.2).
func (c *Cookie) parse(data []byte) bool {
	size := len(data) - clientCookieLen
	if size != 0 && (size < minServerCookie || size > maxServerCookie) {
		return false
	}
	c.Present = true
	copy(c.client[:], data)
	c.server = data[clientCookieLen:]
	return true
}

// Offered reports whether the client sent a server cookie, good or bad.
func (c *Cookie) Offered() bool { return c.Present && len(c.server) > 0 }

// A Secret signs server cookies.
type Secret [16]byte

// Secrets are those that are in use: the first signs, all verify, so that a
// group of edges can change theirs one edge at a time.
type Secrets []Secret

// RandomSecrets returns one secret that nobody else has.
func RandomSecrets() Secrets {
	s := make(Secrets, 1)
	_, _ = rand.Read(s[0][:]) // never fails
	return s
}

// ReadSecrets reads a file with one secret a line, 32 hexadecimal digits.
// Empty lines, and those that start with #, are passed over.
func ReadSecrets(file string) (Secrets, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator named it
	if err != nil {
		return nil, fmt.Errorf("reading cookie secrets: %w", err)
	}
	var secrets Secrets
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		b, err := hex.DecodeString(line)
		if err != nil || len(b) != len(Secret{}) {
			return nil, fmt.Errorf("%s:%d: want 32 hexadecimal digits, which are 16 random bytes, and nothing else", file, i+1)
		}
		secrets = append(secrets, Secret(b))
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%s: want at least one line of 32 hexadecimal digits, which are 16 random bytes", file)
	}
	return secrets, nil
}

// Verify reports whether c holds a server cookie that one of the secrets gave
// this client less than an hour before now, in Unix seconds.
func (ss Secrets) Verify(c *Cookie, client netip.Addr, now uint32) bool {
	if len(c.server) != serverCookieLen || c.server[0] != cookieVersion {
		return false
	}
	age := int32(now - binary.BigEndian.Uint32(c.server[4:]))
	if age > cookieOld || age < -cookieFuture {
		return false
	}
	for i := range ss {
		if sign := ss[i].sign(c, c.server[:8], client); subtle.ConstantTimeCompare(sign[:], c.server[8:]) == 1 {
			c.keep = i == 0 && age < cookieRenew
			return true
		}
	}
	return false
}

// append appends the cookie that the client shall use from now on: the one it
// has, if [Secrets.Verify] found it good, less than half an hour old and
// signed by the first secret, else a new one.
func (ss Secrets) append(b []byte, c *Cookie, client netip.Addr, now uint32) []byte {
	b = append(b, c.client[:]...)
	if c.keep {
		return append(b, c.server...)
	}
	head := [8]byte{0: cookieVersion}
	binary.BigEndian.PutUint32(head[4:], now)
	sign := ss[0].sign(c, head[:], client)
	b = append(b, head[:]...)
	return append(b, sign[:]...)
}

// sign returns the hash of RFC 9018 section 4.4: client cookie, version,
// reserved, time, client address.
func (s *Secret) sign(c *Cookie, head []byte, client netip.Addr) [8]byte {
	var message [clientCookieLen + 8 + 16]byte
	m := append(message[:0], c.client[:]...)
	m = append(m, head...)
	if client.Is4() {
		a := client.As4()
		m = append(m, a[:]...)
	} else {
		a := client.As16()
		m = append(m, a[:]...)
	}
	var out [8]byte
	binary.LittleEndian.PutUint64(out[:], sipHash(s, m))
	return out
}
