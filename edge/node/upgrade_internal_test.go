package node

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/handover"
)

// TestUpgradeRefused: an order that is wrong, and one that cannot be obeyed, for
// nobody runs this process.
func TestUpgradeRefused(t *testing.T) {
	n := &Node{process: &handover.Process{}}
	mux := http.NewServeMux()
	n.upgradePages(mux)
	for _, x := range []struct {
		body, want string
		status     int
	}{
		{"within=10", "want a time such as 30s", http.StatusBadRequest},
		{"within=-1s", "want a time such as 30s", http.StatusBadRequest},
		{"within=%zz", "invalid URL escape", http.StatusBadRequest},
		{"within=30s&force=1", handover.ErrCannot.Error(), http.StatusConflict},
		{"", handover.ErrCannot.Error(), http.StatusConflict},
	} {
		r := httptest.NewRequest(http.MethodPost, "/upgrade", strings.NewReader(x.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != x.status || !strings.Contains(w.Body.String(), x.want) {
			t.Errorf("%q: got %d %s, want %d %s", x.body, w.Code, w.Body, x.status, x.want)
		}
	}
}
