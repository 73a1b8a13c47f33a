package web_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

// releasing is a world with a release, repositories in development and an archive.
func releasing() []registry.Object {
	on := registry.Activity{AdminActive: true, UserActive: true}
	carries := []registry.Carry{{Category: "os"}, {Category: "archive"}}
	host := func(name string, bandwidth uint32) *registry.Host {
		return &registry.Host{Site: "uni-x", Name: name, Bandwidth: bandwidth, State: registry.Approved, Activity: on, Carries: carries}
	}
	cache := host("cache", 500)
	cache.Carries = []registry.Carry{{Category: "os", AlwaysUpToDate: true}}
	off := host("off", 500)
	off.UserActive = false
	return append(
		world(),
		&registry.Category{Name: "archive", Path: "pub/archive"},
		&registry.Release{Name: "os-45", Paths: []string{"pub/os/releases/45"}, LiftAt: now.Add(time.Hour)},
		host("full", 900), host("half", 100), host("bare", 0), host("new", 500), cache, off,
		&registry.Repository{Name: "os-44", Arch: "x86_64", Path: "pub/os/development/44/x86_64", Category: "os"},
		&registry.Repository{Name: "os-44", Arch: "riscv64", Path: "pub/os/development/44/riscv64", Category: "os"},
		&registry.Repository{Name: "os-30", Arch: "x86_64", Path: "pub/os/releases/30/x86_64", Category: "os"},
	)
}

