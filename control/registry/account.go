package registry

import (
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A User is a person who may sign in.
type User struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Mail is where the user is told of things.
	Mail string `json:"mail,omitempty" yaml:"mail"`

	// PasswordHash is the hash, by [HashPassword], of the user's password; empty
	// for those who sign in elsewhere.
	PasswordHash string `json:"password_hash,omitempty" yaml:"password_hash"`

	// Subject is how a sign-in service knows the user; empty for those with a
	// password. No other user's.
	Subject string `json:"subject,omitempty" yaml:"subject"`

	// Admin may do everything; others only what the sites they administer need.
	Admin bool `json:"admin,omitempty" yaml:"admin"`

	// Disabled keeps the user from signing in and the user's tokens from working.
	Disabled bool `json:"disabled,omitempty" yaml:"disabled"`
}

// A Scope is something that the bearer of a token may do.
type Scope string

// The scopes.
const (
	ScopeRead    Scope = "read"    // read the registry
	ScopeWrite   Scope = "write"   // change the registry as far as the user may
	ScopeCrawl   Scope = "crawl"   // start scans and crawls
	ScopePublish Scope = "publish" // publish and roll back
	ScopeCheckin Scope = "checkin" // report what a host holds
	ScopeEdge    Scope = "edge"    // fetch snapshots and send statistics
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{ScopeRead, ScopeWrite, ScopeCrawl, ScopePublish, ScopeCheckin, ScopeEdge}
}

// A Token is what a program shows instead of a password. It speaks for a user,
// a host or an edge.
type Token struct {
	// Name is unique; it tells tokens apart and is no secret.
	Name string `json:"name" yaml:"name"`

	// Hash is the hash, by [HashToken], of the token itself. No other token's.
	Hash string `json:"hash" yaml:"hash"`

	// User is who it speaks for, for every scope but edge.
	User string `json:"user,omitempty" yaml:"user"`

	// Host is the key of the host it speaks for, for the scopes checkin and read;
	// it reads only who pulls from it and what changed in what it carries.
	Host string `json:"host,omitempty" yaml:"host"`

	// Edge is the name of the edge it speaks for, for the scope edge only.
	Edge string `json:"edge,omitempty" yaml:"edge"`

	Scopes  []Scope   `json:"scopes" yaml:"scopes"`
	Created time.Time `json:"created,omitzero" yaml:"created"`

	// Expires is when it stops working; zero: never.
	Expires time.Time `json:"expires,omitzero" yaml:"expires"`
}

var (
	_ Object = (*User)(nil)
	_ Object = (*Token)(nil)
)

// Kind returns [KindUser].
func (*User) Kind() Kind { return KindUser }

// Key returns the user's name.
func (u *User) Key() string { return u.Name }

// Redacted returns the user without the password's hash.
func (u *User) Redacted() Object {
	redacted := *u
	redacted.PasswordHash = hide(u.PasswordHash)
	return &redacted
}

// Check returns all that is wrong with the user by itself.
func (u *User) Check() snapshot.Problems {
	c := check(u)
	c.name("name", u.Name)
	if u.Mail != "" {
		c.mail("mail", u.Mail)
	}
	c.passwordHash("password_hash", u.PasswordHash)
	c.line("subject", u.Subject)
	return c.problems
}

// Kind returns [KindToken].
func (*Token) Kind() Kind { return KindToken }

// Key returns the token's name.
func (t *Token) Key() string { return t.Name }

// Redacted returns the token without its hash.
func (t *Token) Redacted() Object {
	redacted := *t
	redacted.Hash = hide(t.Hash)
	return &redacted
}

// Allows reports whether the token may do something at a time.
func (t *Token) Allows(scope Scope, now time.Time) bool {
	return slices.Contains(t.Scopes, scope) && (t.Expires.IsZero() || now.Before(t.Expires))
}

// Check returns all that is wrong with the token by itself.
func (t *Token) Check() snapshot.Problems {
	c := check(t)
	c.name("name", t.Name)
	if len(t.Hash) != len(HashToken("")) || strings.Trim(t.Hash, "0123456789abcdef") != "" {
		c.problem("hash", "want what HashToken returns")
	}
	allowed := t.scopes()
	if allowed == nil {
		c.problem("", "want one of user, host and edge for whom it speaks")
	}
	if len(t.Scopes) == 0 {
		c.problem("scopes", "want at least one")
	}
	unique(c, "scopes", t.Scopes, func(key string, s Scope) {
		if allowed != nil && !slices.Contains(allowed, s) {
			c.problem(key, "want one of %v, got %q", allowed, s)
		}
	})
	return c.problems
}

// scopes returns the scopes that the token may have; nil unless it speaks for exactly one.
func (t *Token) scopes() []Scope {
	switch {
	case t.User != "" && t.Host == "" && t.Edge == "":
		return []Scope{ScopeRead, ScopeWrite, ScopeCrawl, ScopePublish, ScopeCheckin}
	case t.Host != "" && t.User == "" && t.Edge == "":
		return []Scope{ScopeCheckin, ScopeRead}
	case t.Edge != "" && t.User == "" && t.Host == "":
		return []Scope{ScopeEdge}
	}
	return nil
}
