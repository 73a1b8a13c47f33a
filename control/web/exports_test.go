package web_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

const exportedCatalog = `
categories: [{name: os, path: pub/os}, {name: next, path: pub/next}]
hosts:
- {name: uni-x/de1, country: DE, urls: {os: "https://de1.example.org/os", next: "https://de1.example.org/next"}}
- {name: uni-x/hidden, private: true, asn: 680, urls: {os: "https://hidden.example.org/os"}}
repositories: [{name: os-43, arch: x86_64, path: pub/os}]
`

// publishSnapshot publishes a snapshot as control/publish does.
func (a api) publishSnapshot(version uint64, snap *snapshot.Snapshot) {
	a.t.Helper()
	var sections []string
	m, err := wire.Encode(snap, func(h wire.Hash, data []byte) error {
		sections = append(sections, h.String())
		return a.store.PutSections(a.t.Context(), data)
	})
	if err != nil {
		a.t.Fatal(err)
	}
	key, err := wire.NewKey()
	if err != nil {
		a.t.Fatal(err)
	}
	m.Version, m.Created = version, now
	data, err := m.Sign(key)
	if err != nil {
		a.t.Fatal(err)
	}
	l, ok, err := a.store.Acquire(a.t.Context(), "publish", "test", time.Minute)
	if err != nil || !ok {
		a.t.Fatal(ok, err)
	}
	err = a.store.PutManifest(a.t.Context(), l, store.Manifest{Version: version, Created: now, Data: data, Sections: sections})
	if err = errors.Join(err, a.store.Release(a.t.Context(), l)); err != nil {
		a.t.Fatal(err)
	}
}

func exportedSnapshot(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	s, err := catalog.Decode("c.yaml", []byte(exportedCatalog))
	if err != nil {
		t.Fatal(err)
	}
	s.Created = now
	for i := range s.Directories {
		s.Directories[i].Number = uint32(i)
	}
	return s
}

func TestExports(t *testing.T) {
	clock := now
	a := start(t, append(world(), token("reader of de1", "", "uni-x/de1", "", registry.ScopeRead, registry.ScopeCheckin)),
		func(c *web.Config) { c.Now = func() time.Time { return clock } })
	a.ask("", "GET", "/v1/exports/json", "").want(t, 404, "nothing is published yet")
	snap := exportedSnapshot(t)
	snap.Embargoes = []snapshot.Embargo{{Path: "pub/next", LiftAt: now.Add(time.Hour)}}
	a.publishSnapshot(1, snap)

	first := a.ask("", "GET", "/v1/exports/json", "").want(t, 200, "de1.example.org/os")
	tag := first.header.Get("ETag")
	if first.header.Get("Cache-Control") != "public, max-age=60" || first.header.Get("Content-Type") != "application/json" || tag == "" {
		t.Errorf("headers %v", first.header)
	}
	a.ask("", "GET", "/v1/exports/json", "", "If-None-Match: "+tag).want(t, 304)
	if head := a.ask("", "HEAD", "/v1/exports/json", "").want(t, 200); head.body != "" || head.header.Get("ETag") != tag {
		t.Errorf("HEAD: %+v", head)
	}

	clock = clock.Add(time.Hour) // an embargo ends by the clock alone
	lifted := a.ask("", "GET", "/v1/exports/json", "", "If-None-Match: "+tag).want(t, 200, "pub/next")
	if strings.Contains(first.body, "next") || lifted.header.Get("ETag") == tag {
		t.Errorf("under embargo:\n%s", first.body)
	}

	a.publishSnapshot(2, exportedSnapshot(t))
	if again := a.ask("", "GET", "/v1/exports/json", "").want(t, 200, "pub/next"); again.header.Get("ETag") == tag {
		t.Error("the same ETag for another snapshot")
	}
	a.ask("", "GET", "/v1/exports/json?since=1", "").want(t, 400, "unknown query parameter")
	a.ask("", "GET", "/v1/exports/word", "").want(t, 404, "there are: json, text")
}

