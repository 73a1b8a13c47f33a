package checkin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// A refusal is why a check-in is not accepted, in words for its sender.
type refusal struct {
	status int // HTTP
	text   string
	after  time.Duration // when to try again; 0: do not
}

func (r *refusal) Error() string { return r.text }

// begin waits for r's turn and returns what ends it.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) (end func(), err error) {
	if wait := s.failures.wait(s.Client(r), s.Now()); wait > 0 {
		return nil, &refusal{http.StatusTooManyRequests, "too many check-ins from your address failed", wait}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Limits.Wait)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, &refusal{http.StatusTooManyRequests, "too many check-ins at a time", 30 * time.Second}
	}
	// without support for deadlines, as in tests, there are none
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.Limits.Read))
	r.Body = http.MaxBytesReader(w, r.Body, s.Limits.Request)
	return func() { <-s.turns }, nil
}

// refuse makes a refusal of what went wrong with r, and counts it.
func (s *Server) refuse(r *http.Request, err error) *refusal {
	var known *refusal
	var size *sizeError
	var body *http.MaxBytesError
	switch {
	case errors.As(err, &known):
	case errors.As(err, &size):
		known = &refusal{status: http.StatusRequestEntityTooLarge, text: size.Error()}
	case errors.As(err, &body):
		text := fmt.Sprintf("too large: the request has more than %d bytes", body.Limit)
		known = &refusal{status: http.StatusRequestEntityTooLarge, text: text}
	default:
		known = &refusal{status: http.StatusBadRequest, text: err.Error()}
	}
	s.Log.Info("check-in refused", slog.String("client", s.Client(r)), slog.Int("status", known.status), slog.String("reason", known.text))
	if known.after == 0 && known.status < http.StatusInternalServerError {
		s.failures.spend(s.Client(r), s.Now())
	}
	return known
}

// internal is for what is not the sender's fault.
func (s *Server) internal(err error) error {
	s.Log.Error("check-in not kept", slog.Any("error", err))
	return &refusal{http.StatusServiceUnavailable, "this server cannot keep check-ins now; please try again later", time.Minute}
}

// keep weighs claims of the host and keeps what becomes of them. unknown are
// categories that the host does not carry.
func (s *Server) keep(ctx context.Context, h registry.Host, claims []Claim, r Receipt) (kept []Outcome, unknown []string, err error) {
	r.Host, r.At = h.Key(), s.Now()
	if wait := s.accepted.wait(r.Host, r.At); wait > 0 {
		return nil, nil, &refusal{http.StatusTooManyRequests, "this host checks in too often", wait}
	}
	seen := map[string]bool{}
	for _, c := range claims {
		name, ok := Carried(h, c.Category)
		if !ok {
			unknown = append(unknown, c.Category)
			continue
		}
		if seen[name] {
			return nil, nil, fmt.Errorf("the category %s is given twice", name)
		}
		seen[name] = true
		o, err := s.weigh(ctx, h, name, c, r.At)
		if err != nil {
			return nil, nil, s.internal(err)
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	if err := s.Holdings.Keep(ctx, r); err != nil {
		return nil, nil, s.internal(fmt.Errorf("keeping the check-in of %s: %w", r.Host, err))
	}
	s.accepted.spend(r.Host, r.At)
	s.log(r, unknown)
	return r.Outcomes, unknown, nil
}

// weigh weighs one claim of the category name.
func (s *Server) weigh(ctx context.Context, h registry.Host, name string, c Claim, now time.Time) (Outcome, error) {
	master, err := s.Holdings.Master(ctx, name)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return Outcome{}, fmt.Errorf("reading what the master holds of %s: %w", name, err)
	}
	master.Category = name
	before, err := s.Holdings.Listing(ctx, h.Key(), name)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return Outcome{}, fmt.Errorf("reading what %s holds of %s: %w", h.Key(), name, err)
	}
	return Weigh(h, master, before, c, now), nil
}

func (s *Server) log(r Receipt, unknown []string) {
	for _, o := range r.Outcomes {
		s.Log.Info("check-in", slog.String("host", r.Host), slog.String("category", o.Category), slog.Any("directories", o.Counts))
	}
	if len(unknown) > 0 {
		s.Log.Info("check-in of categories that the host does not carry", slog.String("host", r.Host), slog.Any("categories", unknown))
	}
}

