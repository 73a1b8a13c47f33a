package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot"
)

func TestNumbers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		a, b := open(t, database, nil), open(t, database, nil)
		numbers := func(s *store.Store, paths ...string) []uint32 {
			n, err := s.Numbers(t.Context(), paths)
			must(t, err)
			return n
		}
		if diff := cmp.Diff([]uint32{1, 2, 1}, numbers(a, "pub/x", "pub/y", "pub/x")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]uint32{3, 2, 4}, numbers(b, "", "pub/y", "pub/Ä'\"")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]uint32{4, 5}, numbers(a, "pub/Ä'\"", "pub/z")); diff != "" {
			t.Error(diff)
		}
		for _, path := range []string{"\xff", "a\x00b", strings.Repeat("x", 2049)} {
			if _, err := a.Numbers(t.Context(), []string{"fine", path}); err == nil || store.ValidPath(path) {
				t.Errorf("%.10q has a number", path)
			}
		}
		if diff := cmp.Diff([]uint32{6}, numbers(a, strings.Repeat("x", 2048))); diff != "" {
			t.Error(diff)
		}
	})
}

// Processes that number the same directories at once agree, without gaps.
func TestNumbersOfTwoProcesses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		const n = 3000
		stores := []*store.Store{open(t, database, nil), open(t, database, nil), open(t, database, nil)}
		got := make([][]uint32, len(stores))
		var paths []string
		for i := range n {
			paths = append(paths, fmt.Sprint("pub/", i))
		}
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				var err error
				if _, err = s.Numbers(t.Context(), paths[i*100:]); err == nil {
					got[i], err = s.Numbers(t.Context(), paths)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		seen := map[uint32]bool{}
		for _, number := range got[0] {
			seen[number] = true
		}
		if len(seen) != n || seen[0] || !seen[n] || !cmp.Equal(got[0], got[1]) || !cmp.Equal(got[0], got[2]) {
			t.Errorf("%d numbers of %d directories; all agree: %v", len(seen), n, cmp.Equal(got[0], got[1]))
		}
	})
}

func TestTrees(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		if _, err := s.Tree(t.Context(), "os"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a tree of nothing: %v", err)
		}
		want := &registry.Tree{Category: "os", Scanned: c.now()}
		for i := range 30_000 { // more than one part
			sum := sha256.Sum256(fmt.Append(nil, i))
			hashes := &registry.Hashes{}
			hashes[snapshot.SHA256] = sum[:]
			want.Directories = append(want.Directories, registry.Directory{
				Path: fmt.Sprintf("%05d", i), Files: []registry.File{{Name: "f", Size: 1, Hashes: hashes}, {Name: "g\xff", Size: -1}},
			})
		}
		for _, tree := range []*registry.Tree{{Category: "os", Scanned: c.now().Add(-1)}, want, {Category: "empty"}} {
			must(t, s.PutTree(t.Context(), tree))
		}
		got, err := s.Tree(t.Context(), "os")
		must(t, err)
		if !reflect.DeepEqual(want, got) { // cmp would take 10 s
			t.Error("the tree is another one")
		}
		scans, err := s.Scans(t.Context())
		must(t, err)
		if diff := cmp.Diff(map[string]time.Time{"os": c.now(), "empty": {}}, scans); diff != "" {
			t.Error(diff)
		}
	})
}

