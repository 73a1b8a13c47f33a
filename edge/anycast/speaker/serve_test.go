package speaker

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestHangs has a loop that works for a while and then hangs.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := time.Now()
		ended, aborted := make(chan struct{}), make(chan time.Time, 1)
		works := last.Add(time.Minute)
		go watch(ended, func() *time.Time {
			if now := time.Now(); now.Before(works) {
				last = now
			}
			return &last
		}, func() { aborted <- time.Now() })
		if at := <-aborted; at.Sub(works) < hung || at.Sub(works) > hung+2*time.Second {
			t.Errorf("ended %s after it hung", at.Sub(works))
		}
		now := time.Now()
		go watch(ended, func() *time.Time { return &now }, func() { t.Error("aborted though it had ended") })
		close(ended)
		time.Sleep(time.Minute)
	})
}

// TestTrim has logs that are too large, and some that are not.
func TestTrim(t *testing.T) {
	trim(nil)
	for _, size := range []int64{MaxLog, MaxLog + 1} {
		f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err = f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		trim(f)
		if _, err = f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil || (info.Size() == 1) != (size > MaxLog) {
			t.Errorf("%d bytes of %d are left, %v", info.Size(), size, err)
		}
		_ = f.Close()
	}
}