// startReleasing starts an API whose masters and hosts hold something.
func startReleasing(t *testing.T) api {
	t.Helper()
	a := start(t, releasing(), nil)
	dir := func(path string, readable bool, files ...registry.File) registry.Directory {
		return registry.Directory{Path: path, Readable: readable, Files: files}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(a.store.PutTree(t.Context(), &registry.Tree{Category: "os", Scanned: now, Directories: []registry.Directory{
		dir("", true), dir("development/44/riscv64", true), dir("development/44/x86_64", true),
		dir("releases/30/x86_64", true), dir("releases/44/x86_64", true),
		dir("releases/45", false, registry.File{Name: "a.iso", Size: 1000}, registry.File{Name: "b.iso", Size: -1}),
		dir("releases/45/x86_64", false, registry.File{Name: "c.iso", Size: 24}),
	}}))
	check(a.store.PutTree(t.Context(), &registry.Tree{Category: "archive", Scanned: now, Directories: []registry.Directory{
		dir("", true), dir("os/releases/30/x86_64", true),
	}}))
	numbers, err := a.store.Numbers(t.Context(), []string{
		"pub/os/releases/45", "pub/os/releases/45/x86_64", "pub/os/releases/44/x86_64", "pub/archive/os/releases/30/x86_64",
	})
	check(err)
	for host, held := range map[string][]uint32{"full": numbers, "half": numbers[:1], "bare": nil, "off": numbers} {
		for _, category := range []string{"os", "archive"} {
			l := &registry.Listing{Host: "uni-x/" + host, Category: category, Seen: now}
			for _, n := range held {
				l.Holds.Add(n)
			}
			check(a.store.PutListing(t.Context(), l))
		}
	}
	return a
}

func TestReleaseStatus(t *testing.T) {
	a := startReleasing(t)
	var got web.ReleaseStatus
	a.ask("root", "GET", "/v1/release-status?name=os-45", "").want(t, 200).into(t, &got)
	want := web.ReleaseStatus{
		Release: "os-45", LiftAt: now.Add(time.Hour), Directories: 2, Files: 3, Bytes: 1024, Ready: 2, Percent: 100 * 1400 / 2002.0,
		Hosts: []web.ReleaseHost{
			{Host: "uni-x/half", Bandwidth: 100, State: web.StatePartial, Held: 1, Directories: 2, Seen: now},
			{Host: "uni-x/bare", State: web.StateMissing, Directories: 2, Seen: now},
			{Host: "uni-x/new", Bandwidth: 500, State: web.StateUnknown, Directories: 2},
			{Host: "uni-x/de1", Country: "DE", State: web.StateUnknown, Directories: 2},
			{Host: "uni-x/full", Bandwidth: 900, State: web.StateReady, Held: 2, Directories: 2, Seen: now},
			{Host: "uni-x/cache", Bandwidth: 500, State: web.StateReady, Held: 2, Directories: 2},
		},
	}
	// of two that are equal, the one that was read first stands first
	byHost := cmpopts.SortSlices(func(x, y web.ReleaseHost) bool { return x.Host < y.Host })
	if diff := cmp.Diff(want, got, byHost, cmpopts.EquateApprox(0, 0.001)); diff != "" {
		t.Error(diff)
	}
	if got.Hosts[0].Host != "uni-x/half" || got.Hosts[5].State != web.StateReady {
		t.Errorf("in the order %+v", got.Hosts)
	}
	a.ask("root", "GET", "/v1/release-status?name=os-46", "").want(t, 404, "no release")
	a.ask("alice", "GET", "/v1/release-status?name=os-45", "").want(t, 403)
}

func TestAnnounce(t *testing.T) {
	a := startReleasing(t)
	a.ask("root", "POST", "/v1/actions/announce", `{"release":"os-45"}`).want(t, 202, `"kind":"announce","key":"os-45"`)
	a.ask("root", "POST", "/v1/actions/announce", `{"release":"os-46"}`).want(t, 422, "no release has the name")
	a.ask("alice", "POST", "/v1/actions/announce", `{"release":"os-45"}`).want(t, 403)
}

func TestMoveToRelease(t *testing.T) {
	a := startReleasing(t)
	ask := func(more string, status int, contains ...string) {
		t.Helper()
		a.ask("root", "POST", "/v1/actions/release-move", `{"category":"os","version":"44"`+more+`}`).want(t, status, contains...)
	}
	path := func(arch, want string) {
		t.Helper()
		a.ask("root", "GET", "/v1/repository/os-44+"+arch, "").want(t, 200, `"path":"`+want+`"`)
	}
	ask(`,"dry_run":true`, 200, `"done":false`, `"to":"pub/os/releases/44/x86_64","category":"os","held_by":2`, "does not have pub/os/releases/44/riscv64")
	ask("", 422, "os-44+riscv64", "does not have pub/os/releases/44/riscv64")
	path("x86_64", "pub/os/development/44/x86_64")
	ask(`,"partial":true`, 200, `"done":true`)
	path("x86_64", "pub/os/releases/44/x86_64")
	path("riscv64", "pub/os/development/44/riscv64")
	ask(`,"partial":true`, 422)
	ask(`,"releases":"../x"`, 422, "want a directory")
	a.ask("root", "POST", "/v1/actions/release-move", `{"category":"os","version":"50"}`).want(t, 422, "no repository")
	a.ask("alice", "POST", "/v1/actions/release-move", `{"category":"os","version":"44"}`).want(t, 403)
}

func TestMoveToArchive(t *testing.T) {
	a := startReleasing(t)
	const doc = `{"category":"os","version":"30","archive":"archive"`
	a.ask("root", "POST", "/v1/actions/release-archive", doc+`,"dry_run":true}`).want(t, 200, `"done":false`, `"held_by":1`)
	a.ask("root", "POST", "/v1/actions/release-archive", doc+`}`).want(t, 200, `"done":true`)
	a.ask("root", "GET", "/v1/repository/os-30+x86_64", "").want(t, 200, `"path":"pub/archive/os/releases/30/x86_64","category":"archive"`)
	a.ask("root", "POST", "/v1/actions/release-archive", `{"category":"os","version":"30","archive":"os"}`).want(t, 422, "another category")
	a.ask("root", "POST", "/v1/actions/release-archive", `{"category":"os","version":"30","archive":"staff"}`).want(t, 409, "scan it first")
}

// TestMoveNeedsMirrors: nobody is sent where no mirror holds anything, unless
// that is wanted.
func TestMoveNeedsMirrors(t *testing.T) {
	a := startReleasing(t)
	for _, host := range []string{"full", "half", "off"} {
		if err := a.store.PutListing(t.Context(), &registry.Listing{Host: "uni-x/" + host, Category: "archive"}); err != nil {
			t.Fatal(err)
		}
	}
	const doc = `{"category":"os","version":"30","archive":"archive"`
	a.ask("root", "POST", "/v1/actions/release-archive", doc+`}`).want(t, 422, "no public mirror holds pub/archive/os/releases/30/x86_64 yet")
	a.ask("root", "POST", "/v1/actions/release-archive", doc+`,"force":true}`).want(t, 200, `"done":true`)
}

// TestMoveCountsPublicMirrors: where clients are not sent, nothing is there for
// them. A look at what would be moved numbers no directory that is not there.
func TestMoveCountsPublicMirrors(t *testing.T) {
	a := startReleasing(t)
	held := func(want int) {
		t.Helper()
		var got web.Moves
		a.ask("root", "POST", "/v1/actions/release-move", `{"category":"os","version":"44","dry_run":true}`).want(t, 200).into(t, &got)
		if m := got.Moves[1]; m.Repository != "os-44+x86_64" || m.HeldBy != want {
			t.Errorf("want %d mirrors, got %+v", want, m)
		}
	}
	number := func(path string) uint32 {
		t.Helper()
		numbers, err := a.store.Numbers(t.Context(), []string{path})
		if err != nil {
			t.Fatal(err)
		}
		return numbers[0]
	}
	before := number("one")
	held(2)
	if after := number("two"); after != before+1 {
		t.Errorf("%d directories have got numbers", after-before-1)
	}
	a.ask("root", "PATCH", "/v1/host/uni-x/full", `{"private":true}`).want(t, 200)
	held(1)
	a.ask("root", "PATCH", "/v1/host/uni-x/cache", `{"country":"KP"}`).want(t, 200)
	held(1)
	a.ask("root", "PATCH", "/v1/override/kp", `{"country":"KP","embargoed":true}`).want(t, 201)
	held(0)
}

func TestExpireMetadata(t *testing.T) {
	a := startReleasing(t)
	note := func(path string, versions int) {
		t.Helper()
		for i := range versions {
			hashes := registry.Hashes{}
			hashes[snapshot.SHA256] = make([]byte, 32)
			hashes[snapshot.SHA256][0] = byte(i)
			err := a.store.NoteFile(t.Context(), path, registry.File{Size: 1, Hashes: &hashes}, now.Add(time.Duration(i-9)*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, arch := range []string{"x86_64", "riscv64"} {
		note("pub/os/development/44/"+arch+"/repodata/repomd.xml", 4)
	}
	note("pub/os/releases/30/x86_64/repodata/repomd.xml", 4)
	for _, tt := range []struct {
		doc    string
		status int
		want   string
	}{
		{`{"target":"os-44+x86_64","keep":2}`, 200, `{"paths":["pub/os/development/44/x86_64"],"forgotten":1}`},
		{`{"target":"os-44"}`, 200, `"forgotten":5}`},
		{`{"target":"/pub/os/releases/30/"}`, 200, `{"paths":["pub/os/releases/30"],"forgotten":3}`},
		{`{"target":"/"}`, 200, `"forgotten":0}`},
		{`{"target":"os-50"}`, 422, "want a repository"},
		{`{"target":""}`, 422, "want a repository"},
		{`{"target":"/","keep":-1}`, 422, "keep"},
	} {
		a.ask("root", "POST", "/v1/actions/expire-metadata", tt.doc).want(t, tt.status, tt.want)
	}
	a.ask("alice", "POST", "/v1/actions/expire-metadata", `{"target":"/"}`).want(t, 403)
	events, err := a.store.Audit(t.Context(), store.EventFilter{Kind: "file"})
	if err != nil || len(events) != 4 || events[0].Who != "user root" && events[0].Who != "root" {
		t.Errorf("%d lines of the audit log, %v: %+v", len(events), err, events)
	}
}
