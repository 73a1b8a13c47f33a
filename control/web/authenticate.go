package web

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// A caller is whom a token speaks for.
type caller struct {
	token *registry.Token
	user  *registry.User // nil for edges and hosts
	at    time.Time      // when the request came
}

// name is what the audit log has.
func (c caller) name() string {
	switch {
	case c.user != nil:
		return c.user.Name
	case c.token != nil:
		return "token " + c.token.Name
	}
	return ""
}

// admin reports whether the caller may do everything that the token's scopes allow.
func (c caller) admin() bool { return c.user != nil && c.user.Admin }

// authenticate finds out who calls, and whether the token has the scope.
func (s *server) authenticate(c *call, scope registry.Scope) error {
	if who, ok := self(c.Context()); ok && scope == registry.ScopeRead {
		world, _, err := s.Store.World(c.Context())
		c.caller, c.world = who, world
		return err
	}
	token := session(c.Context())
	scheme, secret, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if token == nil && (!strings.EqualFold(scheme, "Bearer") || secret == "") {
		return fail(http.StatusUnauthorized, "want a token: Authorization: Bearer TOKEN")
	}
	world, _, err := s.Store.World(c.Context())
	if err != nil {
		return err
	}
	if token == nil {
		token = tokenOf(world, strings.TrimSpace(secret))
	}
	now := s.Now()
	if token == nil || !token.Expires.IsZero() && !now.Before(token.Expires) {
		return fail(http.StatusUnauthorized, "the token is not known, or has expired")
	}
	who := caller{token: token, at: now}
	if token.User != "" {
		user, ok := registry.Find[*registry.User](world, token.User)
		if !ok || user.Disabled {
			return fail(http.StatusUnauthorized, "the user of this token may not sign in")
		}
		who.user = user
	}
	c.caller, c.world = who, world
	if !token.Allows(scope, now) {
		return fail(http.StatusForbidden, "the token %s lacks the scope %s", token.Name, scope)
	}
	return nil
}

// tokenOf returns the token whose secret this is, nil if there is none. It
// compares with all, so that the time it takes tells nothing.
func tokenOf(world *registry.World, secret string) (found *registry.Token) {
	hash := []byte(registry.HashToken(secret))
	for _, t := range registry.All[*registry.Token](world) {
		if subtle.ConstantTimeCompare([]byte(t.Hash), hash) == 1 {
			found = t
		}
	}
	return found
}
