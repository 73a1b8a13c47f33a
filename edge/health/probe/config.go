package probe

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// A Config is how an edge probes. A field that is zero has its default.
type Config struct {
	// Interval is the time from one probe of a target to the next, 1s to 1h;
	// default 30s. The targets are spread over it.
	Interval time.Duration `yaml:"interval"`

	// Timeout is the time for one whole probe, name, connection, TLS and
	// answer together, from 10ms to the interval; default 3s. Where it asks for
	// another file, or for a name that cannot exist, that has as long again.
	Timeout time.Duration `yaml:"timeout"`

	// Rise is how many probes in a row must succeed before a target that is
	// down is up, 1 to 100; default 2.
	Rise int `yaml:"rise"`

	// Fall is how many probes in a row must fail before a target that is up is
	// down, 1 to 100; default 2.
	Fall int `yaml:"fall"`

	// MaxDown is the largest share of a country's or a continent's hosts that
	// may be down at once, above 0 up to 1; default 0.5. It is counted for each
	// scheme and family by itself, where a country or continent has four hosts
	// or more. Those beyond it stay up, and [KindCounters.Capped] says so.
	MaxDown float64 `yaml:"max_down"`

	// Concurrency is how many probes of one scheme over one family may run at
	// once, 1 to 4096, and as many again that follow a failure up. Each is a
	// socket. Default: twice as many as keep the interval where none answers,
	// which is targets × timeout / interval, and at least 16: of 1,000 hosts 200. All
	// together that is at most a quarter of the process's file descriptors as they are
	// at the start (RLIMIT_NOFILE): of 1,024, 32 of each. What is set is not bounded so.
	// With less, probes come late, and [KindCounters.Late] says so.
	Concurrency int `yaml:"concurrency"`

	// Version is that of the program, for the User-Agent.
	Version string `yaml:"-"`

	// Roots are the authorities whose certificates are trusted; nil: the system's.
	Roots *x509.CertPool `yaml:"-"`

	// Log is told of changes; nil: nobody is.
	Log *slog.Logger `yaml:"-"`

	// Publish is called with all targets that are down whenever they change,
	// from the goroutine of [Prober.Run] and never twice at once. It may call
	// the Prober's methods and must not keep or change the slice. May be nil.
	Publish func(down []health.Target) `yaml:"-"`

	// Tell is for an edge that decides together with others: it is called with
	// what has changed in what this edge sees, and from which kinds it abstains,
	// from the goroutine of [Prober.Run]. Then nothing is down by this prober
	// alone: Publish is not called, and MaxDown is not looked at. May be nil.
	Tell func(seen []vote.Seen, abstains [health.Kinds]bool) `yaml:"-"`
}

// WithDefaults returns c with defaults for what is zero.
func (c Config) WithDefaults() Config {
	if c.Interval == 0 {
		c.Interval = 30 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = min(3*time.Second, c.Interval)
	}
	if c.Rise == 0 {
		c.Rise = 2
	}
	if c.Fall == 0 {
		c.Fall = 2
	}
	if c.MaxDown == 0 {
		c.MaxDown = 0.5
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns all that is wrong with c, naming the keys; nil if nothing is.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var problems []error
	want := func(ok bool, key, limits string, got any) {
		if !ok {
			problems = append(problems, fmt.Errorf("%s: want %s, got %v", key, limits, got))
		}
	}
	want(c.Interval >= time.Second && c.Interval <= time.Hour, "interval", "1s to 1h", c.Interval)
	want(c.Timeout >= 10*time.Millisecond && c.Timeout <= c.Interval, "timeout", "10ms to the interval", c.Timeout)
	want(c.Rise >= 1 && c.Rise <= 100, "rise", "1 to 100", c.Rise)
	want(c.Fall >= 1 && c.Fall <= 100, "fall", "1 to 100", c.Fall)
	want(c.MaxDown > 0 && c.MaxDown <= 1, "max_down", "a share above 0 up to 1", c.MaxDown)
	want(c.Concurrency >= 0 && c.Concurrency <= 4096, "concurrency", "1 to 4096", c.Concurrency)
	return errors.Join(problems...)
}
