package http

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// drain has operators drain hosts of an engine.
func drain(e *answer.Engine, names ...string) {
	e.SetHealth(func(ix *index.Index) *health.State { return health.New(ix, nil, names...) })
}

// mark has the registry of an engine mark hosts down.
func mark(e *answer.Engine, names ...string) {
	in := e.View().Index.Inputs()
	registry := *in.Snapshot
	registry.Hosts = slices.Clone(registry.Hosts)
	for i := range registry.Hosts {
		registry.Hosts[i].Down = slices.Contains(names, registry.Hosts[i].Name)
	}
	in.Snapshot = &registry
	e.Swap(index.Compile(in), nil)
}

// TestDrained: a host that is drained is in no redirect, list or metalink, by
// whatever scheme; all are as if the registry marked it down.
func TestDrained(t *testing.T) {
	var everybody []string
	for _, h := range slices.Concat(listHosts(), fixtureSnapshot().Hosts) {
		everybody = append(everybody, h.Name)
	}
	lists := []string{
		"/mirrorlist?path=pub/fedora/os", "/mirrorlist?path=pub/fedora/os&protocol=rsync", "/mirrorlist?path=pub/fedora/os&country=SE",
		"/mirrorlist?path=pub/fedora/os&country=global&protocol=rsync,https", "/mirrorlist?repo=fedora-43&arch=x86_64&redirect=1",
		"/metalink?path=pub/fedora/os/repodata/repomd.xml", "/metalink?repo=fedora-43&arch=x86_64&protocol=rsync",
	}
	files := []string{"/pub/os/f.iso", "/pub/os/f.iso.meta4", "/pub/os/f.iso.metalink", "/pub/os/"}
	for _, names := range [][]string{{"de1"}, {"se1"}, {"fr1", "net1", "us1"}, everybody} {
		for _, x := range []struct {
			uris   []string
			server func() *Server
		}{{lists, func() *Server { return newListFixture() }}, {files, func() *Server { return newFixture() }}} {
			got, want := x.server(), x.server()
			drain(got.config.Engine, names...)
			mark(want.config.Engine, names...)
			for _, client := range []string{german, american, partner, campus} {
				for _, uri := range x.uris {
					a, b := get(t, got, client, uri), get(t, want, client, uri)
					header, _, _ := strings.Cut(string(a.Body()), "\n")
					if a.StatusCode() != b.StatusCode() || !strings.HasPrefix(string(b.Body()), header) {
						t.Errorf("%s for %s without %v: %s\nwant %s", uri, client, names, a, b)
					}
					for _, name := range everybody {
						if namesHost(a, name) && slices.Contains(names, name) || namesHost(a, name) != namesHost(b, name) && !strings.Contains(uri, "redirect") {
							t.Errorf("%s for %s without %v: %s is named: %v, want %v\n%s", uri, client, names, name, namesHost(a, name), namesHost(b, name), a)
						}
					}
				}
			}
		}
	}
}

// namesHost reports whether an answer names a host's URL.
func namesHost(a *fasthttp.Response, host string) bool {
	return strings.Contains(a.String(), "//"+host+".")
}

// TestPageDrained: the page tells hosts that are drained from those that fail.
func TestPageDrained(t *testing.T) {
	s := newFixture()
	s.config.Engine.SetHealth(func(ix *index.Index) *health.State { return health.New(ix, down("us1", index.HTTPS), "fr1", "secret") })
	var got mirrorPage
	if err := json.Unmarshal(get(t, s, german, "/pub/os/f.iso?mirrorlist&json").Body(), &got); err != nil {
		t.Fatal(err)
	}
	want := []pageRejected{
		{"us1", "is down, as probes found"},
		{"fr1", "drained: taken out by an operator for a while"},
		{"jp1", "has no address of the client's family"},
		{"choosy", "does not serve the client's country"},
	}
	if diff := cmp.Diff(want, got.Rejected); diff != "" {
		t.Error(diff)
	}
}
