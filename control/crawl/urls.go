package crawl

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/crawl/web"
	"github.com/waypost/waypost/control/registry"
)

// URLFacts are what was found out about one URL.
type URLFacts struct {
	URL     string
	Private bool

	// Works tells that clients can use it. Only HTTP(S) is looked at here; of
	// other schemes it tells that listing worked.
	Works  bool
	Status int    // of the top directory; 0: no answer
	Error  string // why there was none

	// Certificate says what is wrong with the certificate, "" if nothing is.
	Certificate string
	Expires     time.Time // when it expires

	// ToHTTP tells that an https URL redirects to http; Elsewhere are other
	// hosts that it redirects to.
	ToHTTP    bool
	Elsewhere []string

	V4, V6 Reach

	// Soft tells that it answers 200 to names that do not exist.
	Soft bool
}

// A Reach is whether a host can be reached on an address family.
type Reach uint8

// The answers.
const (
	NotTried  Reach = iota // its name could not be resolved, or we have no such family ourselves
	NoAddress              // it has no address of the family
	Reached
	Unreached
)

// String returns the answer in words.
func (r Reach) String() string {
	return [...]string{"not tried", "no address", "reached", "not reached"}[r]
}

// nocrawl in its top directory keeps crawls away from a tree.
const nocrawl = ".waypost-nocrawl"

// rank is the order in which schemes are used for listing.
func rank(u string) int {
	scheme, _, _ := strings.Cut(u, "://")
	if i := slices.Index([]string{"rsync", "https", "http", "ftp"}, scheme); i >= 0 {
		return i
	}
	return 4
}

// isWeb reports whether a URL is of HTTP or HTTPS.
func isWeb(u string) bool { return rank(u) == 1 || rank(u) == 2 }

// lookAtURLs finds out the facts about all URLs. The URLs of the report are in
// the order in which they are used: by scheme, public ones first.
func (c *crawler) lookAtURLs(ctx context.Context) {
	urls := slices.Clone(c.job.Carry.URLs)
	slices.SortStableFunc(urls, func(a, b registry.URL) int {
		return cmp.Or(cmp.Compare(rank(a.URL), rank(b.URL)), order(a.Private, b.Private))
	})
	for _, u := range urls {
		facts := URLFacts{URL: strings.TrimRight(u.URL, "/"), Private: u.Private}
		if isWeb(facts.URL) {
			c.lookAt(ctx, &facts)
		}
		c.report.URLs = append(c.report.URLs, facts)
	}
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// lookAt finds out the facts about an HTTP(S) URL.
func (c *crawler) lookAt(ctx context.Context, f *URLFacts) {
	a, err := c.client.Head(ctx, f.URL+"/")
	if err != nil {
		f.Error, f.Certificate = err.Error(), web.Certificate(err)
		return
	}
	f.Status, f.Expires = a.Status, a.Expires
	f.redirects(a.Hops)
	c.families(ctx, f)
	if c.optedOut(ctx, f.URL) {
		c.report.Outcome = OptedOut
		return
	}
	made := fmt.Sprintf("%s/.waypost-%x-is-not-here", f.URL, c.job.Seed)
	if none, noneErr := c.client.Head(ctx, made); noneErr == nil && none.OK() {
		f.Soft = true
		c.problem("", f.URL+" answers 200 to names that do not exist")
	}
	switch {
	case a.OK():
		f.Works = true
	case a.Status < 500: // no index page is no fault, if files are there
		_, f.Works = c.anyFile(ctx, f)
	}
	if f.Works && !f.Soft {
		if a, err = c.client.Head(ctx, f.URL+"/"+nocrawl); err == nil && a.OK() {
			c.report.Outcome = OptedOut
		}
	}
}

// redirects notes where a URL leads to.
func (f *URLFacts) redirects(hops []string) {
	from, err := url.Parse(f.URL)
	for _, hop := range hops {
		to, err2 := url.Parse(hop)
		if err != nil || err2 != nil {
			continue
		}
		f.ToHTTP = f.ToHTTP || from.Scheme == "https" && to.Scheme == "http"
		if to.Hostname() != from.Hostname() && !slices.Contains(f.Elsewhere, to.Host) {
			f.Elsewhere = append(f.Elsewhere, to.Host)
		}
	}
}

// families asks once on each address family that the host's name has.
func (c *crawler) families(ctx context.Context, f *URLFacts) {
	u, err := url.Parse(f.URL)
	if err != nil {
		return
	}
	addresses, err := resolve(ctx, u.Hostname())
	if err != nil {
		return
	}
	for _, family := range []struct {
		network string
		reach   *Reach
		is      func(netip.Addr) bool
	}{{"tcp4", &f.V4, netip.Addr.Is4}, {"tcp6", &f.V6, netip.Addr.Is6}} {
		if !slices.ContainsFunc(addresses, family.is) {
			*family.reach = NoAddress
			continue
		}
		config := c.webConfig(family.network)
		config.Retries = -1
		client := web.New(config)
		*family.reach = Reached
		if _, err := client.Head(ctx, f.URL+"/"); err != nil {
			*family.reach = Unreached
		}
		client.Close()
	}
	if f.V6 == Unreached && !haveV6() {
		f.V6 = NotTried
	}
}

// resolve returns a host's addresses; it may be one itself.
func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	return addresses, err
}

// haveV6 reports whether this machine has an IPv6 address of the Internet.
func haveV6() bool {
	addresses, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.To4() == nil && n.IP.IsGlobalUnicast()
	})
}

// optedOut reports whether the server's robots.txt names us and keeps us from
// the URL. A group for all robots means search engines, not us: the mirror
// asked to be listed.
func (c *crawler) optedOut(ctx context.Context, base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	a, err := c.client.Get(ctx, u.ResolveReference(&url.URL{Path: "/robots.txt"}).String(), 64<<10)
	return err == nil && a.Status == http.StatusOK && robots(a.Body, u.Path+"/")
}

// robots reports whether a robots.txt (RFC 9309) disallows path to waypost.
func robots(text []byte, path string) (disallowed bool) {
	ours, agents := false, false // in our group; among a group's agents
	longest := -1
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		key, value, _ := strings.Cut(line, ":")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		switch key {
		case "user-agent":
			ours = agents && ours || strings.HasPrefix(strings.ToLower(value), "waypost")
			agents = true
		case "allow", "disallow":
			agents = false
			if ours && value != "" && strings.HasPrefix(path, value) && len(value) > longest {
				longest, disallowed = len(value), key == "disallow"
			}
		}
	}
	return disallowed
}

// webBase returns the URL that content is checked at. wanted tells that clients
// are to use HTTP(S), so that there must be one.
func (c *crawler) webBase() (base string, wanted bool) {
	for i := range c.report.URLs {
		f := &c.report.URLs[i]
		if !isWeb(f.URL) {
			continue
		}
		wanted = wanted || !f.Private
		if f.Works && base == "" {
			base = f.URL
		}
	}
	return base, wanted
}

// facts returns what is known of a URL.
func (c *crawler) facts(u string) *URLFacts {
	for i := range c.report.URLs {
		if c.report.URLs[i].URL == u {
			return &c.report.URLs[i]
		}
	}
	return &URLFacts{URL: u}
}
