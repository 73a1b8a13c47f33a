package bgp

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestRIBEqualsSlow announces and withdraws at random, folds now and then, and
// compares with a map.
func TestRIBEqualsSlow(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		fast, slow := newRIB(0), said{}
		for range r.IntN(300) {
			f := r.IntN(families)
			k := key(5<<56 | uint64(r.IntN(8))<<48 | 16)
			if f == familyV6 {
				k = key(0x2a<<56 | uint64(r.IntN(8))<<32 | 32)
			}
			if r.IntN(3) == 0 {
				fast.withdraw(f, k)
				delete(slow, k.prefix(f))
			} else {
				origin := r.Uint32N(5)
				fast.announce(f, k, origin)
				slow.announce(f, k, origin)
			}
			if r.IntN(100) == 0 {
				fast.fold()
			}
		}
		fast.fold()
		got, want := maps.Collect(fast.table.All()), map[netip.Prefix]uint32{}
		for p, origin := range slow {
			want[p] = uint32(origin)
		}
		if !maps.Equal(want, got) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}
