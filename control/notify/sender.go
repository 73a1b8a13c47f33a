package notify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// ErrRefused says that a message will never be taken: there is no such mailbox,
// or the webhook is gone.
var ErrRefused = errors.New("refused for good")

// A Sender sends. It is for any number of goroutines.
type Sender struct {
	config   Config
	from     *mail.Address
	password string
	roots    *x509.CertPool
	hello    string
	secrets  map[string][]byte // by URL of a webhook of the operators

	ours  *http.Client // for webhooks of the operators
	sites *http.Client // for those of sites, which may not lead into our network
}

// Open reads the files that a checked configuration names. allow says which
// addresses webhooks of sites may lead to; nil: all.
func Open(c Config, allow func(netip.Addr) error) (*Sender, error) {
	s := &Sender{config: c, secrets: map[string][]byte{}, hello: helloName(), ours: webhookClient(nil)}
	s.sites = webhookClient(allow)
	if c.Mail != nil {
		if err := s.openMail(*c.Mail); err != nil {
			return nil, err
		}
	}
	for _, w := range c.Webhooks {
		s.secrets[w.URL] = nil
		if w.SecretFile == "" {
			continue
		}
		secret, err := readSecret(w.SecretFile, 16)
		if err != nil {
			return nil, fmt.Errorf("webhooks: secret_file: %w", err)
		}
		s.secrets[w.URL] = secret
	}
	return s, nil
}

func (s *Sender) openMail(m Mail) (err error) {
	if s.from, err = mail.ParseAddress(m.From); err != nil {
		return fmt.Errorf("mail.from: %w", err)
	}
	if m.PasswordFile != "" {
		word, bad := readSecret(m.PasswordFile, 1)
		if bad != nil {
			return fmt.Errorf("mail.password_file: %w", bad)
		}
		s.password = string(word)
	}
	if m.CAFile == "" {
		return nil
	}
	text, err := os.ReadFile(m.CAFile)
	if err != nil {
		return fmt.Errorf("mail.ca_file: %w", err)
	}
	if s.roots = x509.NewCertPool(); !s.roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("mail.ca_file: want certificates in PEM, got none in %s", m.CAFile)
	}
	return nil
}

// Knows reports whether a URL is one of the configuration's webhooks.
func (s *Sender) Knows(to string) bool {
	_, ok := s.secrets[to]
	return ok
}

// readSecret reads a secret: a file without the line end at its end.
func readSecret(path string, least int) ([]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	text = bytes.TrimRight(text, "\r\n")
	if len(text) < least || bytes.ContainsAny(text, "\r\n\x00") {
		return nil, fmt.Errorf("%s: want one line of %d bytes or more", path, least)
	}
	return text, nil
}

// webhookClient returns a client that follows no redirects and connects only
// where allow lets it, after names were resolved.
func webhookClient(allow func(netip.Addr) error) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
		IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	if allow == nil {
		transport.Proxy = http.ProxyFromEnvironment
	} else { // and no proxy, which would connect for us
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return allow(at.Addr())
		}
	}
	transport.DialContext = dialer.DialContext
	return &http.Client{
		Timeout: 30 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
