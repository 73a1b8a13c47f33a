package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/snapshot"
)

func ExampleSnapshot_NextLift() {
	s := snapshot.Snapshot{Embargoes: []snapshot.Embargo{{Path: "b", LiftAt: time.Unix(20, 0)}, {Path: "a", LiftAt: time.Unix(10, 0)}}}
	for _, now := range []int64{0, 10, 20} {
		next, ok := s.NextLift(time.Unix(now, 0))
		fmt.Println(now, max(next.Unix(), 0), ok)
	}
	// Output:
	// 0 10 true
	// 10 20 true
	// 20 0 false
}

// What an appender is given in order is what a builder makes of any order.
func TestAppenderAgainstBuilder(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		dirs := 1 + rng.IntN(20)
		files, _ := randomFiles(rng, dirs, rng.IntN(100))
		var a snapshot.FileAppender
		a.Grow(rng.IntN(100))
		for dir := range uint32(dirs) {
			if from, to := files.In(dir); from == to && rng.IntN(2) == 0 {
				continue
			}
			if err := a.Copy(dir, &files, dir); err != nil {
				t.Fatal(err)
			}
		}
		got := a.Files(dirs)
		got = got.WithHoles(files.Holes())
		if diff := cmp.Diff(slow(&files, dirs), slow(&got, dirs), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		checkFind(t, &got, dirs)
	}
}

func TestAppenderErrors(t *testing.T) {
	tests := []struct {
		name string
		do   func(*snapshot.FileAppender) error
	}{
		{"directories descend", func(a *snapshot.FileAppender) error { return a.Directory(1) }},
		{"a directory twice", func(a *snapshot.FileAppender) error { return a.Directory(2) }},
		{"a name twice", func(a *snapshot.FileAppender) error { return a.File([]byte("b")) }},
		{"names descend", func(a *snapshot.FileAppender) error { return a.File([]byte("a")) }},
		{"hash too short", func(a *snapshot.FileAppender) error { return a.Version(1, 1, 1, []byte("short")) }},
	}
	for _, tt := range tests {
		var a snapshot.FileAppender
		if err := a.Directory(2); err != nil {
			t.Fatal(err)
		}
		if err := a.File([]byte("b")); err != nil {
			t.Fatal(err)
		}
		if err := tt.do(&a); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}
