package history_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/scan/history"
	"github.com/waypost/waypost/edge/snapshot"
)

const day = 24 * time.Hour

func now() time.Time { return time.Unix(1_800_000_000, 0) }

// version returns the version that was made so many days ago.
func version(days float64) history.Version {
	v := history.Version{Timestamp: now().Add(-time.Duration(days * float64(day))).Unix()}
	v.Hashes[snapshot.SHA256] = fmt.Appendf(nil, "%032.3f", days)
	return v
}

func days(h history.History) []float64 {
	out := []float64{}
	for _, v := range h {
		out = append(out, now().Sub(time.Unix(v.Timestamp, 0)).Hours()/24)
	}
	return out
}

func ExampleAge() {
	var h history.History
	for _, d := range []float64{9, 6, 3.5, 1} { // a scan a version
		h = history.Add(h, version(d))
	}
	fmt.Println(days(history.Age(h, now(), history.Rules{})))
	// Output: [1 3.5]
}

func TestAge(t *testing.T) {
	tests := []struct {
		name  string
		in    []float64
		rules history.Rules
		want  []float64
	}{
		{"nothing", nil, history.Rules{}, []float64{}},
		{"one, old", []float64{100}, history.Rules{}, []float64{100}},
		{"the one before is kept while the new one spreads", []float64{1, 50, 60}, history.Rules{}, []float64{1, 50}},
		{"and then not", []float64{3.1, 50}, history.Rules{}, []float64{3.1}},
		{"but while it is young", []float64{3.1, 3.9, 4.1}, history.Rules{}, []float64{3.1, 3.9}},
		{"all that is young", []float64{0, 1, 2, 3, 4, 5}, history.Rules{}, []float64{0, 1, 2, 3, 4}},
		{"at most so many", []float64{0, 1, 2, 3}, history.Rules{MaxVersions: 3}, []float64{0, 1, 2}},
		{"rules of one's own", []float64{1, 2, 3}, history.Rules{MaxPropagation: day / 2, MaxStale: 2 * day}, []float64{1, 2}},
		{"a roll-back", []float64{5, 1, 6}, history.Rules{}, []float64{5, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h history.History
			for _, d := range tt.in {
				h = append(h, version(d))
			}
			if diff := cmp.Diff(tt.want, days(history.Age(h, now(), tt.rules))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAdd(t *testing.T) {
	first := version(5)
	first.Seen = 17
	h := history.Add(history.Add(nil, first), version(3))
	again := version(5)
	again.Seen = 99
	h = history.Add(h, again) // the master went back
	if diff := cmp.Diff([]float64{5, 3}, days(h)); diff != "" || h[0].Seen != 99 {
		t.Errorf("%s, seen %d, want 99", diff, h[0].Seen)
	}
	again.Seen = 100 // and stays there
	if h = history.Add(h, again); len(h) != 2 || h[0].Seen != 99 {
		t.Errorf("%v, seen %d, want 99", days(h), h[0].Seen)
	}
}

func TestSame(t *testing.T) {
	a, b := version(1).Version, version(1).Version
	b.Hashes[snapshot.MD5] = []byte{1}
	if !history.Same(a, b) {
		t.Error("one more hash makes a difference")
	}
	a.Hashes[snapshot.MD5] = []byte{2}
	if history.Same(a, b) {
		t.Error("another hash makes no difference")
	}
	if history.Same(a, snapshot.Version{}) || !history.Same(snapshot.Version{}, snapshot.Version{}) {
		t.Error("without hashes, size and time count, and only there")
	}
}

// TestAgeTwin compares Age with MirrorManager's loop, written down as it is:
// sort, choose where candidates start, delete what is too old.
func TestAgeTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var h history.History
		at := 0.0
		for range 1 + r.IntN(6) {
			at += r.Float64() * 3
			h = append(h, version(at))
		}
		start := 2
		if at0 := days(h)[0]; at0 > 3 {
			start = 1
		}
		want := []float64{}
		for i, d := range days(h) {
			if i < start || d <= 4 {
				want = append(want, d)
			}
		}
		if diff := cmp.Diff(want, days(history.Age(h, now(), history.Rules{}))); diff != "" {
			t.Fatalf("%v: %s", days(h), diff)
		}
	}
}
