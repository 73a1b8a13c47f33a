package web_test

import (
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/source"
)

// TestEdgeFollows lets a real edge's source follow what a real publisher
// publishes, through the API.
func TestEdgeFollows(t *testing.T) {
	a := start(t, world(), nil)
	key, err := wire.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	p := publish.Publisher{
		Store: a.store, Key: key, Holder: "test", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Refresh: time.Hour, Keep: 3,
	}
	dir := t.TempDir()
	tokenFile := filepath.Join(dir, "edge.token")
	if err = os.WriteFile(tokenFile, []byte("edge\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	public, _ := key.Public().(ed25519.PublicKey)
	remote, err := source.NewRemote(source.RemoteConfig{URL: a.url, TokenFile: tokenFile, Keys: []ed25519.PublicKey{public}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}

	if err = remote.Restore(); err != nil {
		t.Fatal(err)
	}
	first, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err = remote.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := remote.Latest(); s == nil || s.Version != first || len(s.Hosts) == 0 {
		t.Fatalf("the edge has %+v, want version %d", s, first)
	}

	// the edge waits for news
	polled := make(chan error)
	go func() { polled <- remote.Poll(t.Context()) }()
	a.ask("root", "PATCH", "/v1/host/other/fr1", `{"user_active":false,"reason":"moved"}`).want(t, 200)
	second, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-polled; err != nil {
		t.Fatal(err)
	}
	if s := remote.Latest(); s.Version != second || second == first {
		t.Errorf("the edge has version %d, want %d after %d", s.Version, second, first)
	}
}
