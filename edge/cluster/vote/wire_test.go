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
		{Name: "h", On: true, Counter: 7, Author: "edge1", Left: time.Minute},
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
	if n := len(m.Append(nil)); n > 45 {
		t.Errorf("one report takes %d bytes", n)
	}
	if n := len(sample(3000).Append(nil)); n > 3000*24 {
		t.Errorf("3000 reports take %d bytes", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add((&vote.Message{}).Append(nil))
	f.Add(sample(9).Append(nil))
	f.Add((&vote.Message{Drains: []vote.Drain{{Name: "h", On: true, Left: time.Hour}}}).Append(nil))
	f.Add([]byte{1, 255, 255, 255, 255, 15}) // many hosts that are not there
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