func TestListings(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		apply(t, s, store.Put(site("s"), store.New), store.Put(host("s", "a"), store.New), store.Put(host("s", "b"), store.New),
			store.Put(&registry.Category{Name: "os", Path: "pub/os"}, store.New))
		list := func(host string, held uint32) *registry.Listing {
			l := &registry.Listing{Host: host, Category: "os", Seen: c.now()}
			l.Holds.Add(held)
			return l
		}
		must(t, s.PutListing(t.Context(), list("s/a", 1)))
		c.move(time.Hour)
		must(t, s.PutListing(t.Context(), list("s/b", 2)))
		must(t, s.PutListing(t.Context(), list("s/b", 3)))
		got, err := s.Listing(t.Context(), "s/b", "os")
		must(t, err)
		if diff := cmp.Diff(list("s/b", 3), got); diff != "" {
			t.Error(diff)
		}
		count := func(since time.Time) (n int) {
			must(t, s.Listings(t.Context(), since, func(*registry.Listing) error { n++; return nil }))
			return n
		}
		if all, fresh := count(time.Time{}), count(c.now()); all != 2 || fresh != 1 {
			t.Errorf("%d listings, %d of them fresh", all, fresh)
		}
		stop := errors.New("stop")
		if err = s.Listings(t.Context(), time.Time{}, func(*registry.Listing) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v, want the caller's error", err)
		}
		apply(t, s, store.Delete(registry.KindHost, "s/b", store.Any))
		if _, err = s.Listing(t.Context(), "s/b", "os"); !errors.Is(err, store.ErrNotFound) || count(time.Time{}) != 1 {
			t.Errorf("the listing of a host that is gone: %v", err)
		}
		apply(t, s, store.Delete(registry.KindCategory, "os", store.Any))
		if count(time.Time{}) != 0 {
			t.Error("listings of a category that is gone")
		}
	})
}

func TestHistory(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		version := func(text string) registry.File {
			sum := sha256.Sum256([]byte(text))
			return registry.File{Size: int64(len(text)), Changed: 7, Hashes: &registry.Hashes{snapshot.SHA256: sum[:]}}
		}
		note := func(path, text string) {
			must(t, s.NoteFile(t.Context(), path, version(text), c.now()))
			c.move(time.Hour)
		}
		start := c.now()
		for _, text := range []string{"one", "one", "two", "three", "two"} {
			note("pub/os/43/repomd.xml", text)
		}
		note("pub/os/43x/repomd.xml", "one")
		note("pub/os/43x/repomd.xml", "two")
		if err := s.NoteFile(t.Context(), "x", registry.File{}, start); err == nil {
			t.Error("a file without a hash has a version")
		}
		check := func(want map[string][]string) {
			t.Helper()
			history, err := s.History(t.Context())
			must(t, err)
			got := map[string][]string{}
			for path, versions := range history {
				for _, v := range versions {
					got[path] = append(got[path], fmt.Sprintf("%x %d +%d", v.Hashes[snapshot.SHA256][:2], v.Size, v.Since.Sub(start)/time.Hour))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		one, two, three := "7692 3", "3fc4 3", "8b5b 5"
		check(map[string][]string{
			"pub/os/43/repomd.xml": {two + " +4", three + " +3", one + " +0"}, "pub/os/43x/repomd.xml": {two + " +6", one + " +5"},
		})
		if n, err := s.AgeHistory(t.Context(), "", start.Add(3*time.Hour)); n != 1 || err != nil { // one was replaced by three at +3
			t.Errorf("%d versions forgotten: %v", n, err)
		}
		if n, err := s.AgeHistory(t.Context(), "pub/os/43", c.now()); n != 1 || err != nil {
			t.Errorf("%d versions expired: %v", n, err)
		}
		check(map[string][]string{"pub/os/43/repomd.xml": {two + " +4"}, "pub/os/43x/repomd.xml": {two + " +6", one + " +5"}})
	})
}

func TestManifests(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		if _, err := s.LastManifest(t.Context()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a manifest of nothing: %v", err)
		}
		lease, ok, err := s.Acquire(t.Context(), "publish", "a", time.Minute)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		var names []string
		for _, text := range []string{"one", "two", "two", "three", ""} {
			names = append(names, putSection(t, s, text))
		}
		for i, want := range map[int]string{1: "two", 4: ""} {
			data, problem := s.Section(t.Context(), names[i])
			if string(data) != want || problem != nil {
				t.Errorf("section %q, want %q, %v", data, want, problem)
			}
		}
		put := func(version uint64, sections ...string) error {
			return s.PutManifest(t.Context(), lease, store.Manifest{Version: version, Created: c.now(), Data: []byte{byte(version)}, Sections: sections})
		}
		must(t, put(5, names[0]))
		must(t, put(6, names[1], names[2]))
		if err = put(6, names[0]); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a version twice: %v", err)
		}
		if err = put(7, strings.Repeat("0", 64)); err == nil {
			t.Error("a manifest names a section that is not there")
		}
		last, err := s.LastManifest(t.Context())
		must(t, err)
		if diff := cmp.Diff(store.Manifest{Version: 6, Created: c.now(), Data: []byte{6}, Sections: names[1:2]}, last); diff != "" {
			t.Error(diff)
		}

		c.move(2 * time.Hour)
		putSection(t, s, "three") // somebody is about to name it
		must(t, s.PruneManifests(t.Context(), 1))
		list, err := s.Manifests(t.Context())
		must(t, err)
		if len(list) != 1 || list[0].Version != 6 {
			t.Errorf("manifests %+v", list)
		}
		for i, want := range []bool{0: false, 1: true, 3: true, 4: false} {
			if _, problem := s.Section(t.Context(), names[i]); i != 2 && (problem == nil) != want {
				t.Errorf("section %d: %v", i, problem)
			}
		}

		other, ok, err := s.Acquire(t.Context(), "publish", "b", time.Minute)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err = put(8, names[1]); !errors.Is(err, store.ErrLost) {
			t.Errorf("who lost the lease publishes: %v", err)
		}
		lease = other
		must(t, put(8, names[1]))
		must(t, s.PutManifest(t.Context(), lease, store.Manifest{Version: 9, Created: c.now(), Data: []byte("back"), RolledBackTo: 6}))
		if last, err = s.LastManifest(t.Context()); err != nil || last.RolledBackTo != 6 {
			t.Errorf("a roll-back is %+v, %v", last, err)
		}
	})
}

