// Package checkin lets mirrors report what they hold. Two protocols lead to the
// same [Claim]:
//
//	POST /xmlrpc      what report_mirror and quick-fedora-mirror send: the
//	                  XML-RPC call checkin(urlsafe-base64(bzip2(JSON))), with
//	                  the site's name and password inside
//	POST /v1/checkin  JSON with the host's own token, which [Server.ServeAPI] describes
//
// and from there on all is one: [Weigh] compares the claim with what the master
// holds, and the [Outcome] is kept by whoever keeps things.
//
//	bytes ─► Claim ─► Weigh(host, master, what was known) ─► Outcome ─► Holdings.Keep
//
// A private host is listed by its word alone, for nobody else can look. The word
// of a public host lists nothing: it asks for a crawl of just what it claims.
// What the world may not read yet is kept until its release is lifted, for
// crawlers cannot see it either.
//
// Everything is read as it comes in and nothing that a stranger sends is kept
// beyond [Limits]: the size of the request, of what it unpacks to, of each path,
// and the number of paths; a few check-ins at a time, and few wrong passwords
// from one address. Pickle, which MirrorManager took from its oldest clients, is
// refused unread, for loading it would run what the sender wrote.
//
// A [Server] is safe for use by many goroutines.
package checkin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// ErrUnknown is what [Registry] and [Holdings] answer for what they do not have.
var ErrUnknown = errors.New("not known")

// A Registry knows sites and hosts.
type Registry interface {
	// Site returns the site with this name, exactly, or [ErrUnknown].
	Site(ctx context.Context, name string) (registry.Site, error)

	// Host returns the host with this key, SITE/NAME, exactly, or [ErrUnknown].
	Host(ctx context.Context, key string) (registry.Host, error)

	// HostOfToken returns the key of the host that may check in with the token
	// now, or [ErrUnknown]. Tokens are known by [registry.HashToken].
	HostOfToken(ctx context.Context, token string) (key string, err error)
}

// Holdings knows what masters and hosts hold.
type Holdings interface {
	// Master returns what the master holds of a category, or [ErrUnknown] if it
	// was never scanned.
	Master(ctx context.Context, category string) (Master, error)

	// Listing returns what is known of a host and category, or [ErrUnknown].
	Listing(ctx context.Context, host, category string) (registry.Listing, error)

	// Keep keeps a check-in, all of it or nothing.
	Keep(ctx context.Context, r Receipt) error
}

// A Master is what a master holds of a category.
type Master struct {
	registry.Tree

	// Numbers are those of the tree's directories in listings, one for each.
	Numbers []uint32
}

// A Receipt is a check-in that was accepted.
type Receipt struct {
	Host string // key
	At   time.Time

	// SyncedAt is when the host says it finished its last synchronisation; zero
	// if it did not say.
	SyncedAt time.Time

	// UserActive is what the host wants its [registry.Activity.UserActive] to
	// be; nil leaves it alone.
	UserActive *bool

	// Outcomes has one for each category that was claimed and that the host
	// carries.
	Outcomes []Outcome
}

// Limits are what one check-in may cost. Zero values stand for the defaults.
type Limits struct {
	Request     int64         // bytes of the request's body; 16 MiB
	Unpacked    int64         // bytes of it uncompressed; 128 MiB
	Files       int64         // … where it comes with a host's own token, and may have full file lists; 512 MiB
	Directories int           // directories of all categories together; 1,000,000
	FileCount   int           // files of all categories together; 4,000,000
	Path        int           // bytes of a path; 4,096
	Depth       int           // nesting of the JSON; 16
	Categories  int           // categories; 256
	AtATime     int           // check-ins being read at a time; 4
	Wait        time.Duration // how long one more waits for its turn; 10 s
	Read        time.Duration // how long one may take to come in; 5 min
	Failures    int           // wrong or malformed check-ins an hour from one address; 20
	PerHost     int           // good check-ins an hour of one host; 120
}

// or returns n, or the default where n is zero.
func or[T int | int64 | time.Duration](n, fallback T) T {
	if n == 0 {
		return fallback
	}
	return n
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Request:     or(l.Request, 16<<20),
		Unpacked:    or(l.Unpacked, 128<<20),
		Files:       or(l.Files, 512<<20),
		Directories: or(l.Directories, 1_000_000),
		FileCount:   or(l.FileCount, 4_000_000),
		Path:        or(l.Path, 4096),
		Depth:       or(l.Depth, 16),
		Categories:  or(l.Categories, 256),
		AtATime:     or(l.AtATime, 4),
		Wait:        or(l.Wait, 10*time.Second),
		Read:        or(l.Read, 5*time.Minute),
		Failures:    or(l.Failures, 20),
		PerHost:     or(l.PerHost, 120),
	}
}

// Config is what a [Server] needs. Registry and Holdings are required.
type Config struct {
	Registry Registry
	Holdings Holdings
	Limits   Limits

	// Log gets a line for each check-in. Default: none.
	Log *slog.Logger

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// Client returns the address that a request's failures are counted for.
	// Default: that of the connection, so a server behind a proxy sets it.
	Client func(*http.Request) string
}

// A Server answers check-ins.
type Server struct {
	Config
	turns    chan struct{} // one for each check-in that is being read
	failures *throttle     // by client address
	accepted *throttle     // by host
}

// New returns a server.
func New(c Config) *Server {
	c.Limits = c.Limits.withDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		c.Client = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	return &Server{
		Config:   c,
		turns:    make(chan struct{}, c.Limits.AtATime),
		failures: newThrottle(c.Limits.Failures, time.Hour),
		accepted: newThrottle(c.Limits.PerHost, time.Hour),
	}
}
