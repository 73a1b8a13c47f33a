package pages

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// lasts is how long a session lasts.
const lasts = 12 * time.Hour

// idSize is the size of the random part of a session.
const idSize = 32

// sessions makes and checks the cookies of sessions:
//
//	BASE64URL( id, 32 random bytes | end, 8 bytes of Unix seconds | user ) "." BASE64URL( HMAC-SHA256 )
//
// The MAC is over that and the hash of the user's password: a new password ends
// all sessions. So does a new key. Signing out ends a session in the process
// that hears of it, beside deleting the cookie.
type sessions struct {
	key []byte

	mu  *sync.Mutex
	out map[[idSize]byte]time.Time // guarded by mu: those that were signed out, until they would have ended
}

func newSessions(key []byte) sessions {
	return sessions{key: key, mu: &sync.Mutex{}, out: map[[idSize]byte]time.Time{}}
}

// begin returns the cookie's value of a new session.
func (s sessions) begin(u *registry.User, now time.Time) string {
	body := make([]byte, idSize, idSize+8+len(u.Name))
	_, _ = rand.Read(body) // never fails
	body = binary.BigEndian.AppendUint64(body, uint64(now.Add(lasts).Unix()))
	body = append(body, u.Name...)
	text := base64.RawURLEncoding
	return text.EncodeToString(body) + "." + text.EncodeToString(s.mac(body, u.PasswordHash))
}

func (s sessions) mac(body []byte, passwordHash string) []byte {
	m := hmac.New(sha256.New, s.key)
	_, _ = m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(body)))) // a hash never fails
	_, _ = m.Write(body)
	_, _ = m.Write([]byte(passwordHash))
	return m.Sum(nil)
}

// open returns who has a session; nil if it is not one of ours, or over.
func (s sessions) open(value string, w *registry.World, now time.Time) *registry.User {
	body, sum, ok := takeApart(value)
	if !ok {
		return nil
	}
	u, ok := registry.Find[*registry.User](w, string(body[idSize+8:]))
	if !ok || u.Disabled || u.PasswordHash == "" || !hmac.Equal(sum, s.mac(body, u.PasswordHash)) || !now.Before(end(body)) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, gone := s.out[[idSize]byte(body)]; gone {
		return nil
	}
	return u
}

// takeApart returns what a cookie says and its MAC.
func takeApart(value string) (body, sum []byte, ok bool) {
	one, two, ok := strings.Cut(value, ".")
	text := base64.RawURLEncoding.Strict()
	body, err := text.DecodeString(one)
	sum, err2 := text.DecodeString(two)
	return body, sum, ok && err == nil && err2 == nil && len(body) > idSize+8 && len(body) < 4096
}

func end(body []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(body[idSize:])), 0)
}

// finish ends a session, which open has found good.
func (s sessions) finish(value string, now time.Time) {
	body, _, ok := takeApart(value)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, until := range s.out {
		if !now.Before(until) {
			delete(s.out, id)
		}
	}
	s.out[[idSize]byte(body)] = end(body)
}

// signedIn finds out who the visitor is.
func (v *visit) signedIn() error {
	cookie, err := v.r.Cookie(v.cookieName())
	if err != nil {
		return nil //nolint:nilerr // none: nobody has signed in
	}
	world, _, err := v.Store.World(v.r.Context())
	if err != nil {
		return err
	}
	v.user = v.sessions.open(cookie.Value, world, v.now)
	return nil
}

// cookieName returns the name of the session's cookie. Over TLS its prefix lets
// no other host of the domain set it (RFC 6265bis section 4.1.3.2).
func (v *visit) cookieName() string {
	if v.encrypted() {
		return "__Host-waypost"
	}
	return "waypost"
}

// keep gives the browser a session; "" takes it away.
func (v *visit) keep(value string) {
	c := &http.Cookie{ //nolint:gosec // without TLS there would be no session with Secure
		Name: v.cookieName(), Value: value, Path: "/", MaxAge: int(lasts / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.encrypted(),
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(v.w, c)
}

// encrypted reports whether the browser speaks TLS, with us or with a proxy.
// Who lies about that gets a cookie that only the liar's browser misses.
func (v *visit) encrypted() bool {
	return v.r.TLS != nil || strings.EqualFold(v.r.Header.Get("X-Forwarded-Proto"), "https")
}

// client returns the visitor's address: the peer's, which is what control/service
// has put there of a trusted proxy's X-Forwarded-For.
func (v *visit) client() netip.Addr {
	at, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