// putSection keeps a section and returns its name.
func putSection(t *testing.T, s *store.Store, text string) string {
	t.Helper()
	must(t, s.PutSections(t.Context(), []byte(text)))
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
}

func TestCounts(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		day := c.now().Truncate(store.Day)
		count := func(at time.Duration, name string, n int64) store.Count {
			return store.Count{At: day.Add(at), Category: "os", Dimension: "country", Name: name, Count: n}
		}
		add := func(source string, batch int64, counts ...store.Count) {
			must(t, s.AddCounts(t.Context(), source, batch, counts))
		}
		add("edge1", 1, count(90*time.Second, "DE", 3), count(time.Minute, "FR", 1))
		add("edge1", 1, count(90*time.Second, "DE", 3)) // sent again
		add("edge2", 1, count(time.Minute, "DE", 4))
		add("edge1", 2, count(time.Hour, "DE", 5), count(store.Day+time.Hour, "DE", 6))
		check := func(span time.Duration, want ...store.Count) {
			t.Helper()
			f := store.CountFilter{Span: span, Dimension: "country", From: day, To: day.Add(3 * store.Day)}
			got, err := s.Counts(t.Context(), f)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", span, diff)
			}
		}
		check(store.Minute, count(time.Minute, "DE", 7), count(time.Minute, "FR", 1), count(time.Hour, "DE", 5), count(store.Day+time.Hour, "DE", 6))
		sum := func(name string, n int64) store.Count { c := count(0, name, n); c.At = time.Time{}; return c }
		all := func() {
			t.Helper()
			check(store.Day, count(0, "DE", 12), count(0, "FR", 1), count(store.Day, "DE", 6))
			check(0, sum("DE", 18), sum("FR", 1))
		}
		all()
		must(t, s.AgeCounts(t.Context(), day.Add(store.Day+2*time.Hour), day))
		check(store.Minute, count(store.Day+time.Hour, "DE", 6))
		all()
		add("edge1", 3, count(time.Hour, "FR", 2)) // late
		must(t, s.AgeCounts(t.Context(), day.Add(store.Day+2*time.Hour), day))
		check(0, sum("DE", 18), sum("FR", 3))
		must(t, s.AgeCounts(t.Context(), day.Add(2*store.Day), day.Add(store.Day)))
		check(store.Day, count(store.Day, "DE", 6))
		for _, f := range []store.CountFilter{{Category: "os"}, {Category: "none"}, {Category: "os", Limit: 1}} {
			f.Dimension, f.From, f.To = "country", day, day.Add(3*store.Day)
			got, err := s.Counts(t.Context(), f)
			must(t, err)
			if want := f.Category == "os"; want != (len(got) == 1) {
				t.Errorf("%+v: %v", f, got)
			}
		}
	})
}
