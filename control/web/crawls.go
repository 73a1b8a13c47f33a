package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// A Crawled is what a crawl of a host and category found.
type Crawled struct {
	Host        string          `json:"host"` // its key
	Category    string          `json:"category"`
	At          time.Time       `json:"at"`               // when it began
	Mode        string          `json:"mode"`             // full, quick, metadata, canary, or claimed: only what a check-in claimed
	Outcome     string          `json:"outcome"`          // ok, empty, failed, timed out, opted out or interrupted
	Reason      string          `json:"reason,omitempty"` // why it is not ok
	Held        string          `json:"held,omitempty"`   // why it is not believed
	Method      string          `json:"method,omitempty"` // the way that told most: rsync, http, https or ftp
	Seconds     float64         `json:"seconds"`          // how long it took
	Directories DirectoryCounts `json:"directories"`
	Requests    int64           `json:"requests"`
	Bytes       int64           `json:"bytes"`
	Details
}

// Details are what is kept of a crawl beside its counts.
type Details struct {
	Files    FileCounts     `json:"files"`
	URLs     []CrawledURL   `json:"urls,omitempty"`
	Attempts []CrawlAttempt `json:"attempts,omitempty"` // ways of listing that were tried
	Problems []CrawlProblem `json:"problems,omitempty"`
	Dropped  int            `json:"dropped,omitempty"` // how many problems there are beside these
	Leaks    []string       `json:"leaks,omitempty"`   // directories under embargo that all the world can read there
}

// DirectoryCounts count directories by what was found.
type DirectoryCounts struct {
	Held    int `json:"held"`    // as the master has it
	Lacked  int `json:"lacked"`  // not there, or not as the master has it
	Unknown int `json:"unknown"` // it could not be told
}

// FileCounts count files by what was found.
type FileCounts struct {
	Right   int `json:"right"`
	Older   int `json:"older"` // metadata: a version that is still good
	Wrong   int `json:"wrong"`
	Missing int `json:"missing"`
	Unknown int `json:"unknown"`
}

// A CrawledURL is what was found out about one URL.
type CrawledURL struct {
	URL         string    `json:"url"`
	Private     bool      `json:"private,omitempty"`
	Works       bool      `json:"works"`
	Status      int       `json:"status,omitempty"`      // of its top directory; 0: no answer
	Error       string    `json:"error,omitempty"`       // why there was none
	Certificate string    `json:"certificate,omitempty"` // what is wrong with its certificate
	Expires     time.Time `json:"expires,omitzero"`      // when its certificate does
	ToHTTP      bool      `json:"to_http,omitempty"`     // it is https and redirects to http
	Elsewhere   []string  `json:"elsewhere,omitempty"`   // other hosts that it redirects to
	V4          string    `json:"v4,omitempty"`          // reached, not reached, no address or not tried
	V6          string    `json:"v6,omitempty"`
	Soft        bool      `json:"soft,omitempty"` // it answers 200 to names that do not exist
}

// A CrawlAttempt is one way of listing that was tried.
type CrawlAttempt struct {
	URL     string  `json:"url"`
	Seconds float64 `json:"seconds"`
	Whole   bool    `json:"whole"`            // it told all
	Error   string  `json:"error,omitempty"`  // why it did not
	Stderr  string  `json:"stderr,omitempty"` // of the rsync program
}

// A CrawlProblem is something wrong with one path.
type CrawlProblem struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Crawls is the answer to GET /v1/crawls, the newest first.
type Crawls struct {
	Crawls []Crawled `json:"crawls"`
}

// A CrawlStanding is how a host's category stands with the crawls.
type CrawlStanding struct {
	Category  string    `json:"category"`
	Crawled   time.Time `json:"crawled,omitzero"`   // when it was crawled last
	Failures  int       `json:"failures,omitempty"` // in a row
	Out       time.Time `json:"out,omitzero"`       // since when it is in no list
	Suspended time.Time `json:"suspended,omitzero"` // since when it is out until a crawl of its content is good
	Held      time.Time `json:"held,omitzero"`      // since when crawls of it are not believed
	Reason    string    `json:"reason,omitempty"`
}

// crawls answers with what crawls found.
func (s *server) crawls(c *call) error {
	host := c.parameter("host")
	if !c.caller.admin() {
		if host == "" {
			return fail(http.StatusForbidden, "only an administrator may read all crawls; give host")
		}
		if !c.caller.owns(c.world, host) {
			return store.ErrNotFound
		}
	}
	limit, err := c.limit()
	if err != nil {
		return err
	}
	list, err := s.Store.Crawls(c.Context(), host, c.parameter("category"), limit)
	if err != nil {
		return err
	}
	out := Crawls{Crawls: make([]Crawled, len(list))}
	for i, k := range list {
		if out.Crawls[i], err = asCrawled(k); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, out)
}

// asCrawled returns a crawl as the API tells it.
func asCrawled(k store.Crawl) (Crawled, error) {
	out := Crawled{
		Host: k.Host, Category: k.Category, At: k.At, Mode: k.Mode, Outcome: k.Outcome, Reason: k.Reason, Held: k.Held,
		Method: k.Method, Seconds: k.Took.Seconds(), Directories: DirectoryCounts{k.Holds, k.Lacks, k.Unknown},
		Requests: k.Requests, Bytes: k.Bytes,
	}
	if k.Details != "" {
		if err := json.Unmarshal([]byte(k.Details), &out.Details); err != nil {
			return out, fmt.Errorf("reading the crawl of %s on %s at %s: %w", k.Category, k.Host, k.At, err)
		}
	}
	return out, nil
}

// standings returns how a host's categories stand.
func standings(h *registry.Host, all map[store.Place]store.Standing) []CrawlStanding {
	list := []CrawlStanding{}
	for _, carry := range h.Carries {
		t, ok := all[store.Place{Host: h.Key(), Category: carry.Category}]
		if !ok {
			continue
		}
		last := slices.MaxFunc(t.Crawled[:], time.Time.Compare)
		list = append(list, CrawlStanding{t.Category, last, t.Failures, t.Out, t.Suspended, t.Held, t.Reason})
	}
	return list
}

// standingReason says why a host is out of lists, "" if it is in all.
func standingReason(list []CrawlStanding) (reason string) {
	for _, t := range list {
		if t.Out.IsZero() && t.Held.IsZero() {
			continue
		}
		word := "out"
		switch {
		case !t.Suspended.IsZero():
			word = "suspended"
		case t.Out.IsZero():
			word = "held"
		}
		if reason != "" {
			reason += "; "
		}
		reason += fmt.Sprintf("%s %s: %s", t.Category, word, t.Reason)
	}
	return reason
}
