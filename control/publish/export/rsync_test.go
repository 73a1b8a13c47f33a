package export_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/control/registry"
)

func on() registry.Activity { return registry.Activity{AdminActive: true, UserActive: true} }

// pullers are hosts that pull from the master, and from one of them.
func pullers() *registry.World {
	host := func(name, upstream string, pulls ...string) *registry.Host {
		return &registry.Host{Name: name, Site: "x", Upstream: upstream, PullAddresses: pulls, State: registry.Approved, Activity: on()}
	}
	off := host("off", "", "198.51.100.66")
	off.UserActive = false
	private := host("private", "", "2001:db8::/48", "192.0.2.1")
	private.Private = true
	return registry.NewWorld(slices.Values([]registry.Object{
		&registry.Site{Name: "x", State: registry.Approved, Activity: on()},
		host("tier1", "", "192.0.2.1", "pull.example.org", "gone.example.org"),
		host("tier2", "x/tier1", "203.0.113.0/24", "198.51.100.1-198.51.100.2"),
		off, private,
	}))
}

func resolve(name string) ([]netip.Addr, error) {
	if name == "pull.example.org" {
		return []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.9"), netip.MustParseAddr("2001:db8:9::9")}, nil
	}
	return nil, errors.New("no such name")
}

func TestRsyncACL(t *testing.T) {
	tests := []struct{ name, upstream, want string }{
		{"master", "", "hosts allow = \\\n    192.0.2.1/32 \\\n    192.0.2.9/32 \\\n    2001:db8::/48 \\\n    2001:db8:9::9/128\nhosts deny = *\n"},
		{"tier", "x/tier1", "hosts allow = \\\n    198.51.100.1/32 \\\n    198.51.100.2/32 \\\n    203.0.113.0/24\nhosts deny = *\n"},
		{"nobody", "x/tier2", "hosts deny = *\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, notes := export.RsyncACL(pullers(), tt.upstream, resolve)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if want := tt.upstream == ""; want != slices.Equal(notes, []string{"host x/tier1: pull address gone.example.org: no such name"}) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// A real rsync daemon lets in whom the list names, and nobody else.
func TestRsyncACLByRsync(t *testing.T) {
	needs.Program(t, "rsync", "rsync")
	world := func(pulls ...string) *registry.World {
		return registry.NewWorld(slices.Values([]registry.Object{
			&registry.Site{Name: "x", State: registry.Approved, Activity: on()},
			&registry.Host{Name: "h", Site: "x", State: registry.Approved, Activity: on(), PullAddresses: pulls},
		}))
	}
	for _, tt := range []struct {
		name  string
		pulls []string
		want  bool
	}{
		{"listed", []string{"2001:db8::1", "127.0.0.1"}, true},
		{"others", []string{"192.0.2.0/24", "2001:db8::/32"}, false},
		{"nobody", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			acl, _ := export.RsyncACL(world(tt.pulls...), "", resolve)
			if out, err := rsyncList(t, acl); (err == nil) != tt.want {
				t.Errorf("rsync: %v\n%s\nwith\n%s", err, out, acl)
			}
		})
	}
}

// rsyncList lists a module of a daemon that serves one connection with the ACL.
func rsyncList(t *testing.T, acl string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "rsyncd.conf")
	text := "use chroot = no\nlog file = " + dir + "/log\n[m]\npath = " + dir + "\n" + acl
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, accepted := l.Accept()
		if accepted != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if file, fileErr := conn.(*net.TCPConn).File(); fileErr == nil {
			daemon := exec.CommandContext(context.WithoutCancel(t.Context()), "rsync", "--daemon", "--no-detach", "--config="+config)
			daemon.Stdin, daemon.Stdout = file, file
			_ = daemon.Run() // the client's exit says whether it let us in
			_ = file.Close()
		}
	}()
	out, err := exec.CommandContext(t.Context(), "rsync", "--timeout=10", "rsync://"+l.Addr().String()+"/m/").CombinedOutput()
	return string(out), err
}

// filterTree has odd names, and files in each directory.
func filterTree() (*registry.World, []*registry.Tree) {
	world := registry.NewWorld(slices.Values([]registry.Object{&registry.Category{Name: "os", Path: "pub/os"}}))
	directory := func(path string, changed int64, readable bool) registry.Directory {
		return registry.Directory{Path: path, Changed: changed, Readable: readable}
	}
	return world, []*registry.Tree{{Category: "unknown"}, {Category: "os", Directories: []registry.Directory{
		directory("", 10, true), directory("new", 200, true), directory("new/old", 10, true), directory("new/old/new [1]*?\\", 200, true),
		directory("old", 10, true), directory("secret", 200, false), directory("at", 100, true), directory("old/b\\s", 200, true),
	}}}
}

func TestRsyncFilter(t *testing.T) {
	world, trees := filterTree()
	for strip, name := range map[string]string{"pub": "filter-pub.txt", "pub/os/new": "filter-new.txt", "elsewhere": "filter-none.txt"} {
		var b bytes.Buffer
		if err := export.RsyncFilter(&b, world, trees, 100, strip); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	broken := errors.New("disk full")
	if err := export.RsyncFilter(failing{broken}, world, trees, 100, ""); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// rsync itself transfers the files of changed directories and no others.
func TestRsyncFilterByRsync(t *testing.T) {
	needs.Program(t, "rsync", "rsync")
	world, trees := filterTree()
	from, to := filepath.Join(t.TempDir(), "pub"), t.TempDir()
	var want []string
	for _, d := range trees[1].Directories {
		folder := filepath.Join(from, "os", d.Path)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if d.Readable && d.Changed > 100 {
			want = append(want, filepath.Join("os", d.Path, "file"))
		}
	}
	filter := filepath.Join(t.TempDir(), "filter")
	f, err := os.Create(filter)
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(export.RsyncFilter(f, world, trees, 100, "pub"), f.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "rsync", "-r", "--exclude-from="+filter, from+"/", to+"/").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := exec.CommandContext(t.Context(), "find", to, "-type", "f", "-printf", "%P\\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Split(strings.TrimSpace(string(got)), "\n")
	slices.Sort(have)
	slices.Sort(want)
	if d := cmp.Diff(want, have); d != "" {
		t.Error(d)
	}
}
