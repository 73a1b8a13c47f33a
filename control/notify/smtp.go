package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"
)

// Limits of talking to a mail server.
const (
	mailWithin = 2 * time.Minute // the whole of it
	maxReplies = 256 << 10       // bytes that the server may say
)

// Mail sends one mail to one address. id tells mails to it apart and is the
// same when one is repeated. [ErrRefused] is the server's word on this mailbox
// or this mail (RFC 5321 section 4.2.1: 5yz); what is wrong with us, such as the
// password, is worth another attempt, since operators repair it.
func (s *Sender) Mail(ctx context.Context, to, id string, m Message, now time.Time) error {
	if s.from == nil {
		return fmt.Errorf("%w: no mail server is configured", ErrRefused)
	}
	text, err := compose(s.from, to, id, m, now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailWithin)
	defer cancel()
	if err = s.talk(ctx, to, text); err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if err != nil {
		return fmt.Errorf("sending mail by %s: %w", s.config.Mail.Server, err)
	}
	return nil
}

// talk brings a mail to the server.
func (s *Sender) talk(ctx context.Context, to string, text []byte) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()                                          //nolint:errcheck // what counts was answered
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends whatever hangs
	host, _ := s.config.Mail.address()
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return fmt.Errorf("the greeting: %w", err)
	}
	if err = s.greet(c, host); err != nil {
		return err
	}
	if ascii(to) != nil {
		if ok, _ := c.Extension("SMTPUTF8"); !ok {
			return fmt.Errorf("%w: the server takes no address of other than ASCII characters", ErrRefused)
		}
	}
	if err = c.Mail(s.from.Address); err != nil {
		return fmt.Errorf("MAIL FROM: %w", err)
	}
	if err = c.Rcpt(to); err != nil {
		return refusal("RCPT TO", err)
	}
	if err = deliver(c, text); err != nil {
		return err
	}
	_ = c.Quit() // it has the mail
	return nil
}

// greet says who we are, under TLS if that is wanted.
func (s *Sender) greet(c *smtp.Client, host string) error {
	m := s.config.Mail
	if err := c.Hello(s.hello); err != nil {
		return fmt.Errorf("EHLO: %w", err)
	}
	if m.TLS == "" || m.TLS == tlsStart {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the server offers no STARTTLS; tls: implicit or none are the other ways")
		}
		if err := c.StartTLS(s.tls(host)); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
	}
	if m.User == "" {
		return nil
	}
	if _, ways := c.Extension("AUTH"); !strings.Contains(" "+ways+" ", " PLAIN ") {
		return fmt.Errorf("signing in: want AUTH PLAIN, the server offers %q", ways)
	}
	if err := c.Auth(smtp.PlainAuth("", m.User, s.password, host)); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	return nil
}

// deliver sends the text; with the answer to its end the server has it.
func deliver(c *smtp.Client, text []byte) error {
	w, err := c.Data()
	if err != nil {
		return refusal("DATA", err)
	}
	if _, err = w.Write(text); err != nil {
		return errors.Join(err, w.Close())
	}
	if err = w.Close(); err != nil {
		return refusal("the mail", err)
	}
	return nil
}

// refusal marks the server's last word.
func refusal(what string, err error) error {
	if reply, ok := errors.AsType[*textproto.Error](err); ok && reply.Code/100 == 5 {
		return fmt.Errorf("%w: %s: %w", ErrRefused, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// dial connects to the server.
func (s *Sender) dial(ctx context.Context) (net.Conn, error) {
	host, port := s.config.Mail.address()
	dialer := net.Dialer{Timeout: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	conn = &briefConn{Conn: conn, left: maxReplies}
	if s.config.Mail.TLS != tlsImplicit {
		return conn, nil
	}
	secure := tls.Client(conn, s.tls(host))
	if err = secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

func (s *Sender) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// A briefConn ends when its other side says too much: net/smtp reads lines and
// replies of any length.
type briefConn struct {
	net.Conn

	left int
}

// Read reads what the other side may still say.
func (c *briefConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the server says too much")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// helloName returns our name for EHLO: the host's, if it is a domain name.
func helloName() string {
	name, err := os.Hostname()
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	odd := func(r rune) bool { return !strings.ContainsRune(letters, r) }
	if a, bad := mail.ParseAddress("x@" + name); err != nil || bad != nil || a.Address != "x@"+name || strings.ContainsFunc(name, odd) {
		return "localhost"
	}
	return name
}
