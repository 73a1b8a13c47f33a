package snapshot_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waypost/waypost/edge/snapshot"
)

func TestBitmapAgainstMap(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		limit := 1 + rng.Uint32N(1000)
		var b snapshot.Bitmap
		want := map[uint32]bool{}
		for range rng.IntN(200) {
			n := rng.Uint32N(limit)
			b.Add(n)
			want[n] = true
		}
		for n := range limit + 200 {
			if b.Has(n) != want[n] {
				t.Fatalf("seed %d: Has(%d) = %v, want %v", seed, n, b.Has(n), want[n])
			}
		}
		if b.Has(1<<32 - 1) {
			t.Fatalf("seed %d: has a number far beyond it", seed)
		}
	}
}

func TestBandSet(t *testing.T) {
	s := snapshot.BandSet(1<<snapshot.BandASN | 1<<snapshot.BandEverywhere)
	for band := range snapshot.Bands {
		want := band == snapshot.BandASN || band == snapshot.BandEverywhere
		if s.Has(band) != want || !snapshot.AllBands.Has(band) || snapshot.BandSet(0).Has(band) {
			t.Errorf("band %d", band)
		}
	}
	if snapshot.AllBands.Has(snapshot.Bands) {
		t.Error("AllBands has more than the bands")
	}
}

func ExampleProblems() {
	var problems snapshot.Problems
	fmt.Println(problems.Err())
	problems = append(problems,
		snapshot.Problem{File: "catalog.yaml", Line: 12, Key: "hosts[1].asn", Text: "want a number"},
		snapshot.Problem{File: "cache.pb", Text: "want a MirrorList"})
	fmt.Println(problems.Err())
	// Output:
	// <nil>
	// catalog.yaml:12: hosts[1].asn: want a number
	// cache.pb: want a MirrorList
}

func TestProblemsAs(t *testing.T) {
	err := fmt.Errorf("loading: %w", snapshot.Problems{{File: "a", Text: "b"}}.Err())
	if problems, ok := errors.AsType[snapshot.Problems](err); !ok || len(problems) != 1 {
		t.Errorf("%v does not unwrap to Problems", err)
	}
}
