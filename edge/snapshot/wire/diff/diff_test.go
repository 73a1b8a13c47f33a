package diff_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire/diff"
)

// network has the directories top, top/a, top/b with the files f, g, h each.
func network(change func(*snapshot.Snapshot, *snapshot.FileBuilder)) *snapshot.Snapshot {
	s := &snapshot.Snapshot{
		Version:    1,
		Categories: []snapshot.Category{{Name: "os", Path: "top"}},
		Hosts: []snapshot.Host{
			{Name: "x", Has: snapshot.Bitmap{7}, Mounts: []snapshot.Mount{{URLs: []string{"http://x"}}}},
			{Name: "y", Has: snapshot.Bitmap{1}},
		},
		Directories: []snapshot.Directory{{Path: "top"}, {Path: "top/a", Number: 1}, {Path: "top/b", Number: 2}},
	}
	var b snapshot.FileBuilder
	for dir := range uint32(3) {
		for _, name := range []string{"f", "g", "h"} {
			b.Add(dir, name, []snapshot.Version{{Size: 1}}, nil)
		}
	}
	if change != nil {
		s.Version = 2
		change(s, &b)
	}
	s.Files = b.Build(len(s.Directories))
	return s
}

func names(all ...string) diff.Names { return diff.Names{Count: len(all), First: all} }

