package notify

import (
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config says who is told, and how. Relative paths are relative to the file
// that names them. The zero value tells nobody.
type Config struct {
	// Mail is how mail is sent. Without it there is none.
	Mail *Mail `yaml:"mail"`

	// Operators are mail addresses that are told everything.
	Operators []string `yaml:"operators"`

	// Webhooks are URLs that are told everything, or some events.
	Webhooks []Webhook `yaml:"webhooks"`

	// DigestEvery is the least time between two mails to one address: what
	// happens meanwhile goes into one mail. Default: 5m.
	DigestEvery time.Duration `yaml:"digest_every"`
}

// Mail is a server that takes mail from us.
type Mail struct {
	// Server is HOST or HOST:PORT; the port is 587, or 465 with tls: implicit,
	// or 25 with tls: none. Required.
	Server string `yaml:"server"`

	// From is the sender, such as Mirrors <mirrors@example.org>. Required.
	From string `yaml:"from"`

	// User signs in with the password in PasswordFile. Without it nobody does.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`

	// TLS is starttls, implicit or none. Default: starttls; a server that does
	// not offer it gets nothing.
	TLS string `yaml:"tls"`

	// CAFile has certificates, in PEM, by which the server is known. Default:
	// those of the system.
	CAFile string `yaml:"ca_file"`
}

// A Webhook is a URL that is told.
type Webhook struct {
	// URL is http or https. Required, and unique.
	URL string `yaml:"url"`

	// SecretFile has the secret that signs: 16 bytes or more. Without it
	// nothing is signed.
	SecretFile string `yaml:"secret_file"`

	// Events are what it is told. Default: all.
	Events []Event `yaml:"events"`
}

// The values of Mail.TLS.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

// Wants reports whether the webhook is told of an event.
func (w Webhook) Wants(e Event) bool { return len(w.Events) == 0 || slices.Contains(w.Events, e) }

// Resolve makes relative paths relative to dir.
func (c *Config) Resolve(dir string) {
	resolve := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	if c.Mail != nil {
		resolve(&c.Mail.PasswordFile)
		resolve(&c.Mail.CAFile)
	}
	for i := range c.Webhooks {
		resolve(&c.Webhooks[i].SecretFile)
	}
}

// Check notes what is wrong, but for files, which [Open] reads.
func (c *Config) Check(problem func(key, format string, args ...any)) {
	if c.Mail != nil {
		c.Mail.check(problem)
	}
	if len(c.Operators) > 0 && c.Mail == nil {
		problem("operators", "want mail beside it, which says how they are told")
	}
	for _, address := range c.Operators {
		if !bare(address) {
			problem("operators", "want mail addresses such as ops@example.org, got %q", address)
		}
	}
	seen := map[string]bool{}
	for _, w := range c.Webhooks {
		u, err := url.Parse(w.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			problem("webhooks", "want an http or https URL without user and fragment")
		}
		if seen[w.URL] {
			problem("webhooks", "want each URL once")
		}
		seen[w.URL] = true
		for _, e := range w.Events {
			if !slices.Contains(Events(), e) {
				problem("webhooks", "want events among %q, got %q", Events(), e)
			}
		}
	}
	if c.DigestEvery < 0 {
		problem("digest_every", "want a time that is not negative, got %s", c.DigestEvery)
	}
}

// bare reports whether text is a mail address and nothing else.
func bare(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}

func (m *Mail) check(problem func(key, format string, args ...any)) {
	if host, _ := m.address(); host == "" || strings.ContainsAny(host, " /@\r\n") {
		problem("mail.server", "want HOST or HOST:PORT, got %q", m.Server)
	}
	if a, err := mail.ParseAddress(m.From); err != nil || ascii(a.Address) != nil {
		problem("mail.from", "want an address such as Mirrors <mirrors@example.org>, got %q", m.From)
	}
	if (m.User == "") != (m.PasswordFile == "") {
		problem("mail.user", "want user and password_file, or none of them")
	}
	switch m.TLS {
	case "", tlsStart, tlsImplicit:
	case tlsNone:
		if m.User != "" {
			problem("mail.tls", "want starttls or implicit beside user: a password is not sent in the clear")
		}
	default:
		problem("mail.tls", "want starttls, implicit or none, got %q", m.TLS)
	}
}

// address returns where the server is.
func (m *Mail) address() (host, port string) {
	host, port, err := net.SplitHostPort(m.Server)
	if err == nil {
		return host, port
	}
	port = map[string]string{tlsImplicit: "465", tlsNone: "25"}[m.TLS]
	if port == "" {
		port = "587"
	}
	return strings.Trim(m.Server, "[]"), port
}
