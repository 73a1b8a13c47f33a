package vote_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
)

func sample(n int) *vote.Message {
	r := rand.New(rand.NewPCG(1, 5))
	m := &vote.Message{}
	for i := range n {
		v := vote.Version{Incarnation: uint64(i % 3), Counter: uint64(r.IntN(1000))}
		m.Reports = append(m.Reports, vote.Report{Observer: fmt.Sprint("edge", i%3), Host: fmt.Sprintf("mirror%d.example.org", i/3), Version: v, Sights: sights(v)})
	}
	slices.SortFunc(m.Reports, func(a, b vote.Report) int { return strings.Compare(a.Observer+" "+a.Host, b.Observer+" "+b.Host) })
	return m
}

func TestWire(t *testing.T) {
	m := sample(100)
	m.Reports[0].Host = ""
	m.Drains = []vote.Drain{
		{Name: "h", On: true, Counter: 7, Author: "edge1", Left: time.Minute, Kept: time.Hour},
		{Name: "edge2", Edge: true, Counter: 1, Author: "edge1", Left: vote.MaxDrain},
	}
	b := m.Append(nil)
	got, err := vote.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	for n := range b {
		if _, err = vote.Parse(b[:n]); err == nil {
			t.Errorf("%d bytes of %d are a message too", n, len(b))
		}
	}
}

// TestWireSize guards what package documentation says of sizes.
func TestWireSize(t *testing.T) {
	m := vote.Message{Reports: []vote.Report{{
		Observer: "edge123", Host: "mirror1.example.org", Version: vote.Version{Incarnation: 3, Counter: 1000},
		Sights: vote.Sights{{State: vote.Good, RoundTrip: 40}, {State: vote.Failing, RoundTrip: 3000}},
	}}}
	if n := len(m.Append(nil)); n > 46 {
		t.Errorf("one report takes %d bytes", n)
	}
	if n := len(sample(3000).Append(nil)); n > 3000*24 {
		t.Errorf("3000 reports take %d bytes", n)
	}
}

// TestInvalid: what no edge can have said is left out, and the rest is taken;
// lives of one observer stay apart.
func TestInvalid(t *testing.T) {
	report := func(incarnation, counter uint64, s vote.State) vote.Report {
		return vote.Report{Observer: "x", Host: fmt.Sprint("h", counter), Version: vote.Version{Incarnation: incarnation, Counter: counter}, Sights: vote.Sights{{State: s}}}
	}
	m := vote.Message{
		Reports: []vote.Report{report(1, 1, vote.Good), report(1, 2, 6), report(1, 1<<63, vote.Good), report(2, 1, vote.Blind), report(1<<62, 5, vote.Good)},
		Drains:  []vote.Drain{{Name: "h", Counter: 1 << 62}, {Name: "i", Counter: 1}},
	}
	got, err := vote.Parse(m.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &vote.Message{Reports: []vote.Report{m.Reports[0], m.Reports[3]}, Drains: m.Drains[1:]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPack fills messages at random: none is longer than it may be, nor much shorter.
func TestPack(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 8))
		limit := 20 + r.IntN(3000)
		p := vote.NewPack(limit)
		reports, drains := 0, 0
		for room := true; room; {
			v := vote.Version{Incarnation: uint64(r.IntN(300)), Counter: r.Uint64N(1 << r.IntN(60))}
			host := strings.Repeat("h", r.IntN(30)) + fmt.Sprint(r.IntN(20))
			if r.IntN(10) == 0 {
				d := vote.Drain{Name: host, Author: "edge1", Counter: v.Counter, Left: time.Hour, Kept: time.Hour}
				if room = p.Drain(&d); room {
					drains++
				}
				continue
			}
			if room = p.Report(&vote.Report{Observer: fmt.Sprint("edge", r.IntN(9)), Host: host, Version: v, Sights: sights(v)}); room {
				reports++
			}
		}
		if len(p.Reports) != reports || len(p.Drains) != drains {
			t.Fatalf("%d reports, want %d; %d orders, want %d", len(p.Reports), reports, len(p.Drains), drains)
		}
		if n := len(p.Append(nil)); n > limit || n < limit*8/10-100 {
			t.Errorf("seed %d: %d bytes of %d", seed, n, limit)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add((&vote.Message{}).Append(nil))
	f.Add(sample(9).Append(nil))
	f.Add((&vote.Message{Drains: []vote.Drain{{Name: "h", On: true, Left: time.Hour}}}).Append(nil))
	f.Add([]byte{2, 255, 255, 255, 255, 15}) // many hosts that are not there
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := vote.Parse(b)
		if err != nil {
			return
		}
		book := vote.NewBook("self")
		for i := range m.Reports {
			book.Merge(&m.Reports[i])
		}
		again, err := vote.Parse(m.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Append(nil), m.Append(nil)) {
			t.Error("written again, it is another message")
		}
	})
}
