package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/waypost/waypost/control/registry"
)

// Inside is the API for pages of the same process: what somebody who has signed
// in there may see and do is what the API says. It is for any number of
// goroutines.
type Inside struct{ api http.Handler }

// A Reply is what the API answers from inside.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Failure returns why it did not work: its status is 400 or above.
func (r Reply) Failure() (f Failure) {
	if err := json.Unmarshal(r.Body, &f); err != nil || f.Error == "" {
		f.Error = http.StatusText(r.Status)
	}
	return f
}

// sessionKey is the key of a context's session: the name of the user. Nobody
// else can set it.
type sessionKey struct{}

// selfKey is the key that tells of a context that this program itself asks.
type selfKey struct{}

// self returns the caller that this program itself is, if it is the one who
// asks.
func self(ctx context.Context) (caller, bool) {
	if ctx.Value(selfKey{}) == nil {
		return caller{}, false
	}
	return caller{
		token: &registry.Token{Name: "pages", Scopes: []registry.Scope{registry.ScopeRead}},
		user:  &registry.User{Name: "pages", Admin: true},
	}, true
}

// Do answers a request as from the user, whom the caller must have
// authenticated. A user who is disabled by now gets 401. body is a document in
// JSON, nil if there is none.
func (i Inside) Do(ctx context.Context, user, method string, where *url.URL, header http.Header, body []byte) Reply {
	return i.answer(context.WithValue(ctx, sessionKey{}, user), method, where, header, body)
}

// Read answers a question as from this program itself, which sees everything
// and changes nothing: what of the answer is for whom, the caller must know.
func (i Inside) Read(ctx context.Context, where *url.URL) Reply {
	return i.answer(context.WithValue(ctx, selfKey{}, true), http.MethodGet, where, nil, nil)
}

func (i Inside) answer(ctx context.Context, method string, where *url.URL, header http.Header, body []byte) Reply {
	r := (&http.Request{
		Method: method, URL: where, Host: "inside", Header: header,
		Body: http.NoBody, ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "inside",
	}).WithContext(ctx)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if body != nil {
		r.Body = readCloser{bytes.NewReader(body)}
	}
	w := recorder{Reply: Reply{Status: http.StatusOK, Header: http.Header{}}}
	i.api.ServeHTTP(&w, r)
	return w.Reply
}

// session returns what a session may do, nil if the request is not from inside:
// all that the user may.
func session(ctx context.Context) *registry.Token {
	user, _ := ctx.Value(sessionKey{}).(string)
	if user == "" {
		return nil
	}
	return &registry.Token{
		Name: "session", User: user,
		Scopes: []registry.Scope{registry.ScopeRead, registry.ScopeWrite, registry.ScopeCrawl, registry.ScopePublish, registry.ScopeCheckin},
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// A recorder keeps an answer.
type recorder struct {
	Reply

	begun bool
}

var _ http.ResponseWriter = (*recorder)(nil)

func (w *recorder) Header() http.Header { return w.Reply.Header }

func (w *recorder) WriteHeader(status int) {
	if !w.begun {
		w.begun, w.Status = true, status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.Body = append(w.Body, b...)
	return len(b), nil
}

// applied tells of a site or host that begins to wait for approval, and of what
// became of one that did.
func (s *server) applied(c *call, ch change) {
	if s.Applications == nil || ch.after == nil {
		return
	}
	before, after := stateOf(ch.before.Object), stateOf(ch.after)
	if before != after && (before == registry.Pending || after == registry.Pending) {
		s.Applications(context.WithoutCancel(c.Context()), ch.after, c.caller.name())
	}
}

// stateOf returns the state of a site or host, "" of everything else.
func stateOf(o registry.Object) registry.State {
	switch o := o.(type) {
	case *registry.Site:
		return o.State
	case *registry.Host:
		return o.State
	}
	return ""
}
