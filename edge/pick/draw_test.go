package pick

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// TestExponential measures the polynomial against math.Log.
func TestExponential(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	check := func(x uint64) {
		zeros := bits.LeadingZeros64(x | 1)
		u := math.Ldexp(float64(max(x, 1)<<zeros>>40), -24-zeros)
		want := -math.Log(u)
		got := float64(exponential(x))
		if got <= 0 || math.IsInf(got, 0) || math.IsNaN(got) {
			t.Fatalf("exponential(%#x) = %v, want %v", x, got, want)
		}
		worst = max(worst, math.Abs(got/want-1))
	}
	for i := range 64 { // every exponent, and the ends of its range
		for _, x := range []uint64{0, 1 << i, 1<<i - 1, 1<<i + 1, math.MaxUint64 >> i, ^uint64(0) << i} {
			check(x)
		}
	}
	for range 1_000_000 {
		check(r.Uint64())
	}
	t.Logf("largest relative error %.3g", worst)
	if worst > 5e-5 {
		t.Errorf("largest relative error %g, want 5e-5 at most", worst)
	}
}

// TestExponentialFalls checks that the pieces of the polynomial join: a larger
// x never has a larger key.
func TestExponentialFalls(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1_000_000 {
		x := r.Uint64() >> r.IntN(40)
		y := x + r.Uint64()>>r.IntN(64)
		if r.IntN(4) == 0 { // around a power of two
			x = 1 << (1 + r.IntN(63))
			y, x = x, x-1
		}
		if y > x && exponential(y) > exponential(x) {
			t.Fatalf("exponential(%#x) = %v < exponential(%#x) = %v", x, exponential(x), y, exponential(y))
		}
	}
}

// TestMix looks at what a draw relies on: one bit changed in a word changes
// every bit of its hash half the time.
func TestMix(t *testing.T) {
	for bit := range 64 {
		flips := [64]int{}
		r := rand.New(rand.NewPCG(5, uint64(bit)))
		for range 1000 {
			x := r.Uint64()
			d := mix(x) ^ mix(x^1<<bit)
			for i := range flips {
				flips[i] += int(d >> i & 1)
			}
		}
		for i, n := range flips {
			if n < 400 || n > 600 {
				t.Errorf("flipping bit %d flips bit %d in %d of 1000 words", bit, i, n)
			}
		}
	}
}

// TestSortFirst compares with a full sort.
func TestSortFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20_000 {
		keys := make([]uint64, r.IntN(40))
		for i := range keys {
			keys[i] = r.Uint64N(30) // with equal ones
		}
		n := 1 + r.IntN(12)
		want := slices.Sorted(slices.Values(keys))
		got := slices.Clone(keys)
		sortFirst(got, n)
		if k := min(n, len(keys)); !slices.Equal(got[:k], want[:k]) {
			t.Fatalf("sortFirst(%v, %d) = %v, want %v first", keys, n, got, want[:k])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("sortFirst(%v, %d) lost keys: %v", keys, n, got)
		}
	}
}

func TestStickySeed(t *testing.T) {
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"one /24", "192.0.2.0", "192.0.2.255", true},
		{"next /24", "192.0.2.255", "192.0.3.0", false},
		{"far /24", "192.0.2.1", "193.0.2.1", false},
		{"one /48", "2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", true},
		{"next /48", "2001:db8:1:ffff::", "2001:db8:2::", false},
		{"far /48", "2001:db8:1::", "3001:db8:1::", false},
		{"families", "0.0.1.0", "0:0:1::", false},
		{"the lowest of each", "0.0.0.0", "::", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, category := range []uint64{0, 1, math.MaxUint64, 0x9e3779b97f4a7c15} {
				a := StickySeed(netip.MustParseAddr(tt.a), category)
				b := StickySeed(netip.MustParseAddr(tt.b), category)
				if (a == b) != tt.same {
					t.Errorf("category %#x: seeds of %s and %s are %#x and %#x", category, tt.a, tt.b, a, b)
				}
			}
		})
	}
	if a := netip.MustParseAddr("192.0.2.1"); StickySeed(a, 1) == StickySeed(a, 2) {
		t.Error("two categories share their draws")
	}
}

func BenchmarkExponential(b *testing.B) {
	x, sum := uint64(1), float32(0)
	for b.Loop() {
		x = mix(x + 1)
		sum += exponential(x)
	}
}