// host returns a host; those of a private site are private.
func (s *Server) host(ctx context.Context, site registry.Site, key string) (registry.Host, error) {
	h, err := s.Registry.Host(ctx, key)
	h.Private = h.Private || site.Private
	return h, err
}

// ServeXMLRPC answers the call checkin of report_mirror and quick-fedora-mirror,
// at any path. Whatever is wrong with a call is answered with status 200, in
// words inside a fault or, as MirrorManager does, inside the result; only
// senders who shall wait get another status.
func (s *Server) ServeXMLRPC(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "XML-RPC calls are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	text, err := s.call(w, r)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if err == nil {
		fmt.Fprint(w, response(text)) //nolint:gosec // G705: response escapes it
		return
	}
	no := s.refuse(r, err)
	var code codedError
	switch {
	case errors.As(err, &code):
	case no.status >= http.StatusInternalServerError || no.after > 0:
		code.code = faultServer
		retryAfter(w, no)
		w.WriteHeader(no.status)
	default:
		code.code = faultParse
	}
	fmt.Fprint(w, fault(code.code, no.text))
}

// A codedError is a fault with its own code.
type codedError struct {
	code int
	text string
}

func (e codedError) Error() string { return e.text }

// call answers a call; the text of an answer that refuses is no error.
func (s *Server) call(w http.ResponseWriter, r *http.Request) (string, error) {
	end, err := s.begin(w, r)
	if err != nil {
		return "", err
	}
	defer end()
	c := call{in: bufio.NewReaderSize(r.Body, 32<<10)}
	method, err := c.method()
	if err != nil {
		return "", err
	}
	if method != "checkin" {
		return "", codedError{faultMethod, fmt.Sprintf("method %.40q is not supported, only checkin is", method)}
	}
	text, err := c.text()
	if err != nil {
		return "", err
	}
	got, err := readSubmission(payload(text, s.Limits.Unpacked), newBudget(s.Limits))
	if err != nil {
		return "", err
	}
	if err := c.end(); err != nil {
		return "", err
	}
	return s.submitted(r, got)
}

const (
	succeeded = "checked in successful"
	failed    = "error checking in"
)

// submitted answers a submission, in MirrorManager's words.
func (s *Server) submitted(r *http.Request, got submission) (string, error) {
	no := func(text string) (string, error) {
		return s.refuse(r, errors.New(text)).text + failed, nil
	}
	if text := got.invalid(); text != "" {
		return no(text + "Invalid config file provided, please check your report_mirror.conf.")
	}
	site, ok, err := s.site(r.Context(), got.sections["site"])
	switch {
	case err != nil:
		return "", s.internal(err)
	case !ok:
		return no("Config file site name or password incorrect.\n")
	}
	h, err := s.host(r.Context(), site, registry.HostKey(site.Name, got.sections["host"]["name"].text))
	switch {
	case errors.Is(err, ErrUnknown):
		return no("Config file host name for site not found.\n")
	case err != nil:
		return "", s.internal(err)
	}
	kept, _, err := s.keep(r.Context(), h, got.claimed(), Receipt{UserActive: got.userActive()})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, o := range kept {
		if h.Private {
			fmt.Fprintf(&b, "Category %s directories updated: %d  added: %d  deleted %d\n", o.Category, o.Updated, o.Added, o.Deleted)
		} else {
			fmt.Fprintf(&b, "Category %s directories to crawl: %d\n", o.Category, len(o.Crawl))
		}
		if len(o.Embargoed) > 0 {
			fmt.Fprintf(&b, "Category %s directories that count when their release is lifted: %d\n", o.Category, len(o.Embargoed))
		}
	}
	return b.String() + succeeded, nil
}

// site returns the site that the options name; ok if the password is right. An
// unknown site takes as long as a wrong password.
func (s *Server) site(ctx context.Context, o options) (site registry.Site, ok bool, err error) {
	site, err = s.Registry.Site(ctx, o["name"].text)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return site, false, fmt.Errorf("reading a site: %w", err)
	}
	// it takes as long where there is no hash
	ok = registry.IsPassword(site.PasswordHash, o["password"].text)
	return site, ok && err == nil, nil
}

func retryAfter(w http.ResponseWriter, no *refusal) {
	if no.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(no.after/time.Second)+1))
	}
}
