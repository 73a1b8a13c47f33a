package registry

import "github.com/waypost/waypost/edge/snapshot"

// A Site is an organisation that runs mirrors.
type Site struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// URL is the organisation's own.
	URL string `json:"url,omitempty" yaml:"url"`

	// Admins are the users that may change the site and its hosts. One user may
	// administer several sites.
	Admins []string `json:"admins,omitempty" yaml:"admins"`

	// Contacts are mail addresses that are told of releases and of trouble: at most
	// 50.
	Contacts []string `json:"contacts,omitempty" yaml:"contacts"`

	// Webhooks are URLs that are told the same, as JSON: at most 10.
	Webhooks []string `json:"webhooks,omitempty" yaml:"webhooks"`

	// Private makes all hosts private.
	Private bool `json:"private,omitempty" yaml:"private"`

	// PasswordHash is the hash, by [HashPassword], of the password that
	// report_mirror and quick-fedora-mirror send.
	PasswordHash string `json:"password_hash,omitempty" yaml:"password_hash"`

	State State `json:"state" yaml:"state"`
	Activity
}

var _ Object = (*Site)(nil)

// Kind returns [KindSite].
func (*Site) Kind() Kind { return KindSite }

// Key returns the site's name.
func (s *Site) Key() string { return s.Name }

// Redacted returns the site without its password's hash.
func (s *Site) Redacted() Object {
	redacted := *s
	redacted.PasswordHash = hide(s.PasswordHash)
	return &redacted
}

// Check returns all that is wrong with the site by itself.
func (s *Site) Check() snapshot.Problems {
	c := check(s)
	c.name("name", s.Name)
	c.webURL("url", s.URL)
	unique(c, "admins", s.Admins, c.name)
	c.few("contacts", len(s.Contacts), mostContacts)
	c.few("webhooks", len(s.Webhooks), mostWebhooks)
	unique(c, "contacts", s.Contacts, c.mail)
	unique(c, "webhooks", s.Webhooks, c.webURL)
	c.passwordHash("password_hash", s.PasswordHash)
	c.state(s.State)
	c.line("reason", s.Reason)
	return c.problems
}
