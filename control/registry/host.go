package registry

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

// A Host is one mirror.
type Host struct {
	// Name is unique in its site and has no slash. The key of a host is SITE/NAME.
	Name string `json:"name" yaml:"name"`

	// Site is the name of its site.
	Site string `json:"site" yaml:"site"`

	// Number is assigned once and never again to another host: exports know
	// hosts by it. The store gives one to a new host that has none.
	Number int64 `json:"number,omitempty" yaml:"number"`

	// Country is where it is, two letters.
	Country string `json:"country,omitempty" yaml:"country"`

	// Location is where it stands; without it, in the middle of its country.
	Location *Location `json:"location,omitempty" yaml:"location"`

	// Bandwidth is in Mbit/s, the weight of its draws.
	Bandwidth uint32 `json:"bandwidth,omitempty" yaml:"bandwidth"`

	// MaxConnections is how many connections at a time one client's download
	// may open; 0 leaves that to the client.
	MaxConnections int `json:"max_connections,omitempty" yaml:"max_connections"`

	ASNs     []uint32 `json:"asns,omitempty" yaml:"asns"`
	PeerASNs []uint32 `json:"peer_asns,omitempty" yaml:"peer_asns"`

	// Netblocks are its own clients', as [ParseNetblock] reads them: a prefix, an
	// address, a range FIRST-LAST, or a DNS name that is resolved whenever data
	// is published.
	Netblocks []string `json:"netblocks,omitempty" yaml:"netblocks"`

	Private  bool     `json:"private,omitempty" yaml:"private"`
	Allowed  []string `json:"countries_allowed,omitempty" yaml:"countries_allowed"`
	Excluded []string `json:"countries_excluded,omitempty" yaml:"countries_excluded"`

	// Addresses are for DNS answers.
	Addresses []netip.Addr `json:"addresses,omitempty" yaml:"addresses"`
	DNS       bool         `json:"dns,omitempty" yaml:"dns"`

	// Tier is 0 for a master, 1 for those that pull from it, and so on.
	Tier int `json:"tier,omitempty" yaml:"tier"`

	// Upstream is the key of the host it pulls from; "" is the master.
	Upstream string `json:"upstream,omitempty" yaml:"upstream"`

	// PullAddresses are the addresses and names it pulls from, for the ACL of
	// its upstream. Prefixes shorter than /24 or, of IPv6, /48 are given by
	// administrators only.
	PullAddresses []string `json:"pull_addresses,omitempty" yaml:"pull_addresses"`

	// PullSecret is what other mirrors need to pull from it, encrypted by
	// [SecretKey.Seal] with the host's key as its context.
	PullSecret string `json:"pull_secret,omitempty" yaml:"pull_secret"`

	// Contacts are told beside those of the site: at most 50.
	Contacts []string `json:"contacts,omitempty" yaml:"contacts"`

	// Carries are the categories it carries.
	Carries []Carry `json:"carries,omitempty" yaml:"carries"`

	// AutoCarry takes new releases of its categories without being asked.
	AutoCarry bool `json:"auto_carry,omitempty" yaml:"auto_carry"`

	// Maintenance are times in which it gets no clients and is not crawled.
	Maintenance []Window `json:"maintenance,omitempty" yaml:"maintenance"`

	// NoCrawl asks crawlers to stay away; such a host is listed by check-in
	// only where it is private, and not at all where it is public.
	NoCrawl bool `json:"no_crawl,omitempty" yaml:"no_crawl"`

	Comment string `json:"comment,omitempty" yaml:"comment"`

	State State `json:"state" yaml:"state"`
	Activity
}

// A Location is a place in degrees.
type Location struct {
	Lat float64 `json:"lat" yaml:"lat"`
	Lon float64 `json:"lon" yaml:"lon"`
}

// A Carry is a category that a host carries.
type Carry struct {
	Category string `json:"category" yaml:"category"`

	// URLs lead to the category's top directory.
	URLs []URL `json:"urls,omitempty" yaml:"urls"`

	// AlwaysUpToDate takes it as complete without crawling: a cache or a CDN.
	AlwaysUpToDate bool `json:"always_up_to_date,omitempty" yaml:"always_up_to_date"`
}

// A URL is where a host carries a category.
type URL struct {
	URL string `json:"url" yaml:"url"`

	// Private URLs are for other mirrors, never for clients.
	Private bool `json:"private,omitempty" yaml:"private"`
}

// A Window is a stretch of time, without its end.
type Window struct {
	From time.Time `json:"from" yaml:"from"`
	To   time.Time `json:"to" yaml:"to"`
}

var _ Object = (*Host)(nil)

// HostKey returns the key of a host.
func HostKey(site, name string) string { return key("/", site, name) }

// Kind returns [KindHost].
func (*Host) Kind() Kind { return KindHost }

// Key returns SITE/NAME.
func (h *Host) Key() string { return HostKey(h.Site, h.Name) }