// TestExportsHidePrivateHosts: what is open to all names none of them.
func TestExportsHidePrivateHosts(t *testing.T) {
	a := start(t, world(), nil)
	a.publishSnapshot(1, exportedSnapshot(t))
	for _, f := range export.Formats() {
		path := "/v1/exports/" + f.Name
		if !f.Public || f.Large {
			a.ask("", "GET", path, "").want(t, 401)
			a.ask("alice", "GET", path, "").want(t, 403, "for administrators")
			got := a.ask("reader", "GET", path, "").want(t, 200)
			if strings.Contains(got.body, "hidden.example.org") == f.Public {
				t.Errorf("%s: public %t, but\n%s", f.Name, f.Public, got.body)
			}
			a.ask("reader", "GET", path, "", "If-None-Match: "+got.header.Get("ETag")).want(t, 304)
			a.ask("reader", "HEAD", path, "").want(t, 200)
			continue
		}
		if got := a.ask("", "GET", path, "").want(t, 200); strings.Contains(got.body, "hidden") {
			t.Errorf("%s names a private host:\n%s", f.Name, got.body)
		}
	}
	lists := tar.NewReader(strings.NewReader(a.ask("root", "GET", "/v1/exports/mirrorlists", "").want(t, 200).body))
	head, err := lists.Next()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(lists)
	if err != nil || head.Name != "os-43/x86_64/DE" || !strings.Contains(string(text), "https://de1.example.org/os/\n") {
		t.Errorf("%v: %s\n%s", err, head.Name, text)
	}
}

func TestRsyncExports(t *testing.T) {
	pulls := func(name, upstream, address string) *registry.Host {
		return &registry.Host{
			Site: "other", Name: name, Upstream: upstream, Tier: 2, PullAddresses: []string{address}, State: registry.Approved,
			Activity: registry.Activity{AdminActive: true, UserActive: true},
		}
	}
	a := start(t, append(world(), pulls("tier2", "uni-x/de1", "192.0.2.2"), pulls("tier1", "", "192.0.2.1"),
		token("upstream", "", "uni-x/de1", "", registry.ScopeRead), token("stranger", "", "other/fr1", "", registry.ScopeRead)), nil)
	for _, category := range []string{"os", "staff"} {
		tree := &registry.Tree{Category: category, Directories: []registry.Directory{{Path: category + "-43", Changed: 200, Readable: true}, {Path: "embargoed", Changed: 200}}}
		if err := a.store.PutTree(t.Context(), tree); err != nil {
			t.Fatal(err)
		}
	}
	const acl, filter = "/v1/exports/rsync-acl", "/v1/exports/rsync-filter"
	tests := []struct {
		name, token, path string
		status            int
		has, lacks        string
	}{
		{"nobody", "", acl, 401, "want a token", ""},
		{"check-in only", "host", acl, 403, "lacks the scope read", ""},
		{"master's", "root", acl, 200, "192.0.2.1/32", "192.0.2.2"},
		{"tier's", "root", acl + "?upstream=uni-x/de1", 200, "192.0.2.2/32", "192.0.2.1/"},
		{"no such tier", "root", acl + "?upstream=x", 404, "there is no host", ""},
		{"a host's own", "upstream", acl, 200, "192.0.2.2/32", "192.0.2.1/"},
		{"another host's", "stranger", acl + "?upstream=uni-x/de1", 403, "of its own", ""},
		{"who runs it", "alice", acl + "?upstream=uni-x/de1", 200, "192.0.2.2/32", ""},
		{"a user asks for the master's", "alice", acl, 403, "of its own", ""},
		{"filter without token", "", filter, 401, "want a token", ""},
		{"filter", "root", filter, 200, "staff-43", "embargoed"},
		{"filter of a user", "alice", filter + "?strip=/pub/&since=100", 200, "+ /os/os-43/*", "staff"},
		{"filter of a host", "upstream", filter, 200, "os-43", "staff"},
		{"filter of a host that carries nothing", "stranger", filter, 200, "- *", "os-43"},
		{"filter of one category", "root", filter + "?categories=staff,none", 200, "staff-43", "os-43"},
		{"filter since then", "root", filter + "?since=200", 200, "- *", "os-43"},
		{"filter since when", "root", filter + "?since=soon", 400, "want Unix seconds", ""},
		{"filter for an edge", "edge", filter, 403, "lacks the scope", ""},
		{"a host reads nothing else", "upstream", "/v1/host", 200, `"objects":[]`, ""},
		{"nor one by its name", "upstream", "/v1/host/uni-x/de1", 404, "there is no host", ""},
		{"nor what is done", "upstream", "/v1/jobs", 403, "no administrator", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := a.ask(tt.token, "GET", tt.path, "").want(t, tt.status, tt.has)
			if tt.lacks != "" && strings.Contains(got.body, tt.lacks) {
				t.Errorf("has %s:\n%s", tt.lacks, got.body)
			}
			if tt.status == 200 && got.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("Cache-Control %q", got.header.Get("Cache-Control"))
			}
		})
	}
}

