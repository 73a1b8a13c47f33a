package index

import (
	"math/rand/v2"
	"testing"
)

// TestTranspose compares it with the definition.
func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 50 {
		var square, want [64]uint64
		for i := range square {
			square[i] = r.Uint64() & r.Uint64()
			for k := range want {
				want[k] |= square[i] >> k & 1 << i
			}
		}
		if transpose(&square); square != want {
			t.Fatalf("got %x, want %x", square, want)
		}
	}
}
