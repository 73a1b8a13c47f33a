package store_test

import (
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

func TestOldLetters(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		old := store.Letter{To: "a@example.org", ID: "1", At: c.now(), Data: "old"}
		c.move(time.Hour)
		young := store.Letter{To: "a@example.org", ID: "2", At: c.now(), Data: "young"}
		must(t, s.Post(t.Context(), []store.Letter{old, young}))
		must(t, s.PruneLetters(t.Context(), c.now()))
		letters, err := s.Letters(t.Context(), "a@example.org", 10)
		must(t, err)
		if len(letters) != 1 || letters[0].ID != "2" {
			t.Errorf("left are %+v", letters)
		}
	})
}

func TestOutbox(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		task := store.Task{Kind: "mail", Key: "a@example.org"}
		first := store.Letter{To: "a@example.org", ID: "1", At: c.now(), Data: "one"}
		second := store.Letter{To: "a@example.org", ID: "2", At: c.now().Add(time.Second), Data: "two\x00"}
		other := store.Letter{To: "b@example.org", ID: "1", At: c.now(), Data: "other"}
		must(t, s.Post(t.Context(), []store.Letter{second, first, other}, task))
		again := first
		again.Data = "one, posted again"
		must(t, s.Post(t.Context(), []store.Letter{again}, task))
		texts := func(limit int) (all string) {
			letters, err := s.Letters(t.Context(), "a@example.org", limit)
			must(t, err)
			for _, l := range letters {
				all += l.Data + ";"
			}
			return all
		}
		if got, want := texts(10), "one;two;"; got != want {
			t.Errorf("%q wait, want %q", got, want)
		}
		if got, want := texts(1), "one;"; got != want {
			t.Errorf("the first is %q, want %q", got, want)
		}
		jobs, err := s.Jobs(t.Context(), store.JobFilter{Kind: "mail"})
		must(t, err)
		if len(jobs) != 1 {
			t.Errorf("%d jobs, want 1", len(jobs))
		}
		must(t, s.DeleteLetters(t.Context(), []store.Letter{first}))
		if got, want := texts(10), "two;"; got != want {
			t.Errorf("%q wait, want %q", got, want)
		}
	})
}

func TestExpireHistory(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		for _, path := range []string{"pub/os/43/repomd.xml", "pub/os/43x/repomd.xml"} {
			for i := range 4 {
				hashes := registry.Hashes{}
				hashes[snapshot.SHA256] = make([]byte, 32)
				hashes[snapshot.SHA256][0] = byte(i)
				must(t, s.NoteFile(t.Context(), path, registry.File{Size: int64(i), Hashes: &hashes}, c.now().Add(time.Duration(i)*time.Hour)))
			}
		}
		change, err := s.LastChange(t.Context())
		must(t, err)
		for _, step := range []struct{ older, gone, left int }{{5, 0, 4}, {1, 2, 2}, {0, 1, 1}, {0, 0, 1}} {
			gone, problem := s.ExpireHistory(t.Context(), "user root", "pub/os/43", step.older)
			must(t, problem)
			history, problem := s.History(t.Context())
			must(t, problem)
			if left := history["pub/os/43/repomd.xml"]; gone != step.gone || len(left) != step.left || left[0].Size != 3 {
				t.Errorf("keeping %d: %d gone, %d left, the newest is %d", step.older, gone, len(left), left[0].Size)
			}
			if len(history["pub/os/43x/repomd.xml"]) != 4 {
				t.Errorf("another directory's file is touched")
			}
		}
		now, err := s.LastChange(t.Context())
		must(t, err)
		events, err := s.Audit(t.Context(), store.EventFilter{Kind: "file", Key: "pub/os/43/repomd.xml"})
		must(t, err)
		if now != change+2 || len(events) != 2 || events[0].Who != "user root" {
			t.Errorf("change %d after %d, events %+v", now, change, events)
		}
	})
}
