package hostset_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/hostset"
)

func Example() {
	holders, up := hostset.Make(450), hostset.Full(450)
	for _, h := range []uint32{3, 64, 449} {
		holders.Add(h)
	}
	up.Remove(64)
	holders.And(up)
	for h := holders.Next(0); h >= 0; h = holders.Next(h + 1) {
		fmt.Println(h)
	}
	// Output:
	// 3
	// 449
}

// of returns a set of size hosts with the given ones.
func of(size int, hosts ...uint32) hostset.Set {
	s := hostset.Make(size)
	for _, h := range hosts {
		s.Add(h)
	}
	return s
}

func members(s hostset.Set) []uint32 {
	var out []uint32
	s.Each(func(h uint32) { out = append(out, h) })
	return out
}

func TestOperations(t *testing.T) {
	tests := []struct {
		name string
		got  hostset.Set
		do   func(hostset.Set)
		want []uint32
	}{
		{"add twice", of(130, 5), func(s hostset.Set) { s.Add(5); s.Add(129) }, []uint32{5, 129}},
		{"remove what is there and what is not", of(130, 5, 64), func(s hostset.Set) { s.Remove(64); s.Remove(65) }, []uint32{5}},
		{"clear", of(130, 5, 64), hostset.Set.Clear, nil},
		{"copy", of(130, 5, 64), func(s hostset.Set) { s.Copy(of(130, 0, 128)) }, []uint32{0, 128}},
		{"or", of(130, 5), func(s hostset.Set) { s.Or(of(130, 5, 64, 127)) }, []uint32{5, 64, 127}},
		{"or nil", of(130, 5), func(s hostset.Set) { s.Or(nil) }, []uint32{5}},
		{"and", of(130, 5, 63, 64), func(s hostset.Set) { s.And(of(130, 63, 64, 65)) }, []uint32{63, 64}},
		{"and not", of(130, 5, 63, 64), func(s hostset.Set) { s.AndNot(of(130, 63, 65)) }, []uint32{5, 64}},
		{"and not nil", of(130, 5), func(s hostset.Set) { s.AndNot(nil) }, []uint32{5}},
		{"no hosts at all", of(0), hostset.Set.Clear, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.do(tt.got)
			if diff := cmp.Diff(tt.want, members(tt.got)); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for _, hosts := range []int{0, 1, 63, 64, 65, 127, 128, 129, 450} {
		full := hostset.Full(hosts)
		if got, want := len(full), (hosts+63)/64; got != want || hostset.Words(hosts) != want {
			t.Errorf("%d hosts: %d words, Words %d, want %d", hosts, got, hostset.Words(hosts), want)
		}
		if full.Len() != hosts || full.Empty() != (hosts == 0) || full.Has(uint32(hosts)) {
			t.Errorf("Full(%d) has %d hosts, Empty %v, Has(%d) %v", hosts, full.Len(), full.Empty(), hosts, full.Has(uint32(hosts)))
		}
		if full.Next(hosts) != -1 || full.Next(hosts+1000) != -1 {
			t.Errorf("Full(%d).Next beyond its end is not -1", hosts)
		}
	}
}

// twin is a set the obvious way.
type twin map[uint32]bool

func (w twin) sorted() []uint32 {
	var out []uint32
	for h, in := range w {
		if in {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out
}

// next returns the smallest member ≥ from.
func (w twin) next(from, size int) int {
	for h := from; h < size; h++ {
		if w[uint32(h)] {
			return h
		}
	}
	return -1
}

func random(r *rand.Rand, size int) (hostset.Set, twin) {
	s, w := hostset.Make(size), twin{}
	for range r.IntN(2*size + 1) {
		h := uint32(r.IntN(size))
		s.Add(h)
		w[h] = true
	}
	return s, w
}

// TestTwin compares every operation on random sets with a map's.
func TestTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		size := 1 + r.IntN(200)
		s, w := random(r, size)
		other, v := random(r, size)
		intersects := false
		for h := range uint32(size) {
			intersects = intersects || w[h] && v[h]
		}
		if got := s.Intersects(other); got != intersects {
			t.Fatalf("%v.Intersects(%v) = %v", w.sorted(), v.sorted(), got)
		}
		op := r.IntN(4)
		for h := range uint32(size) {
			switch op {
			case 0:
				w[h] = w[h] || v[h]
			case 1:
				w[h] = w[h] && v[h]
			case 2:
				w[h] = w[h] && !v[h]
			case 3:
				w[h] = v[h]
			}
		}
		[]func(hostset.Set, hostset.Set){hostset.Set.Or, hostset.Set.And, hostset.Set.AndNot, hostset.Set.Copy}[op](s, other)
		h := uint32(r.IntN(size))
		s.Remove(h)
		w[h] = false
		compare(t, s, w, size)
	}
}

func compare(t *testing.T, s hostset.Set, w twin, size int) {
	t.Helper()
	want := w.sorted()
	if got := members(s); !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
	if s.Len() != len(want) || s.Empty() != (len(want) == 0) {
		t.Fatalf("Len %d, Empty %v; members %v", s.Len(), s.Empty(), want)
	}
	for h := range size + 70 {
		if got := s.Has(uint32(h)); got != w[uint32(h)] {
			t.Fatalf("Has(%d) = %v; members %v", h, got, want)
		}
		if got := s.Next(h); got != w.next(h, size) {
			t.Fatalf("Next(%d) = %d, want %d; members %v", h, got, w.next(h, size), want)
		}
	}
}
