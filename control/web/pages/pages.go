// Package pages is what people see of a control plane in a browser: HTML made
// by the server, a stylesheet, and no scripts.
//
//	/  /mirrors  /mirror/HOST  /propagation      everybody: public mirrors, and how fresh they are
//	/login  /logout  /account                    whoever signs in
//	/my  /site/…  /host/…  /new/…  /edit/…       those who run mirrors
//	/applications  /list/…  /jobs  /snapshots    operators
//
// All that somebody who has signed in sees and does goes through the API
// ([web.Inside]), so that pages have no rules of their own of who may do what,
// and a form's mistakes are the API's problems, shown at their fields. What is
// public comes from a view that has nothing else in it: no private host, no
// private URL, nothing under embargo.
//
// A session is a cookie that is signed and ends; no state is kept but of those
// who have signed out and of attempts to sign in. Forms are protected against
// other sites by [http.CrossOriginProtection], which the API's handler has, and
// by SameSite=Lax.
package pages

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

//go:embed templates/*.html style.css
var files embed.FS

// API is what answers in the visitor's name; [web.Inside] does.
type API interface {
	Do(ctx context.Context, user, method string, where *url.URL, header http.Header, body []byte) web.Reply
	Read(ctx context.Context, where *url.URL) web.Reply
}

// Config is what the pages need. API, Store and Key are required.
type Config struct {
	API   API
	Store *store.Store

	// Key signs sessions: 32 random bytes, the same for all processes that answer
	// for one control plane.
	Key []byte

	// Title is the name of the mirror network; "": Mirrors.
	Title string

	// Log gets a line for each attempt to sign in and for what goes wrong. Nil:
	// nothing is logged.
	Log *slog.Logger

	// Now is the clock; nil: [time.Now].
	Now func() time.Time
}

// A site answers requests for pages. It is for any number of goroutines.
type site struct {
	Config

	templates map[string]*template.Template
	style     []byte
	sessions  sessions
	attempts  attempts
	views     views
}

// Who a page is for.
type audience uint8

const (
	everybody audience = iota
	members            // whoever has signed in
	operators
)

// A page answers a request.
type page func(*visit) error

// New returns the pages as a handler.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Title == "" {
		c.Title = "Mirrors"
	}
	s := &site{Config: c, templates: parse(), sessions: newSessions(c.Key), attempts: newAttempts()}
	style, err := files.ReadFile("style.css")
	if err != nil {
		panic("pages: " + err.Error()) // it is part of the program
	}
	s.style = style
	mux := http.NewServeMux()
	mux.HandleFunc("GET /style.css", s.stylesheet)
	s.publicRoutes(mux)
	s.memberRoutes(mux)
	s.operatorRoutes(mux)
	mux.Handle("/", s.handler(everybody, func(*visit) error { return missing() }))
	return mux
}

// handler returns the handler of a page.
func (s *site) handler(who audience, p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.secure(w.Header())
		v := &visit{site: s, w: w, r: r, now: s.Now()}
		if err := v.answer(who, p); err != nil {
			v.refuse(err)
		}
	})
}

// secure sets what keeps a page from being more than text, links and forms.
func (s *site) secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-store")
}

func (s *site) stylesheet(w http.ResponseWriter, _ *http.Request) {
	s.secure(w.Header())
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(s.style) // the browser may be gone
}

// A visit is one request that is being answered.
type visit struct {
	*site

	w    http.ResponseWriter
	r    *http.Request
	now  time.Time
	user *registry.User // nil for those who have not signed in
}

// A refusal is an error that the visitor is told.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func missing() error {
	return &refusal{http.StatusNotFound, "There is no such page, or it is not for you."}
}

func (v *visit) answer(who audience, p page) error {
	if err := v.r.ParseForm(); err != nil {
		return &refusal{http.StatusBadRequest, "The form could not be read."}
	}
	if err := v.signedIn(); err != nil {
		return err
	}
	switch {
	case who == everybody:
	case v.user == nil && v.r.Method == http.MethodGet:
		return v.to("/login?next=" + url.QueryEscape(v.r.URL.RequestURI()))
	case v.user == nil:
		return &refusal{http.StatusUnauthorized, "Your session has ended. Sign in and send the form again."}
	case who == operators && !v.user.Admin:
		return missing()
	}
	return p(v)
}

// to sends the visitor to another page of ours.
func (v *visit) to(where string) error {
	http.Redirect(v.w, v.r, where, http.StatusSeeOther)
	return nil
}

// refuse answers a request that failed.
func (v *visit) refuse(err error) {
	var told *refusal
	if !errors.As(err, &told) {
		v.Log.Error("page failed", "method", v.r.Method, "path", v.r.URL.Path, "error", err)
		told = &refusal{http.StatusInternalServerError, "This server has trouble; its log says which."}
	}
	if err = v.render(told.status, "error", http.StatusText(told.status), told.text); err != nil {
		v.Log.Error("page failed", "path", v.r.URL.Path, "error", err)
	}
}

// A frame is what every page has around it.
type frame struct {
	Network string // the name of the network
	Title   string
	Path    string
	User    *registry.User
	Notice  string
	Body    any
	Now     time.Time
}

// render answers with a page.
func (v *visit) render(status int, name, title string, body any) error {
	text, err := v.write(name, title, body)
	if err == nil {
		v.send(status, text)
	}
	return err
}

// write returns a page.
func (v *visit) write(name, title string, body any) ([]byte, error) {
	var out bytes.Buffer
	f := frame{v.Title, title, v.r.URL.Path, v.user, notice(v.r.URL.Query().Get("done")), body, v.now}
	err := v.templates[name].ExecuteTemplate(&out, "layout", f)
	return out.Bytes(), err
}

// send answers with a page that was written.
func (v *visit) send(status int, page []byte) {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(page) // the browser may be gone
}

// show answers with a page that worked.
func (v *visit) show(name, title string, body any) error {
	return v.render(http.StatusOK, name, title, body)
}

// notice returns the words for what was done before a redirect here. A link can
// say no other ones.
func notice(done string) string {
	return map[string]string{
		"saved":    "Saved.",
		"made":     "Made.",
		"applied":  "Thank you. An operator will look at it; until then it is listed nowhere.",
		"deleted":  "Deleted.",
		"crawl":    "A crawl is queued.",
		"scan":     "A scan is queued.",
		"announce": "Mirrors are about to be told.",
		"publish":  "A snapshot is about to be published.",
		"rollback": "The old snapshot is about to be published again.",
		"password": "The password is set.",
		"revoked":  "The token works no more.",
		"decided":  "Decided.",
		"out":      "You have signed out.",
	}[done]
}

// local returns where to go after signing in: a path of ours, nothing else.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") ||
		strings.HasPrefix(u.Path, "/login") || strings.HasPrefix(u.Path, "/logout") {
		return "/my"
	}
	return u.RequestURI()
}
