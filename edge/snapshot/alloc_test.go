//go:build !race

package snapshot_test

import (
	"math/rand/v2"
	"testing"

	"github.com/waypost/waypost/edge/snapshot"
)

// The request path looks files up for every query.
func TestAllocs(t *testing.T) {
	files, _ := randomFiles(rand.New(rand.NewPCG(1, 4)), 10, 1000)
	name := append([]byte(nil), files.Name(5)...)
	var has snapshot.Bitmap
	has.Add(1000)
	tests := map[string]func(){
		"Find": func() {
			for dir := range uint32(10) {
				files.Find(dir, name)
			}
		},
		"Versions and hashes": func() {
			for v, end := files.Versions(5); v < end; v++ {
				files.Size(v)
				files.MTime(v)
				files.Hash(v, snapshot.SHA512)
			}
		},
		"Lacks":      func() { files.Lacks(5) },
		"Older":      func() { files.Older(5); files.OlderVersion(5, name) },
		"Bitmap.Has": func() { has.Has(1000) },
	}
	for name, f := range tests {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}
