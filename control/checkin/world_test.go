package checkin_test

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/report/bzip2"
)

// A world is a registry and holdings in memory.
type world struct {
	mu       sync.Mutex
	sites    map[string]registry.Site
	hosts    map[string]registry.Host
	tokens   map[string]string
	masters  map[string]checkin.Master
	listings map[string]registry.Listing
	receipts []checkin.Receipt
	broken   error
}

func get[T any](w *world, m map[string]T, key string) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := m[key]
	if !ok {
		return v, fmt.Errorf("%q: %w", key, checkin.ErrUnknown)
	}
	return v, w.broken
}

func (w *world) Site(_ context.Context, name string) (registry.Site, error) {
	return get(w, w.sites, name)
}

func (w *world) Host(_ context.Context, key string) (registry.Host, error) {
	return get(w, w.hosts, key)
}

func (w *world) HostOfToken(_ context.Context, token string) (string, error) {
	return get(w, w.tokens, registry.HashToken(token))
}

func (w *world) Master(_ context.Context, category string) (checkin.Master, error) {
	return get(w, w.masters, category)
}

func (w *world) Listing(_ context.Context, host, category string) (registry.Listing, error) {
	return get(w, w.listings, host+" "+category)
}

func (w *world) Keep(_ context.Context, r checkin.Receipt) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receipts = append(w.receipts, r)
	for _, o := range r.Outcomes {
		if o.Listing != nil {
			w.listings[r.Host+" "+o.Category] = *o.Listing
		}
	}
	return w.broken
}

const (
	password = "sécret & <more>"
	token    = "0123456789abcdef"
)

// hash returns password as [registry.HashPassword] hashes it, but with one round
// where that has 600,000: these tests check many.
func hash(tb testing.TB) string {
	tb.Helper()
	salt := make([]byte, 16)
	sum, err := pbkdf2.Key(sha256.New, password, salt, 1, sha256.Size)
	if err != nil {
		tb.Fatal(err)
	}
	text := base64.RawStdEncoding
	return "pbkdf2-sha256$1$" + text.EncodeToString(salt) + "$" + text.EncodeToString(sum)
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	hashed := hash(tb)
	carries := []registry.Carry{{Category: "Fedora Linux"}, {Category: "Fedora EPEL"}}
	return &world{
		sites: map[string]registry.Site{
			"uni-x": {Name: "uni-x", PasswordHash: hashed},
			"open":  {Name: "open"},
			"hide":  {Name: "hide", PasswordHash: hashed, Private: true},
		},
		hosts: map[string]registry.Host{
			"uni-x/de1": {Site: "uni-x", Name: "de1", Private: true, Carries: carries},
			"uni-x/pub": {Site: "uni-x", Name: "pub", Carries: carries},
			"hide/de2":  {Site: "hide", Name: "de2", Carries: carries},
		},
		tokens: map[string]string{
			registry.HashToken(token):         "uni-x/de1",
			registry.HashToken("pub" + token): "uni-x/pub",
		},
		masters:  map[string]checkin.Master{"Fedora Linux": master()},
		listings: map[string]registry.Listing{"uni-x/de1 Fedora Linux": {Holds: set(70, 5, 999)}},
	}
}

// serve serves w with the limits and returns the server's URL.
func (w *world) serve(tb testing.TB, l checkin.Limits) string {
	tb.Helper()
	s := checkin.New(checkin.Config{Registry: w, Holdings: w, Limits: l, Now: func() time.Time { return at }})
	mux := newMux(s)
	srv := httptest.NewServer(mux)
	tb.Cleanup(srv.Close)
	return srv.URL
}

// encode is what checkin() is called with for a document.
func encode(tb testing.TB, document string) string {
	tb.Helper()
	var b bytes.Buffer
	z := bzip2.NewWriter(&b)
	_, _ = z.Write([]byte(document))
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return base64.URLEncoding.EncodeToString(b.Bytes())
}

// call is the body of a call of checkin with text, as quick-fedora-mirror writes it.
func call(text string) string {
	return "<?xml version='1.0'?>\n<methodCall>\n<methodName>checkin</methodName>\n<params>\n<param>\n" +
		"<value><string>" + text + "</string></value>\n</param>\n</params>\n</methodCall>\n"
}

// submission is a document of report_mirror for a host and the text of its categories.
func submission(site, host, categories string) string {
	s := fmt.Sprintf(`{"version": 0, "global": {"enabled": "1", "server": "https://example.org/xmlrpc"},
		"site": {"enabled": "1", "name": %q, "password": %q}, "host": {"enabled": "1", "name": %q}, "stats": {}`, site, password, host)
	if categories != "" {
		s += ", " + categories
	}
	return strings.ReplaceAll(s, "\n", " ") + "}"
}
