package web_test

import (
	"fmt"
	"testing"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// TestManifestTag asks for the ETag of the manifest alone, as edges do that get
// the manifest from one another: it waits like a request for the manifest, and the
// ETag is the manifest's SHA-256.
func TestManifestTag(t *testing.T) {
	a := start(t, world(), nil)
	const manifest = "/v1/snapshot/manifest"
	a.publish(7, "first", "some content")
	first := a.ask("edge", "HEAD", manifest+"?wait=30s", "").want(t, 200)
	if tag := first.header.Get("ETag"); tag != fmt.Sprintf("%q", wire.HashOf([]byte("first"))) || first.body != "" {
		t.Errorf("ETag %s, body %q", tag, first.body)
	}
	tag := "If-None-Match: " + first.header.Get("ETag")
	a.ask("edge", "HEAD", manifest+"?wait=50ms", "", tag).want(t, 304)
	news := make(chan answer)
	go func() { news <- a.ask("edge", "HEAD", manifest+"?wait=30s", "", tag) }()
	a.publish(8, "second", "more content")
	if got := (<-news).want(t, 200); got.header.Get("ETag") == first.header.Get("ETag") || got.body != "" {
		t.Errorf("%+v", got)
	}
	a.ask("", "HEAD", manifest, "").want(t, 401)
}
