// Package ftp lists directories of FTP servers (RFC 959, 2428, 3659). It is
// small because it does nothing else: it logs in without a name, goes to a
// directory and lists it with MLSD where the server knows that, else with LIST.
package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say how a server is asked.
type Options struct {
	// Timeout is for each command with its answer; default 30 s.
	Timeout time.Duration

	// Allow, where set, returns an error for addresses that may not be
	// connected to.
	Allow func(netip.Addr) error

	// Password is what anonymous users give: whom to tell of trouble.
	Password string
}

// Errors that callers look for.
var (
	ErrNoDirectory = errors.New("no such directory")
	ErrRefused     = errors.New("refused")
)

const maxReply = 64 << 10 // bytes of a reply

// A Conn is a control connection. It is for one goroutine.
type Conn struct {
	options Options
	dialer  *net.Dialer
	conn    net.Conn
	replies *io.LimitedReader // what the reply under way may still bring
	text    *textproto.Reader
	host    string // of the server, an address
	top     string // the path of the URL
	mlsd    bool
}

// Dial connects to the server of an ftp URL and logs in. ErrRefused means that
// the server wants no (more) anonymous users.
func Dial(ctx context.Context, u *url.URL, o Options) (*Conn, error) {
	if u.Scheme != "ftp" || u.Hostname() == "" {
		return nil, fmt.Errorf("connecting to %q: expected ftp://HOST/PATH", u.Redacted())
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	port := u.Port()
	if port == "" {
		port = "21"
	}
	c := &Conn{options: o, top: strings.TrimSuffix(u.Path, "/"), dialer: &net.Dialer{Timeout: o.Timeout}}
	c.dialer.Control = c.control
	conn, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", u.Host, err)
	}
	c.conn = conn
	c.host, _, _ = net.SplitHostPort(conn.RemoteAddr().String()) // an address of our own net package is well formed
	c.replies = &io.LimitedReader{R: conn}
	c.text = textproto.NewReader(newLine(c.replies))
	if err = c.login(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("logging in to %s: %w", u.Host, err)
	}
	return c, nil
}

// control refuses addresses after names were resolved.
func (c *Conn) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || c.options.Allow == nil {
		return err
	}
	return c.options.Allow(a.Addr())
}

// Close closes the connection without a word: servers take that well, and it
// never waits.
func (c *Conn) Close() { c.conn.Close() } //nolint:errcheck,gosec // there is nothing left to lose

// Whole reports whether directories are listed with all that is in them: LIST
// may leave out names that begin with a dot.
func (c *Conn) Whole() bool { return c.mlsd }

// login logs in and finds out about MLSD.
func (c *Conn) login(ctx context.Context) error {
	defer c.watch(ctx)()
	code, text, err := c.reply()
	if err != nil {
		return err
	}
	if code != 220 {
		return fmt.Errorf("%w: %d %.200s", ErrRefused, code, text)
	}
	password := c.options.Password
	if password == "" || strings.ContainsAny(password, "\r\n") {
		password = "anonymous@"
	}
	code, text, err = c.ask("USER anonymous")
	if err == nil && code == 331 {
		code, text, err = c.ask("PASS " + password)
	}
	if err != nil {
		return err
	}
	if code != 230 && code != 202 {
		return fmt.Errorf("%w: %d %.200s", ErrRefused, code, text)
	}
	if _, _, err = c.ask("TYPE I"); err != nil {
		return err
	}
	_, text, err = c.ask("FEAT")
	c.mlsd = strings.Contains(strings.ToUpper(text), "MLST")
	return err
}

// watch closes the connection when ctx ends, until the function it returns is
// called.
func (c *Conn) watch(ctx context.Context) (stop func()) {
	off := context.AfterFunc(ctx, func() { c.conn.Close() }) //nolint:errcheck,gosec // it ends a read
	return func() { off() }
}

// ask sends a command and returns its reply.
func (c *Conn) ask(command string) (code int, text string, err error) {
	if strings.ContainsAny(command, "\r\n\x00") {
		return 0, "", fmt.Errorf("%w: the name %.100q cannot be said in FTP", ErrNoDirectory, command)
	}
	if err = c.conn.SetDeadline(time.Now().Add(c.options.Timeout)); err != nil {
		return 0, "", err
	}
	if _, err = io.WriteString(c.conn, command+"\r\n"); err != nil {
		return 0, "", err
	}
	return c.reply()
}

