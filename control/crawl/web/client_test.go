package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waypost/waypost/control/crawl/pace"
	"github.com/waypost/waypost/control/crawl/web"
)

// TestOverloadedAtTheEnd ends the crawl at the moment when a server says that it is
// overloaded: there is an error then, for there is no answer.
func TestOverloadedAtTheEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c := web.New(web.Config{Limiter: pace.New(pace.Limits{}), Private: true, Count: func(int64) { cancel() }})
	defer c.Close()
	if a, err := c.Head(ctx, server.URL); a != nil || !errors.Is(err, web.ErrOverloaded) {
		t.Errorf("got %v, %v, want %v", a, err, web.ErrOverloaded)
	}
}