func TestOf(t *testing.T) {
	tests := []struct {
		name   string
		change func(*snapshot.Snapshot, *snapshot.FileBuilder)
		want   diff.Difference
	}{
		{"nothing", func(*snapshot.Snapshot, *snapshot.FileBuilder) {}, diff.Difference{}},
		{"hosts", func(s *snapshot.Snapshot, _ *snapshot.FileBuilder) {
			s.Hosts[0].Down, s.Hosts[0].Mounts = true, nil
			s.Hosts[0].Has = snapshot.Bitmap{1}
			s.Hosts[1].Name = "z"
			slices.Reverse(s.Hosts)
		}, diff.Difference{
			HostsAdded: []string{"z"}, HostsRemoved: []string{"y"},
			HostsChanged: []diff.Host{{Name: "x", Fields: []string{"down", "urls"}, Lost: 2}},
		}},
		{"files", func(_ *snapshot.Snapshot, b *snapshot.FileBuilder) {
			b.Add(1, "ff", nil, nil)
			b.Add(1, "g", []snapshot.Version{{Size: 2}}, nil)
			b.Add(2, "h", nil, []uint32{0})
		}, diff.Difference{
			Files:        diff.Changes{Added: names("top/a/ff"), Changed: names("top/a/g")},
			HostsChanged: []diff.Host{{Name: "x", Missing: 1}},
		}},
		{"directories", func(s *snapshot.Snapshot, b *snapshot.FileBuilder) {
			s.Directories[1].Path = "top/aa"
			s.Directories[2].Complete = true
			s.Directories = append(s.Directories, snapshot.Directory{Path: "top/c", Number: 3})
			b.Add(3, "new", nil, nil)
			s.Hosts[1].Has = snapshot.Bitmap{15}
		}, diff.Difference{
			Directories: diff.Changes{Added: names("top/aa", "top/c"), Removed: names("top/a"), Changed: names("top/b")},
			Files: diff.Changes{
				Added: names("top/aa/f", "top/aa/g", "top/aa/h", "top/c/new"), Removed: names("top/a/f", "top/a/g", "top/a/h"),
			},
			HostsChanged: []diff.Host{{Name: "y", Gained: 1}},
		}},
		{"tables", func(s *snapshot.Snapshot, _ *snapshot.FileBuilder) {
			s.Categories[0].Origin = "http://o"
			s.Repositories = []snapshot.Repository{{Name: "r", Arch: "x", Path: "top"}}
			s.Disabled = map[string]bool{"d": true, "e": false}
			s.Embargoes = []snapshot.Embargo{{Path: "top/b", LiftAt: time.Unix(1, 0)}}
		}, diff.Difference{
			Categories: diff.Changes{Changed: names("os")}, Repositories: diff.Changes{Added: names("disabled d", "r+x")},
			Embargoes: diff.Changes{Added: names("top/b")},
		}},
	}
	for _, tt := range tests {
		tt.want.From, tt.want.To = 1, 2
		if d := cmp.Diff(&tt.want, diff.Of(network(nil), network(tt.change)), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// What hosts hold in an older version is a difference, too.
func TestOutdated(t *testing.T) {
	build := func(live ...byte) *snapshot.Snapshot { // host x holds version 1
		return network(func(_ *snapshot.Snapshot, b *snapshot.FileBuilder) {
			var versions []snapshot.Version
			for _, n := range live {
				v := snapshot.Version{Size: 1}
				v.Hashes[snapshot.SHA256] = bytes.Repeat([]byte{n}, 32)
				versions = append(versions, v)
			}
			b.Add(0, "repomd.xml", versions, []uint32{0})
		})
	}
	hold := func(s *snapshot.Snapshot) *snapshot.Snapshot {
		file, _ := s.Files.Find(0, []byte("repomd.xml"))
		if v, ok := s.Files.OlderVersion(file, bytes.Repeat([]byte{1}, 32)); ok {
			s.Files = s.Files.WithOlder(map[uint32][]snapshot.Holder{file: {{Host: 0, Version: v}}})
		}
		return s
	}
	for _, tt := range []struct {
		name string
		a, b *snapshot.Snapshot
		want int
	}{
		{"nothing", hold(build(2, 1)), hold(build(2, 1)), 0},
		{"it was seen with it", build(2, 1), hold(build(2, 1)), 1},
		{"it ages out", hold(build(2, 1)), hold(build(2)), 1},
		{"it has another place", hold(build(2, 1)), hold(build(3, 2, 1)), 0},
	} {
		got := 0
		for _, h := range diff.Of(tt.a, tt.b).HostsChanged {
			got += h.Outdated
		}
		if got != tt.want {
			t.Errorf("%s: %d files, want %d", tt.name, got, tt.want)
		}
	}
}

// The way back is the same with what came and went exchanged.
func TestOfIsSymmetric(t *testing.T) {
	for seed := range uint64(10) {
		a, b := synth.Snapshot(synth.Small(seed)), synth.Snapshot(synth.Small(seed+1))
		forth, back := diff.Of(a, b), diff.Of(b, a)
		turn := func(c diff.Changes) diff.Changes {
			return diff.Changes{Added: c.Removed, Removed: c.Added, Changed: c.Changed}
		}
		for name, pair := range map[string][2]diff.Changes{
			"directories": {forth.Directories, back.Directories}, "files": {forth.Files, back.Files},
			"repositories": {forth.Repositories, back.Repositories}, "overrides": {forth.Overrides, back.Overrides},
		} {
			if d := cmp.Diff(pair[0], turn(pair[1])); d != "" {
				t.Errorf("seed %d, %s:\n%s", seed, name, d)
			}
		}
		for i, h := range forth.HostsChanged {
			if r := back.HostsChanged[i]; r.Gained != h.Lost || r.Lost != h.Gained || r.Found != h.Missing || r.Missing != h.Found {
				t.Errorf("seed %d, host %s: %+v and back %+v", seed, h.Name, h, r)
			}
		}
		same := diff.Of(a, a)
		if d := cmp.Diff(&diff.Difference{From: a.Version, To: a.Version}, same); d != "" {
			t.Errorf("seed %d: a snapshot differs from itself:\n%s", seed, d)
		}
	}
}

func TestNamesAreFew(t *testing.T) {
	got := diff.Of(network(nil), network(func(_ *snapshot.Snapshot, b *snapshot.FileBuilder) {
		for i := range 3 * diff.Shown {
			b.Add(0, fmt.Sprintf("n%05d", i), nil, nil)
		}
	}))
	if n := got.Files.Added; n.Count != 3*diff.Shown || len(n.First) != diff.Shown {
		t.Errorf("%d names of %d", len(n.First), n.Count)
	}
}
