package notify_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/notify"
)

// hook starts a webhook that answers with a status.
func hook(t *testing.T, status int, look func(*http.Request, []byte)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if look != nil {
			look(r, body)
		}
		w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.Repeat("x", 100<<10))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook?key=hidden"
}

func TestWebhook(t *testing.T) {
	key := strings.Repeat("k", 16)
	m := message()
	m.To, m.Webhooks = []string{"a@example.org"}, []string{"https://a.example.org"}
	calls := 0
	to := hook(t, http.StatusNoContent, func(r *http.Request, body []byte) {
		calls++
		if err := notify.Verify([]byte(key), r.Header.Get(notify.SignatureHeader), body, now().Add(time.Minute), 5*time.Minute); err != nil {
			t.Error(err)
		}
		var got notify.Message
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(message(), got); diff != "" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s of %s: %s", r.Method, r.Header.Get("Content-Type"), diff)
		}
	})
	s := sender(t, notify.Config{Webhooks: []notify.Webhook{{URL: to, SecretFile: secret(t, key)}}})
	if err := s.Post(t.Context(), to, m, now()); err != nil || calls != 1 {
		t.Errorf("%v, called %d times", err, calls)
	}
}

func TestTroubledWebhooks(t *testing.T) {
	for _, tt := range []struct {
		status  int
		refused bool
	}{{http.StatusFound, false}, {http.StatusTemporaryRedirect, false}, {http.StatusForbidden, false}, {http.StatusGone, true}, {http.StatusBadGateway, false}} {
		calls := 0
		to := hook(t, tt.status, func(*http.Request, []byte) { calls++ })
		err := sender(t, notify.Config{}).Post(t.Context(), to, message(), now())
		if err == nil || errors.Is(err, notify.ErrRefused) != tt.refused || strings.Contains(err.Error(), "hidden") || calls != 1 {
			t.Errorf("%d: %v, %d calls", tt.status, err, calls)
		}
	}
	err := sender(t, notify.Config{}).Post(t.Context(), "http://127.0.0.1:1/?key=hidden", message(), now())
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
}

// TestSitesWebhooks: those of sites may not lead anywhere, those of operators may.
func TestSitesWebhooks(t *testing.T) {
	to := hook(t, http.StatusOK, nil)
	never := errors.New("never there")
	allow := func(netip.Addr) error { return never }
	for _, tt := range []struct {
		config notify.Config
		want   error
	}{{notify.Config{}, never}, {notify.Config{Webhooks: []notify.Webhook{{URL: to}}}, nil}} {
		s, err := notify.Open(tt.config, allow)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Post(t.Context(), to, message(), now()); !errors.Is(err, tt.want) {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
}

func TestVerify(t *testing.T) {
	key, body := []byte("key"), []byte("body")
	good := notify.Sign(key, body, now())
	for name, tt := range map[string]struct {
		header, body string
		now          time.Time
		ok           bool
	}{
		"good":         {good, "body", now(), true},
		"another body": {good, "Body", now(), false},
		"late":         {good, "body", now().Add(6 * time.Minute), false},
		"early":        {good, "body", now().Add(-6 * time.Minute), false},
		"another time": {strings.Replace(good, "t=1", "t=2", 1), "body", now(), false},
		"none":         {"", "body", now(), false},
		"no hex":       {"t=1,v1=x", "body", now(), false},
	} {
		if err := notify.Verify(key, tt.header, []byte(tt.body), tt.now, 5*time.Minute); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
