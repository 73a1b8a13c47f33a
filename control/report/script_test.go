package report_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/report"
)

// program is what main.go makes of the command, without pauses.
func program() {
	var c struct {
		Report report.Command `cmd:"" help:"On a mirror: tell the control plane what is here."`
	}
	c.Report.Pause = func(context.Context, time.Duration) error { return nil }
	k := kong.Parse(&c, kong.Name("waypost"), kong.BindTo(context.Background(), (*context.Context)(nil)),
		kong.BindTo(os.Stdout, (*io.Writer)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "waypost:", err)
		os.Exit(1)
	}
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"waypost": program})
}

// TestScripts runs the transcripts in testdata against a real server of
// check-ins at $SERVER and one that always has trouble at $BROKEN.
func TestScripts(t *testing.T) {
	server := newServer(t)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "https://elsewhere.test/", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Retry-After", "7")
		http.Error(w, "<h1>Gateway on fire</h1>", http.StatusBadGateway)
	}))
	t.Cleanup(broken.Close)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE") == "1",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SERVER", server)
			env.Setenv("BROKEN", broken.URL)
			env.Setenv("no_proxy", "127.0.0.1")
			return nil
		},
	})
}

// one is a control plane with a private host x/private and a public one, x/public.
type one struct{ hash string }

func (o one) Site(_ context.Context, name string) (registry.Site, error) {
	if name != "x" {
		return registry.Site{}, checkin.ErrUnknown
	}
	return registry.Site{Name: "x", PasswordHash: o.hash}, nil
}

func (one) Host(_ context.Context, key string) (registry.Host, error) {
	h := registry.Host{Site: "x", Name: key[2:], Private: key == "x/private", Carries: []registry.Carry{{Category: "OS"}}}
	if key != "x/private" && key != "x/public" {
		return h, checkin.ErrUnknown
	}
	return h, nil
}

func (one) HostOfToken(_ context.Context, token string) (string, error) {
	if token != "private-token" {
		return "", checkin.ErrUnknown
	}
	return "x/private", nil
}

func (one) Master(_ context.Context, category string) (checkin.Master, error) {
	return checkin.Master{Numbers: []uint32{0, 1, 2}, Tree: registry.Tree{Category: category, Directories: []registry.Directory{
		{Path: "", Readable: true},
		{Path: "43", Readable: true, Files: []registry.File{{Name: "a.iso", Size: 2}, {Name: "b.iso", Size: 9}}},
		{Path: "44"},
	}}}, nil
}

func (one) Listing(context.Context, string, string) (registry.Listing, error) {
	return registry.Listing{}, checkin.ErrUnknown
}

func (one) Keep(context.Context, checkin.Receipt) error { return nil }

// newServer serves it and returns the URL.
func newServer(t *testing.T) string {
	t.Helper()
	hash, err := registry.HashPassword("100% secret")
	if err != nil {
		t.Fatal(err)
	}
	o := one{hash}
	s := checkin.New(checkin.Config{Registry: o, Holdings: o, Limits: checkin.Limits{Failures: 1000, PerHost: 1000}})
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/checkin", s.ServeAPI)
	mux.HandleFunc("/xmlrpc", s.ServeXMLRPC)
	var tries atomic.Int32
	mux.HandleFunc("/flaky/v1/checkin", func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.ServeAPI(w, r)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}
