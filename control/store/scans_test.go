package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

func TestScanStates(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		apply(t, s, store.Put(&registry.Category{Name: "os", Path: "pub/os"}, store.New))
		if _, err := s.ScanState(t.Context(), "os"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a state of nothing: %v", err)
		}
		must(t, s.PutScanState(t.Context(), "os", []byte("one")))
		must(t, s.PutScanState(t.Context(), "os", []byte("two")))
		must(t, s.PutTree(t.Context(), &registry.Tree{Category: "os", Scanned: c.now()}))
		if state, err := s.ScanState(t.Context(), "os"); err != nil || string(state) != "two" {
			t.Errorf("%q, %v", state, err)
		}
		for _, reason := range []string{"", "half is gone", "all is gone", "", "half is gone"} {
			must(t, s.HoldScan(t.Context(), "os", reason))
			want := map[string]string{}
			if reason != "" {
				want["os"] = reason
			}
			held, err := s.HeldScans(t.Context())
			must(t, err)
			if diff := cmp.Diff(want, held); diff != "" {
				t.Error(diff)
			}
		}
		apply(t, s, store.Delete(registry.KindCategory, "os", store.Any))
		held, err := s.HeldScans(t.Context())
		if _, gone := s.ScanState(t.Context(), "os"); len(held) > 0 || err != nil || !errors.Is(gone, store.ErrNotFound) {
			t.Errorf("a category that is gone has %v, %v, %v", held, err, gone)
		}
	})
}

// The same tree is in memory once, while somebody has it; a new one is told from it.
func TestSharedTrees(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		put := func(path string) {
			must(t, s.PutTree(t.Context(), &registry.Tree{Category: "os", Scanned: c.now(), Directories: []registry.Directory{{Path: path}}}))
		}
		get := func() *registry.Tree {
			tree, err := s.Tree(t.Context(), "os")
			must(t, err)
			return tree
		}
		put("a")
		one, two := get(), get()
		if one != two {
			t.Error("one tree is in memory twice")
		}
		put("b") // at the same time
		if got := get(); got.Directories[0].Path != "b" || one.Directories[0].Path != "a" {
			t.Errorf("%+v, want b", got.Directories)
		}
	})
}

func TestLimitHistory(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		for _, file := range []string{"pub/os/repomd.xml", "pub/osx/repomd.xml"} {
			for i := range 5 {
				hashes := &registry.Hashes{}
				hashes[snapshot.SHA256] = make([]byte, 32)
				hashes[snapshot.SHA256][0] = byte(i)
				must(t, s.NoteFile(t.Context(), file, registry.File{Size: int64(i), Hashes: hashes}, c.now().Add(time.Duration(i)*time.Hour)))
			}
		}
		must(t, s.LimitHistory(t.Context(), "pub/os", 2))
		history, err := s.History(t.Context())
		must(t, err)
		left := history["pub/os/repomd.xml"]
		if len(left) != 2 || left[0].Size != 4 || left[1].Size != 3 || len(history["pub/osx/repomd.xml"]) != 5 {
			t.Errorf("%+v", history)
		}
	})
}
