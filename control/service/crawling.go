package service

import (
	"cmp"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/crawl/pace"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// CrawlConfig says how mirrors are crawled. Between the full crawls, which come
// every crawl_every, there are smaller ones.
type CrawlConfig struct {
	// QuickEvery is the time between crawls that look at every file of directories
	// that changed or were not held, and at a sample of each other. Default: never.
	QuickEvery time.Duration `yaml:"quick_every"`

	// MetadataEvery is the time between crawls of directories with metadata only.
	// Default: 2h; below 0: never.
	MetadataEvery time.Duration `yaml:"metadata_every"`

	// CanaryEvery is the time between looks whether a host answers and one file
	// is there. Default: 1h; below 0: never.
	CanaryEvery time.Duration `yaml:"canary_every"`

	// RetryAfter is after what time a host is crawled again that failed; twice as
	// long after each further failure in a row, up to 8 times crawl_every.
	// Default: 1h.
	RetryAfter time.Duration `yaml:"retry_after"`

	// Jitter is the part of these times by which they are made longer or shorter
	// by chance, so that hosts do not gather at one time: 0 to 0.5. Default: 0.1.
	Jitter *float64 `yaml:"jitter"`

	// DisableAfter is how many crawls in a row fail before a host's category is
	// suspended and its contacts are told. Default: 5: with a retry_after of 1h
	// it takes 15 hours.
	DisableAfter int `yaml:"disable_after"`

	// MaxLoss is which part of what a host held may be gone at once before the
	// crawl is not believed, but told to the operators: 0 to 1. Default: 0.3.
	MaxLoss *float64 `yaml:"max_loss"`

	// Keep is how many crawls of each host and category are kept. Default: 20.
	Keep int `yaml:"keep"`

	// Connections and Requests are those to one server, at once and a second; 0
	// requests: no limit. Default: 4 and 20.
	Connections int      `yaml:"connections"`
	Requests    *float64 `yaml:"requests"`

	// AllHosts, AllConnections and AllRequests are those of all crawls of this
	// process: hosts and connections at once, requests a second. Default: no
	// limit beside that of workers.
	AllHosts       int     `yaml:"all_hosts"`
	AllConnections int     `yaml:"all_connections"`
	AllRequests    float64 `yaml:"all_requests"`

	// Timeout is that of one request, MaxTime that of a whole crawl. Default: 30s
	// and 4h.
	Timeout time.Duration `yaml:"timeout"`
	MaxTime time.Duration `yaml:"max_time"`

	// Agent is the name by which crawls go; default: waypost-crawler. Contact is
	// a mail address or URL that it names, for those who wonder who crawls them.
	Agent   string `yaml:"agent"`
	Contact string `yaml:"contact"`

	// OwnNames are the host names of the edges, to which no mirror may redirect.
	OwnNames []string `yaml:"own_names"`
}

// check notes what is wrong with it.
func (c CrawlConfig) check(doc *strict.Doc) {
	c = c.withDefaults()
	problem := func(key, format string, args ...any) { doc.Problem("control.crawl."+key, format, args...) }
	if c.QuickEvery < 0 || c.RetryAfter < 0 || c.Timeout < 0 || c.MaxTime < 0 {
		problem("retry_after", "want times that are not negative for quick_every, retry_after, timeout and max_time")
	}
	if *c.Jitter < 0 || *c.Jitter > 0.5 {
		problem("jitter", "want a part from 0 to 0.5, got %g", *c.Jitter)
	}
	if *c.MaxLoss < 0 || *c.MaxLoss > 1 {
		problem("max_loss", "want a part from 0 to 1, got %g", *c.MaxLoss)
	}
	if c.DisableAfter < 1 || c.Keep < c.DisableAfter {
		problem("disable_after", "want at least 1, and at most keep, which is %d; got %d", c.Keep, c.DisableAfter)
	}
	if c.Connections < 1 || *c.Requests < 0 || c.AllHosts < 0 || c.AllConnections < 0 || c.AllRequests < 0 {
		problem("connections", "want limits that are not negative, and at least one connection")
	}
}

// withDefaults fills in what is unset.
func (c CrawlConfig) withDefaults() CrawlConfig {
	c.MetadataEvery = cmp.Or(c.MetadataEvery, 2*time.Hour)
	c.CanaryEvery = cmp.Or(c.CanaryEvery, time.Hour)
	c.RetryAfter = cmp.Or(c.RetryAfter, time.Hour)
	c.Jitter = cmp.Or(c.Jitter, new(0.1))
	c.DisableAfter = cmp.Or(c.DisableAfter, 5)
	c.MaxLoss = cmp.Or(c.MaxLoss, new(0.3))
	c.Keep = cmp.Or(c.Keep, 20)
	c.Connections = cmp.Or(c.Connections, 4)
	c.Requests = cmp.Or(c.Requests, new(20.0))
	c.Agent = cmp.Or(c.Agent, "waypost-crawler")
	return c
}

// every returns the time between crawls of a mode; 0: there are none.
func (c *Config) every(m crawl.Mode) time.Duration {
	return max(0, [store.Modes]time.Duration{c.CrawlEvery, c.Crawl.QuickEvery, c.Crawl.MetadataEvery, c.Crawl.CanaryEvery}[m])
}

// pace returns the limits of all crawls.
func (c CrawlConfig) pace() pace.Limits {
	return pace.Limits{Hosts: c.AllHosts, Connections: c.AllConnections, Requests: c.AllRequests}
}

// limits returns what one crawl may cost.
func (s *Service) limits(acceptLoss bool) crawl.Limits {
	c := s.config.Crawl
	l := crawl.Limits{
		Shared: s.limiter, Private: s.config.CrawlPrivate, Connections: c.Connections, Requests: cmp.Or(*c.Requests, -1),
		Timeout: c.Timeout, Time: c.MaxTime, MaxLoss: cmp.Or(*c.MaxLoss, -1), Own: c.OwnNames, Agent: c.Agent,
	}
	if c.Contact != "" {
		l.Agent += " (+" + c.Contact + ")"
	}
	if acceptLoss {
		l.MaxLoss = 1
	}
	return l
}