// reply reads a reply of one line or more.
func (c *Conn) reply() (code int, text string, err error) {
	if err = c.conn.SetDeadline(time.Now().Add(c.options.Timeout)); err != nil {
		return 0, "", err
	}
	c.replies.N = maxReply
	code, text, err = c.text.ReadResponse(0)
	if wrong := (*textproto.Error)(nil); errors.As(err, &wrong) {
		return wrong.Code, wrong.Msg, nil
	}
	return code, text, err
}

// List goes to a directory below the URL's path and calls f for each entry.
// ErrNoDirectory means that it is not there, or not for us.
func (c *Conn) List(ctx context.Context, path string, f func(Entry) error) error {
	defer c.watch(ctx)()
	code, text, err := c.ask("CWD " + c.top + "/" + path)
	if err != nil {
		return err
	}
	switch {
	case code == 550 || code == 450 || code == 553:
		return fmt.Errorf("%w: %d %.200s", ErrNoDirectory, code, text)
	case code/100 != 2:
		return fmt.Errorf("%w: %d %.200s", ErrRefused, code, text)
	}
	data, err := c.data(ctx)
	if err != nil {
		return err
	}
	defer data.Close()                                      //nolint:errcheck // only read from
	defer context.AfterFunc(ctx, func() { data.Close() })() //nolint:errcheck,gosec // it ends a read
	command, parse := "LIST", ParseList
	if c.mlsd {
		command, parse = "MLSD", ParseMLSD
	}
	if code, text, err = c.ask(command); err != nil {
		return err
	}
	if code != 125 && code != 150 {
		return fmt.Errorf("%w: %d %.200s", ErrRefused, code, text)
	}
	if err = eachLine(&patient{data, c.options.Timeout}, func(line string) error {
		if e, ok := parse(line, time.Now()); ok {
			return f(e)
		}
		return nil
	}); err != nil {
		return err
	}
	if code, text, err = c.reply(); err != nil {
		return err
	}
	if code/100 != 2 { // what came may not be all
		return fmt.Errorf("%w: %d %.200s", ErrRefused, code, text)
	}
	return nil
}

// data opens a data connection, always to the server's own address: one that a
// reply names could be anybody's.
func (c *Conn) data(ctx context.Context) (net.Conn, error) {
	code, text, err := c.ask("EPSV")
	if err != nil {
		return nil, err
	}
	port, ok := 0, false
	if code == 229 {
		port, ok = extendedPort(text)
	} else {
		if code, text, err = c.ask("PASV"); err != nil {
			return nil, err
		}
		if code == 227 {
			port, ok = passivePort(text)
		}
	}
	if !ok {
		return nil, fmt.Errorf("%w: no passive mode: %d %.200s", ErrRefused, code, text)
	}
	return c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.host, strconv.Itoa(port)))
}

// extendedPort reads "Entering Extended Passive Mode (|||6446|)", RFC 2428.
func extendedPort(text string) (port int, ok bool) {
	_, text, _ = strings.Cut(text, "(")
	if len(text) < 5 || text[0] != text[1] || text[1] != text[2] {
		return 0, false
	}
	number, _, ok := strings.Cut(text[3:], text[:1])
	port, err := strconv.Atoi(number)
	return port, ok && err == nil && port > 0 && port < 1<<16
}

// passivePort reads "Entering Passive Mode (192,0,2,1,25,46)", RFC 959.
func passivePort(text string) (port int, ok bool) {
	if i := strings.IndexAny(text, "0123456789"); i >= 0 {
		text = text[i:]
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(fields) < 6 {
		return 0, false
	}
	high, err1 := strconv.ParseUint(fields[4], 10, 8)
	low, err2 := strconv.ParseUint(fields[5], 10, 8)
	port = int(high)<<8 | int(low)
	return port, err1 == nil && err2 == nil && port > 0
}

// A patient reader waits a while for each piece, not for the whole.
type patient struct {
	net.Conn
	wait time.Duration
}

// Read reads what comes within the wait.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(p.wait)); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}