// TestEmbargo: what is under embargo is told to those who run approved mirrors,
// and to nobody else who has an account.
func TestEmbargo(t *testing.T) {
	const repository, filter, propagation = "/v1/repository/os-44+x86_64", "/v1/exports/rsync-filter", "/v1/propagation"
	waiting := &registry.Host{Site: "bobs", Name: "m", State: registry.Pending, Carries: []registry.Carry{{Category: "os"}}}
	a := start(t, append(world(),
		&registry.Site{Name: "bobs", Admins: []string{"bob"}, State: registry.Pending}, waiting,
		token("mirror", "", "uni-x/de1", "", registry.ScopeRead), token("waiting", "", "bobs/m", "", registry.ScopeRead),
		&registry.Release{Name: "44", Paths: []string{"pub/os/44"}, LiftAt: now.Add(time.Hour)},
		&registry.Release{Name: "43", Paths: []string{"pub/os/43"}, LiftAt: now.Add(-time.Hour)},
		&registry.Repository{Name: "os-44", Arch: "x86_64", Category: "os", Path: "pub/os/44"},
		&registry.Repository{Name: "os-43", Arch: "x86_64", Category: "os", Path: "pub/os/43"}), nil)
	tree := &registry.Tree{Category: "os", Directories: []registry.Directory{{Path: "43", Changed: 1, Readable: true}, {Path: "44", Changed: 1, Readable: true}}}
	if err := a.store.PutTree(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"43", "44"} {
		file := registry.File{Hashes: &registry.Hashes{snapshot.SHA256: make([]byte, 32)}}
		if err := a.store.NoteFile(t.Context(), "pub/os/"+version+"/repodata/repomd.xml", file, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.store.Settle(t.Context(), store.Settlement{Keep: 1, Crawl: store.Crawl{
		Host: "uni-x/de1", Category: "os", At: now, Sightings: `{"43/repodata/repomd.xml":"","44/repodata/repomd.xml":""}`,
	}}); err != nil {
		t.Fatal(err)
	}
	for who, knows := range map[string]bool{"root": true, "alice": true, "mirror": true, "bob": false, "waiting": false} {
		texts := a.ask(who, "GET", filter, "").want(t, 200, "/pub/os/43/").body
		if who != "mirror" && who != "waiting" {
			texts += a.ask(who, "GET", propagation, "").want(t, 200, "pub/os/43").body
			a.ask(who, "GET", "/v1/repository/os-43+x86_64", "").want(t, 200)
			a.ask(who, "GET", repository, "").want(t, map[bool]int{true: 200, false: 404}[knows])
			a.ask(who, "GET", "/v1/audit?kind=repository&key=os-44%2Bx86_64", "").want(t, map[bool]int{true: 200, false: 404}[knows])
		}
		if strings.Contains(texts, "/44") != knows {
			t.Errorf("%s is told of 44: %t\n%s", who, !knows, texts)
		}
	}
}

// TestLongExport: a list of some megabytes is made once, and is the same for
// all that ask, by whatever method.
func TestLongExport(t *testing.T) {
	var log bytes.Buffer
	a := start(t, world(), func(c *web.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	snap := exportedSnapshot(t)
	for i := range 6000 {
		h := snap.Hosts[0]
		h.Name, h.ID = fmt.Sprint("many", i), int64(1000+i)
		snap.Hosts = append(snap.Hosts, h)
	}
	slices.SortFunc(snap.Hosts, func(a, b snapshot.Host) int { return strings.Compare(a.Name, b.Name) })
	a.publishSnapshot(1, snap)
	first := a.ask("", "GET", "/v1/exports/json", "").want(t, 200, "many5999")
	if len(first.body) < 1<<20 {
		t.Fatalf("%d bytes are no long export", len(first.body))
	}
	if again := a.ask("", "GET", "/v1/exports/json", "").want(t, 200); again.body != first.body {
		t.Error("it is another one when it is asked for again")
	}
	if head := a.ask("", "HEAD", "/v1/exports/json", "").want(t, 200); head.header.Get("Content-Length") != fmt.Sprint(len(first.body)) {
		t.Errorf("HEAD: %v", head.header)
	}
	if n := strings.Count(log.String(), "export made"); n != 1 {
		t.Errorf("it was made %d times", n)
	}
}