// Redacted returns the host without its secret.
func (h *Host) Redacted() Object {
	redacted := *h
	redacted.PullSecret = hide(h.PullSecret)
	return &redacted
}

// In reports whether t is in the window.
func (w Window) In(t time.Time) bool { return !t.Before(w.From) && t.Before(w.To) }

// Resting reports whether the host has maintenance at t.
func (h *Host) Resting(t time.Time) bool {
	for _, w := range h.Maintenance {
		if w.In(t) {
			return true
		}
	}
	return false
}

// Listed reports whether a host may be published at all: it and its site are
// approved and active.
func Listed(w *World, h *Host) bool {
	site, ok := Find[*Site](w, h.Site)
	return ok && h.State.Published() && site.State.Published() && h.On() && site.On()
}

// Public reports whether all clients may be sent to a host: it is listed, neither
// it nor its site is private, and its country is not under embargo.
func Public(w *World, h *Host) bool {
	site, ok := Find[*Site](w, h.Site)
	return ok && Listed(w, h) && !h.Private && !site.Private && !Embargoed(w, h.Country)
}

// Check returns all that is wrong with the host by itself.
func (h *Host) Check() snapshot.Problems {
	c := check(h)
	c.name("site", h.Site)
	c.name("name", h.Name)
	if strings.Contains(h.Name, "/") {
		c.problem("name", "want a name without a slash, got %q", h.Name)
	}
	if h.Number < 0 {
		c.problem("number", "want a number above 0, got %d", h.Number)
	}
	h.checkPlace(c)
	h.checkClients(c)
	h.checkPulls(c)
	h.checkCarries(c)
	c.few("contacts", len(h.Contacts), mostContacts)
	unique(c, "contacts", h.Contacts, c.mail)
	for i, w := range h.Maintenance {
		if !w.From.Before(w.To) {
			c.problem(fmt.Sprintf("maintenance[%d]", i), "want an end after its start, got %s to %s",
				w.From.Format(time.RFC3339), w.To.Format(time.RFC3339))
		}
	}
	c.state(h.State)
	c.line("reason", h.Reason)
	return c.problems
}

func (h *Host) checkPlace(c *checker) {
	optional[catalog.Country](c, "country", h.Country)
	if h.Location != nil {
		c.degrees("location.lat", h.Location.Lat, 90)
		c.degrees("location.lon", h.Location.Lon, 180)
	}
	if h.MaxConnections < 0 {
		c.problem("max_connections", "want a number of connections, or 0 to leave it open, got %d", h.MaxConnections)
	}
	unique(c, "addresses", h.Addresses, func(key string, a netip.Addr) {
		if !a.IsValid() {
			c.problem(key, "want an address, got nothing")
			return
		}
		required[catalog.Address](c, key, a.String())
	})
	if h.DNS && len(h.Addresses) == 0 {
		c.problem("dns", "want addresses for answers, got none")
	}
}

func (h *Host) checkClients(c *checker) {
	unique(c, "asns", h.ASNs, c.asn)
	unique(c, "peer_asns", h.PeerASNs, c.asn)
	unique(c, "netblocks", h.Netblocks, func(key, s string) {
		if _, err := ParseNetblock(s); err != nil {
			c.problem(key, "%v", err)
		}
	})
	country := func(key, s string) { required[catalog.Country](c, key, s) }
	unique(c, "countries_allowed", h.Allowed, country)
	unique(c, "countries_excluded", h.Excluded, country)
}

func (h *Host) checkPulls(c *checker) {
	if h.Tier < 0 {
		c.problem("tier", "want 0 for a master, 1 for those that pull from it, and so on, got %d", h.Tier)
	}
	if h.Upstream == h.Key() {
		c.problem("upstream", "want another host, got the host itself")
	}
	unique(c, "pull_addresses", h.PullAddresses, func(key, s string) {
		if n, err := ParseNetblock(s); err != nil || strings.Contains(s, "-") && n.Name == "" {
			c.problem(key, "want an address, a prefix or a DNS name, got %q", s)
		}
	})
	if h.PullSecret != "" && !isSealed(h.PullSecret) {
		c.problem("pull_secret", "want text that SecretKey.Seal has encrypted")
	}
}

func (h *Host) checkCarries(c *checker) {
	categories := map[string]bool{}
	for i, carry := range h.Carries {
		at := fmt.Sprintf("carries[%d]", i)
		c.name(at+".category", carry.Category)
		if categories[carry.Category] {
			c.problem(at+".category", "%q is given twice", carry.Category)
		}
		categories[carry.Category] = true
		urls := map[string]bool{} // one tree may be good for two categories
		for j, u := range carry.URLs {
			key := fmt.Sprintf("%s.urls[%d].url", at, j)
			required[catalog.URL](c, key, u.URL)
			if urls[u.URL] {
				c.problem(key, "%q is given twice", u.URL)
			}
			urls[u.URL] = true
		}
	}
}
