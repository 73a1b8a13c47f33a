package index_test

import (
	"testing"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// What is under embargo is not there: not by its path, not below it, not as a
// repository, and no host holds it. At the lift, all of it is.
func TestEmbargo(t *testing.T) {
	lift := time.Unix(1_800_000_000, 0)
	s := &snapshot.Snapshot{
		Categories: []snapshot.Category{{Name: "os", Path: "pub/os"}},
		Hosts:      []snapshot.Host{{Name: "a"}},
		Embargoes:  []snapshot.Embargo{{Path: "pub/os/44", LiftAt: lift}, {Path: "pub/os/45", LiftAt: lift}},
		Repositories: []snapshot.Repository{
			{Name: "os-43", Arch: "x86_64", Path: "pub/os/43"}, {Name: "os-44", Arch: "x86_64", Path: "pub/os/44/x"},
		},
	}
	for i, path := range []string{"pub/os", "pub/os/43", "pub/os/44", "pub/os/44/x", "pub/os/44b"} {
		s.Directories = append(s.Directories, snapshot.Directory{Path: path})
		s.Hosts[0].Has.Add(uint32(i))
	}
	tests := []struct {
		path   string
		before bool
	}{
		{"pub/os", true},
		{"pub/os/f", true},
		{"pub/os/43/f", true},
		{"pub/os/44", false},
		{"pub/os/44/f", false},
		{"pub/os/44/x/y/f", false},
		{"pub/os/44b", true},
		{"pub/os/44b/f", true},
		{"pub/os/45", false}, // not listed: its parent is
		{"pub/os/45/f", false},
		{"pub/os/4", true},
	}
	for now, lifted := range map[time.Time]bool{lift.Add(-1): false, lift: true} {
		ix := index.Compile(index.Inputs{Snapshot: s, Now: now})
		for _, tt := range tests {
			if _, ok := ix.Find([]byte(tt.path)); ok != (lifted || tt.before) {
				t.Errorf("lifted %t: Find(%q) is %t", lifted, tt.path, ok)
			}
		}
		for dir := range uint32(len(s.Directories)) {
			want := lifted || dir != 2 && dir != 3
			_, found := ix.FindDirectory([]byte(s.Directories[dir].Path))
			if got := ix.Holders(dir).Has(0); got != want || found != want || ix.Embargoed(dir) == want {
				t.Errorf("lifted %t: %s is held: %t, found: %t", lifted, s.Directories[dir].Path, got, found)
			}
		}
		var repos []string
		ix.Repositories(func(r *snapshot.Repository) { repos = append(repos, r.Name) })
		if _, ok := ix.RepositoryNumber("os-44", "x86_64"); ok != lifted || len(repos) == 2 != lifted {
			t.Errorf("lifted %t: os-44 is %t, repositories are %v", lifted, ok, repos)
		}
	}
}
