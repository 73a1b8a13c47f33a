package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Count is how often an edge answered something in a minute, or all edges in a day.
type Count struct {
	At        time.Time `json:"at,omitzero"` // the start of the minute or day; none: it is a sum over time
	Category  string    `json:"category"`
	Dimension string    `json:"dimension"` // what name is: country, repository, arch, host, kind, …
	Name      string    `json:"name"`
	Count     int64     `json:"count"`
}

// A Batch is what an edge counted. Nothing in it is about one client. Names that
// the registry does not have are counted together, as "other".
type Batch struct {
	// Batch grows with each batch of an edge. One whose number is not above the
	// last one's was counted before: an edge that got no answer sends it again.
	Batch  int64   `json:"batch"`
	Counts []Count `json:"counts"`
}

// Counts is the answer to GET /v1/statistics, in the order of their times; sums
// over time, the largest first.
type Counts struct {
	Counts []Count `json:"counts"`
}

// Limits of counts.
const (
	longestWord = 256                // bytes
	mostCounted = 1_000_000_000      // of one name in a minute: no edge answers so often, and sums stay below 2^63
	oldest      = 7 * 24 * time.Hour // that an edge may have kept while this server was away
	ahead       = time.Hour          // by which an edge's clock may be wrong
)

// addCounts keeps what an edge counted.
func (s *server) addCounts(c *call) error {
	var b Batch
	if err := c.read("statistics", &b); err != nil {
		return err
	}
	now := s.Now()
	var problems snapshot.Problems
	problem := func(key, format string, args ...any) {
		problems = append(problems, snapshot.Problem{File: "statistics", Key: key, Text: fmt.Sprintf(format, args...)})
	}
	if b.Batch < 1 {
		problem("batch", "want a number above 0, got %d", b.Batch)
	}
	for i, n := range b.Counts {
		at := fmt.Sprintf("counts[%d]", i)
		if n.At.Before(now.Add(-oldest)) || n.At.After(now.Add(ahead)) {
			problem(at+".at", "want a time of the last 7 days, got %s", n.At.Format(time.RFC3339))
		}
		if n.Count < 1 || n.Count > mostCounted {
			problem(at+".count", "want a number from 1 to %d, got %d", mostCounted, n.Count)
		}
		for _, text := range []string{n.Category, n.Dimension, n.Name} {
			if len(text) > longestWord || strings.ContainsFunc(text, unicode.IsControl) {
				problem(at, "want words of at most %d bytes without control characters, got %.40q", longestWord, text)
			}
		}
		if n.Dimension == "" {
			problem(at+".dimension", "want what the name is")
		}
	}
	if problems != nil {
		return problems
	}
	if err := s.Store.AddCounts(c.Context(), c.caller.token.Edge, b.Batch, countedIn(c.world).all(b.Counts)); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// counts answers with what edges counted.
func (s *server) counts(c *call) error {
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	f, err := c.countFilter(s.Now())
	if err != nil {
		return err
	}
	list, err := s.Store.Counts(c.Context(), f)
	if err != nil {
		return err
	}
	out := Counts{Counts: []Count{}}
	for _, n := range list {
		out.Counts = append(out.Counts, Count(n))
	}
	return c.json(http.StatusOK, out)
}

// countFilter reads the parameters of counts.
func (c *call) countFilter(now time.Time) (f store.CountFilter, err error) {
	f = store.CountFilter{Dimension: c.parameter("dimension"), Category: c.parameter("category"), Span: store.Day, From: now.Add(-30 * store.Day), To: now}
	if f.Dimension == "" {
		return f, fail(http.StatusBadRequest, "dimension: want one, such as country, host, repository, arch or kind")
	}
	switch text := c.parameter("span"); text {
	case "", "day":
	case "total":
		f.Span = 0
	case "minute":
		f.Span, f.From = store.Minute, now.Add(-time.Hour)
	default:
		return f, fail(http.StatusBadRequest, "span: want minute, day or total, got %.40q", text)
	}
	for name, t := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		if text := c.parameter(name); text != "" {
			if *t, err = time.Parse(time.RFC3339, text); err != nil {
				return f, fail(http.StatusBadRequest, "%s: want a time such as 2026-01-02T03:04:05Z, got %.40q", name, text)
			}
		}
	}
	if c.parameter("limit") != "" {
		f.Limit, err = c.limit()
	}
	return f, err
}
