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
	At        time.Time `json:"at"` // the start of the minute or day
	Category  string    `json:"category"`
	Dimension string    `json:"dimension"` // what name is: country, repository, arch, host, …
	Name      string    `json:"name"`
	Count     int64     `json:"count"`
}

// A Batch is what an edge counted. Nothing in it is about one client.
type Batch struct {
	// Batch grows with each batch of an edge. One whose number is not above the
	// last one's was counted before: an edge that got no answer sends it again.
	Batch  int64   `json:"batch"`
	Counts []Count `json:"counts"`
}

// Counts is the answer to GET /v1/statistics, in the order of their times.
type Counts struct {
	Counts []Count `json:"counts"`
}

// Limits of counts.
const (
	longestWord = 256                // bytes
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
	counts := make([]store.Count, len(b.Counts))
	for i, n := range b.Counts {
		at := fmt.Sprintf("counts[%d]", i)
		if n.At.Before(now.Add(-oldest)) || n.At.After(now.Add(ahead)) {
			problem(at+".at", "want a time of the last 7 days, got %s", n.At.Format(time.RFC3339))
		}
		if n.Count < 1 {
			problem(at+".count", "want a number above 0, got %d", n.Count)
		}
		for _, text := range []string{n.Category, n.Dimension, n.Name} {
			if len(text) > longestWord || strings.ContainsFunc(text, unicode.IsControl) {
				problem(at, "want words of at most %d bytes without control characters, got %.40q", longestWord, text)
			}
		}
		if n.Dimension == "" {
			problem(at+".dimension", "want what the name is")
		}
		counts[i] = store.Count{At: n.At.UTC(), Category: n.Category, Dimension: n.Dimension, Name: n.Name, Count: n.Count}
	}
	if problems != nil {
		return problems
	}
	if err := s.Store.AddCounts(c.Context(), c.caller.token.Edge, b.Batch, counts); err != nil {
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
	span := store.Day
	switch text := c.parameter("span"); text {
	case "", "day":
	case "minute":
		span = store.Minute
	default:
		return fail(http.StatusBadRequest, "span: want minute or day, got %.40q", text)
	}
	to := s.Now()
	from := to.Add(-30 * store.Day)
	if span == store.Minute {
		from = to.Add(-time.Hour)
	}
	for name, t := range map[string]*time.Time{"from": &from, "to": &to} {
		if text := c.parameter(name); text != "" {
			given, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return fail(http.StatusBadRequest, "%s: want a time such as 2026-01-02T03:04:05Z, got %.40q", name, text)
			}
			*t = given
		}
	}
	list, err := s.Store.Counts(c.Context(), span, c.parameter("dimension"), from, to)
	if err != nil {
		return err
	}
	out := Counts{Counts: []Count{}}
	for _, n := range list {
		out.Counts = append(out.Counts, Count(n))
	}
	return c.json(http.StatusOK, out)
}
