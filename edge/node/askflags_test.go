package node_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/waypost/waypost/edge/node"
)

// TestAdminFlag: all commands that ask a running edge find it by --admin or by
// the environment, with http:// before it or without.
func TestAdminFlag(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	run := func(args ...string) error {
		var all struct {
			Anycast node.AnycastCommand `cmd:""`
			Cluster node.ClusterCommand `cmd:""`
			Explain node.ExplainCommand `cmd:""`
			Ready   node.ReadyCommand   `cmd:""`
			Upgrade node.UpgradeCommand `cmd:""`
		}
		k, err := kong.New(&all, kong.BindTo(t.Context(), (*context.Context)(nil)), kong.BindTo(io.Discard, (*io.Writer)(nil)))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := k.Parse(args)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Run()
	}
	for args, want := range map[string]string{
		"anycast status": "GET /anycast", "cluster members": "GET /cluster", "explain 192.0.2.1 pub/os": "GET /explain",
		"upgrade": "POST /upgrade", "ready": "GET /readyz",
	} {
		for _, at := range []string{server.URL, server.URL + "/", strings.TrimPrefix(server.URL, "http://")} {
			t.Setenv("WAYPOST_ADMIN", at)
			if err := run(strings.Fields(args)...); err != nil || asked != want {
				t.Errorf("%s at %s: asked %q, %v, want %q", args, at, asked, err, want)
			}
		}
		if args == "ready" { // whom to ask is its argument
			continue
		}
		for _, at := range []string{"9090", "localhost", "https://localhost:9090", "http://localhost"} {
			err := run(append(strings.Fields(args), "--admin", at)...)
			if err == nil || !strings.Contains(err.Error(), "want HOST:PORT, got") {
				t.Errorf("%s at %s: %v", args, at, err)
			}
		}
	}
}
