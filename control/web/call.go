package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// Limits of requests. Check-ins have their own.
const (
	maxBody    = 1 << 20          // bytes; the largest object is a host with thousands of netblocks
	readWithin = 30 * time.Second // for a request's body
	saidWithin = time.Minute      // for an answer, beside what a long poll waits
	slowest    = 64 << 10         // bytes a second that a section must leave with
	longestAsk = time.Minute      // a long poll
)

// A call is one request that is being answered.
type call struct {
	*http.Request
	w http.ResponseWriter

	caller caller          // none on open routes
	world  *registry.World // none on open routes
}

// A Failure is the body of an answer to a request that failed.
type Failure struct {
	Error    string    `json:"error"`
	Problems []Problem `json:"problems,omitempty"`

	status int
}

// A Problem is something wrong in a document.
type Problem struct {
	Key  string `json:"key"`  // such as carries[0].urls[1].url; "" is all of it
	Text string `json:"text"` // what is wrong and what was expected
}

// fail is an error that the caller is told.
func fail(status int, format string, args ...any) error {
	return &failure{Failure{Error: fmt.Sprintf(format, args...), status: status}}
}

type failure struct{ Failure }

func (f *failure) Error() string { return f.Failure.Error }

// failed returns what the caller is told of an error, and whether it is the
// server's own and so is not told at all.
func failed(err error) (f Failure, ours bool) {
	var known *failure
	var problems snapshot.Problems
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known.Failure, false
	case errors.As(err, &problems):
		return wrong(problems), false
	case errors.As(err, &size):
		return Failure{Error: fmt.Sprintf("want at most %d bytes", size.Limit), status: http.StatusRequestEntityTooLarge}, false
	case errors.Is(err, store.ErrNotFound):
		return Failure{Error: "there is no such thing", status: http.StatusNotFound}, false
	case errors.Is(err, store.ErrConflict):
		return Failure{Error: "somebody else has changed it in between; read it again", status: http.StatusConflict}, false
	}
	return Failure{Error: "this server has trouble; its log says which", status: http.StatusInternalServerError}, true
}

// wrong is the failure of a document with problems. Where they are those of
// another object than the one that was sent, the text says of which.
func wrong(problems snapshot.Problems) Failure {
	f := Failure{status: http.StatusUnprocessableEntity}
	for _, p := range problems {
		f.Problems = append(f.Problems, Problem{Key: p.Key, Text: p.Text})
		if p.File != problems[0].File {
			f.Problems[len(f.Problems)-1].Text = p.File + ": " + p.Text
		}
	}
	f.Error = fmt.Sprintf("%s: %d problems", problems[0].File, len(problems))
	if len(problems) == 1 {
		f.Error = problems[0].String()
	}
	return f
}

// handler returns the handler of a route.
func (s *server) handler(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if r.raw != nil {
			r.raw(w, request)
			return
		}
		deadlines(w, request, saidWithin)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		request.Body = http.MaxBytesReader(w, request.Body, maxBody)
		c := &call{Request: request, w: w}
		if err := s.answer(r, c); err != nil {
			s.refuse(c, err)
		}
	})
}

func (s *server) answer(r route, c *call) error {
	if r.scope != "" {
		if err := s.authenticate(c, r.scope); err != nil {
			return err
		}
	}
	if err := c.known(r.query); err != nil {
		return err
	}
	return r.do(c)
}

// refuse answers a request that failed.
func (s *server) refuse(c *call, err error) {
	f, ours := failed(err)
	switch {
	case ours && c.Context().Err() != nil: // the client went away, or this server is about to
		c.w.Header().Set("Connection", "close")
		f = Failure{Error: "the request was broken off", status: http.StatusServiceUnavailable}
	case ours:
		s.Log.Error("API request failed", "method", c.Method, "path", c.URL.Path, "error", err)
	case f.status == http.StatusUnauthorized || f.status == http.StatusForbidden:
		s.Log.Info("API request refused", "method", c.Method, "path", c.URL.Path, "client", c.RemoteAddr, "who", c.caller.name(), "reason", f.Error)
	}
	if f.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="waypost"`)
	}
	c.w.Header().Del("ETag")
	c.w.Header().Set("Cache-Control", "no-store")
	_ = c.json(f.status, f) // whoever asked is gone
}

// json answers with a document.
func (c *call) json(status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(text, '\n')) // whoever asked may be gone
	return nil
}

// known refuses query parameters that the route does not have, or has once.
func (c *call) known(names []string) error {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return fail(http.StatusBadRequest, "the query is malformed: %v", err)
	}
	for name, v := range values {
		if !slices.Contains(names, name) {
			return fail(http.StatusBadRequest, "unknown query parameter %q; known here are: %s", name, strings.Join(names, ", "))
		}
		if len(v) > 1 {
			return fail(http.StatusBadRequest, "the query parameter %s is given twice", name)
		}
	}
	return nil
}

// parameter returns a query parameter.
func (c *call) parameter(name string) string { return c.URL.Query().Get(name) }

// document reads the body: one JSON object.
func (c *call) document() (map[string]any, error) {
	d := json.NewDecoder(c.Body)
	d.UseNumber() // large numbers stay what they are
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, err
		}
		return nil, fail(http.StatusBadRequest, "want a JSON object as the body: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(http.StatusBadRequest, "want one JSON object as the body, got more after it")
	}
	if doc == nil {
		return nil, fail(http.StatusBadRequest, "want a JSON object as the body, got null")
	}
	return doc, nil
}

// deadlines limits the time of a request and its answer. A connection without
// support for them, as in tests, has none. While there is no body to come there
// is no time for it: net/http would take its end for that of the client.
func deadlines(w http.ResponseWriter, r *http.Request, answer time.Duration) {
	control, now := http.NewResponseController(w), time.Now()
	var read time.Time
	if r.ContentLength != 0 {
		read = now.Add(readWithin)
	}
	_ = control.SetReadDeadline(read)
	_ = control.SetWriteDeadline(now.Add(readWithin + answer))
}

// notThere answers what no route does: with 405 where another method would do,
// else with a page, if there are pages.
func notThere(mux *http.ServeMux, routes []route, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, w: w}
		var allowed []string
		for _, other := range routes {
			if slices.Contains(allowed, other.method) {
				continue
			}
			asked := *r
			asked.Method = other.method
			if _, pattern := mux.Handler(&asked); pattern != "/" {
				allowed = append(allowed, other.method)
			}
		}
		if allowed != nil {
			slices.Sort(allowed)
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			_ = c.json(http.StatusMethodNotAllowed, Failure{Error: "want another method: " + strings.Join(allowed, ", ")})
			return
		}
		if pages != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
			deadlines(w, r, saidWithin)
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			pages.ServeHTTP(w, r)
			return
		}
		_ = c.json(http.StatusNotFound, Failure{Error: "there is no such page; /openapi.json lists what there is"})
	})
}
