package crawl_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

func ExamplePlan_Next() {
	p := crawl.Plan{Every: 6 * time.Hour, Most: 48 * time.Hour}
	last := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, failures := range []int{0, 1, 3, 100} {
		fmt.Println(failures, p.Next(last, failures, 0.5).Sub(last))
	}
	// Output:
	// 0 6h0m0s
	// 1 12h0m0s
	// 3 48h0m0s
	// 100 48h0m0s
}

func TestNextJitter(t *testing.T) {
	p := crawl.Plan{Every: time.Hour, Jitter: 0.1}
	rng := rand.New(rand.NewPCG(1, 1))
	var sum time.Duration
	for range 10_000 {
		d := p.Next(epoch, 0, rng.Float64()).Sub(epoch)
		if d < 54*time.Minute || d > 66*time.Minute {
			t.Fatal(d)
		}
		sum += d
	}
	if mean := sum / 10_000; mean < 3580*time.Second || mean > 3620*time.Second {
		t.Errorf("mean %s", mean)
	}
	if due := p.Next(time.Time{}, 3, 0.9); !due.IsZero() {
		t.Errorf("a host that was never crawled is due at %s", due)
	}
}

func TestDecide(t *testing.T) {
	tests := []struct {
		name     string
		history  string // o ok, c a good canary, f failed, t timed out, e empty, i interrupted, x opted out
		disabled bool
		disable  bool
		enable   bool
		inARow   int
	}{
		{"nothing", "", false, false, false, 0},
		{"three", "offf", false, false, false, 3},
		{"four", "offff", false, true, false, 4},
		{"four of all kinds, and what says nothing", "ofxtiefi", false, true, false, 4},
		{"one good between", "ffofff", false, false, false, 3},
		{"a canary counts for one that is listed", "ffcff", false, false, false, 2},
		{"back", "ffffo", true, false, true, 0},
		{"a canary does not bring it back", "ffffc", true, false, false, 4},
		{"nor does what says nothing", "ffffi", true, false, false, 4},
		{"still bad", "offfff", true, false, false, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var past []crawl.Past
			for _, c := range tt.history {
				p := crawl.Past{At: epoch, Outcome: map[rune]crawl.Outcome{
					'o': crawl.OK, 'c': crawl.OK, 'f': crawl.Failed,
					't': crawl.TimedOut, 'e': crawl.Empty, 'i': crawl.Interrupted, 'x': crawl.OptedOut,
				}[c], Reason: "no route"}
				if c == 'c' {
					p.Mode = crawl.Canary
				}
				past = append(past, p)
			}
			d := crawl.Decide(past, 0, tt.disabled)
			if d.Disable != tt.disable || d.Enable != tt.enable || d.InARow != tt.inARow {
				t.Errorf("%+v", d)
			}
			if tt.disable && !strings.Contains(d.Reason, "no route") {
				t.Errorf("reason %q", d.Reason)
			}
		})
	}
}

func TestAges(t *testing.T) {
	at := func(hours int) snapshot.Version {
		return snapshot.Version{MTime: epoch.Add(-time.Duration(hours) * time.Hour).Unix()}
	}
	f, other := registry.FileRef{Directory: 3, Name: "repomd.xml"}, registry.FileRef{Directory: 4, Name: "repomd.xml"}
	seen := []crawl.Sighting{
		{File: f, Current: true, Older: -1},
		{File: f, Older: 0},
		{File: f, Older: 1},
		{File: f, Older: 2},
		{File: f, Older: 3},
		{File: f, Older: -1},
		{File: f, Older: 99},
		{File: other, Current: true},
	}
	got := crawl.Ages([]snapshot.Version{at(0), at(24), at(25), at(72), at(73)}, f, seen, 10)
	if diff := cmp.Diff(crawl.Propagation{SameDay: 2, OneDay: 1, TwoDays: 1, Older: 3, Unknown: 3}, got); diff != "" {
		t.Error(diff)
	}
}

// slowMerge says of one directory what Merge says of all.
func slowMerge(before, now registry.Listing, d uint32) (holds, unknown bool) {
	switch {
	case !now.Unknown.Has(d):
		return now.Holds.Has(d), false
	case before.Seen.IsZero() || before.Unknown.Has(d):
		return false, true
	}
	return before.Holds.Has(d), false
}

func TestMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	random := func() (l registry.Listing) {
		l.Seen = map[bool]time.Time{true: epoch}[rng.IntN(5) > 0]
		for d := range uint32(rng.IntN(300)) {
			switch rng.IntN(3) {
			case 0:
				l.Holds.Add(d)
			case 1:
				l.Unknown.Add(d)
			}
			if rng.IntN(3) == 0 {
				l.Lacks = append(l.Lacks, registry.FileRef{Directory: d, Name: "f"})
			}
		}
		return l
	}
	for range 500 {
		before, now := random(), random()
		got := crawl.Merge(before, now)
		for d := range uint32(320) {
			holds, unknown := slowMerge(before, now, d)
			if got.Holds.Has(d) != holds || got.Unknown.Has(d) != unknown {
				t.Fatalf("directory %d: %v, %v, want %v, %v", d, got.Holds.Has(d), got.Unknown.Has(d), holds, unknown)
			}
		}
		for _, r := range got.Lacks {
			if from := map[bool]*registry.Listing{true: &before, false: &now}[now.Unknown.Has(r.Directory)]; !slices.Contains(from.Lacks, r) && !slices.Contains(now.Lacks, r) {
				t.Fatalf("%v", r)
			}
		}
	}
}

// TestUpdate: what somebody else added during a crawl stays, what is gone from
// the tree does not.
func TestUpdate(t *testing.T) {
	listing := func(holds, unknown []uint32) (l registry.Listing) {
		l.Seen = epoch
		for _, d := range holds {
			l.Holds.Add(d)
		}
		for _, d := range unknown {
			l.Unknown.Add(d)
		}
		return l
	}
	numbers := []uint32{1, 2, 3, 4}
	previous := listing([]uint32{1, 2, 5}, nil)
	newest := listing([]uint32{1, 2, 3, 5, 200}, nil) // 3, under embargo, and 200, which is new, were added
	now := listing([]uint32{1}, []uint32{3, 4})
	got := crawl.Update(previous, newest, now, numbers)
	for d, want := range map[uint32]bool{1: true, 2: false, 3: true, 4: false, 5: false, 200: true} {
		if got.Holds.Has(d) != want || got.Unknown.Has(d) {
			t.Errorf("directory %d: %v, want %v; unknown %v", d, got.Holds.Has(d), want, got.Unknown.Has(d))
		}
	}
}
