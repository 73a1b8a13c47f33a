package crawl

import (
	"testing"

	"github.com/waypost/waypost/control/registry"
)

// TestCandidates draws files of a host that holds only os: none comes twice, and
// they are as many as there are.
func TestCandidates(t *testing.T) {
	tree := &registry.Tree{Directories: []registry.Directory{
		{Path: "", Readable: true},
		{Path: "closed", Files: []registry.File{{Name: "secret"}}},
		{Path: "iso", Readable: true, Files: []registry.File{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}},
		{Path: "os", Readable: true, Files: []registry.File{{Name: "Release"}, {Name: "x"}}},
	}}
	metadata := pos{dir: 3, file: 0}
	for _, tt := range []struct {
		name string
		mode Mode
		held bool
		want int
	}{
		{"a canary asks for what the host held", Canary, true, 2},
		{"a canary without a former listing", Canary, false, 3},
		{"content is looked at", Full, true, 5},
	} {
		for seed := range uint64(50) {
			job := Job{Tree: tree, Mode: tt.mode, Seed: seed + 1}
			if tt.held {
				job.Previous.Holds.Add(3)
			}
			c := newCrawler(&job, Limits{}.withDefaults())
			refs := c.candidates(3)
			seen := map[pos]bool{}
			for _, ref := range refs {
				if seen[ref] || ref.dir == 1 {
					t.Errorf("%s, seed %d: %v has a file twice or one that is closed", tt.name, seed, refs)
				}
				seen[ref] = true
			}
			if len(refs) != tt.want || refs[0] != metadata {
				t.Errorf("%s, seed %d: %v, want %d files, the metadata first", tt.name, seed, refs, tt.want)
			}
			c.client.Close()
		}
	}
}
