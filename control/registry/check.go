package registry

import (
	"encoding"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"unicode"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// A checker collects what is wrong with one object.
type checker struct {
	object   string // its kind and key; takes the place of the file in problems
	problems snapshot.Problems
}

func check(o Object) *checker { return &checker{object: Name(o)} }

// problem notes that the value of a key is wrong.
func (c *checker) problem(key, format string, args ...any) {
	c.problems = append(c.problems, snapshot.Problem{File: c.object, Key: key, Text: fmt.Sprintf(format, args...)})
}

// A text is a type of the catalogue file: what is good there is good here.
type text[T any] interface {
	*T
	encoding.TextUnmarshaler
	strict.Wanter
}

// required notes a problem unless s is a T in T's one spelling.
func required[T any, P text[T]](c *checker, key, s string) {
	var v T
	if err := P(&v).UnmarshalText([]byte(s)); err != nil {
		c.problem(key, "want %s, got %q", P(&v).Want(), s)
		return
	}
	if spelling, ok := spelled(v); ok && spelling != s {
		c.problem(key, "want it spelled %q, got %q", spelling, s)
	}
}

// spelled returns how a value is written, if its type says so.
func spelled(v any) (spelling string, ok bool) {
	switch v := v.(type) {
	case fmt.Stringer:
		return v.String(), true
	case catalog.URL:
		return string(v), true
	}
	return "", false
}

// optional is like required, but s may be empty.
func optional[T any, P text[T]](c *checker, key, s string) {
	if s != "" {
		required[T, P](c, key, s)
	}
}

// unique checks each element of a list, which must not have one twice.
func unique[T comparable](c *checker, key string, list []T, element func(key string, value T)) {
	seen := make(map[T]bool, len(list))
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		element(at, v)
		if seen[v] {
			c.problem(at, "%v is given twice", v)
		}
		seen[v] = true
	}
}

// Limits of whom a site or host has told: each of many messages goes to all.
const (
	mostContacts = 50
	mostWebhooks = 10
)

// few checks how long a list is.
func (c *checker) few(key string, n, most int) {
	if n > most {
		c.problem(key, "want at most %d, got %d", most, n)
	}
}

func (c *checker) name(key, s string)         { required[catalog.Name](c, key, s) }
func (c *checker) optionalName(key, s string) { optional[catalog.Name](c, key, s) }

// line checks free text of one line.
func (c *checker) line(key, s string) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		c.problem(key, "want one line of text without control characters, got %q", s)
	}
}

// webURL checks the URL of a page or a webhook, which may have a query; it may be empty.
func (c *checker) webURL(key, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.problem(key, "want an http or https URL such as https://www.example.org/, percent-encoded, without user, got %q", s)
	}
}

// mail checks a bare mail address.
func (c *checker) mail(key, s string) {
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || strings.ContainsFunc(s, unicode.IsControl) {
		c.problem(key, "want a mail address such as mirror@example.org, got %q", s)
	}
}

func (c *checker) asn(key string, n uint32) {
	if n == 0 {
		c.problem(key, "want an AS number from 1 to 4294967295, got 0")
	}
}

func (c *checker) degrees(key string, v, limit float64) {
	if !(v >= -limit && v <= limit) { // NaN, too
		c.problem(key, "want degrees from -%v to %[1]v, got %v", limit, v)
	}
}

func (c *checker) state(s State) {
	if s != Pending && s != Approved && s != Rejected {
		c.problem("state", "want %s, %s or %s, got %q", Pending, Approved, Rejected, s)
	}
}

func (c *checker) passwordHash(key, s string) {
	if s == "" {
		return
	}
	if _, err := parseHash(s); err != nil {
		c.problem(key, "want what HashPassword returns")
	}
}
