package geo

import "math"

// Vec is a place as a unit vector from the centre of the earth, the form in
// which the query path compares places. The zero Vec means unknown: it is the
// only one without length 1.
type Vec [3]float32

// Vec returns the unit vector of p. It uses trigonometry; make it once.
func (p Point) Vec() Vec {
	sinLat, cosLat := math.Sincos(radians(p.Lat))
	sinLon, cosLon := math.Sincos(radians(p.Lon))
	return Vec{float32(cosLat * cosLon), float32(cosLat * sinLon), float32(sinLat)}
}

// Known reports whether v is a place.
func (v Vec) Known() bool { return v != Vec{} }

// Rings is the number of distance rings. They are numbered from 0; ring Rings
// itself stands for an unknown distance, and so sorts behind all others.
const Rings = 12

// The squared chord through a sphere of radius 1 at the outer bound of each
// ring: (2 sin(km / 2R))². TestRingBounds derives them again.
//
// Rings compare chords and not dot products, although the two say the same
// (chord² = 2 - 2·dot): around 100 km the dot product is 1 - 0.0001, where a
// float32 steps by 0.8 km, and by more below; the difference of two near vectors
// is exact, so that chord² keeps its 24 bits.
const (
	chord100   = 0.00024636254
	chord250   = 0.00153959992
	chord500   = 0.00615602931
	chord1000  = 0.0245862205
	chord1500  = 0.0551771169
	chord2000  = 0.0977403999
	chord3000  = 0.217663953
	chord4500  = 0.478494954
	chord6000  = 0.823278217
	chord9000  = 1.6850224
	chord12000 = 2.61532584
)

// Ring returns how far apart v and w are, in rings of
//
//	ring   0    1    2     3     4     5     6     7     8     9     10     11
//	to km  100  250  500   1000  1500  2000  3000  4500  6000  9000  12000  20040
//
// or [Rings] if either is unknown. Rings are coarse on purpose: places of
// addresses are not known better, and hosts in one ring then share the load by
// capacity. It uses no trigonometry, does not allocate and takes about 3 ns.
func (v Vec) Ring(w Vec) uint8 {
	if v == (Vec{}) || w == (Vec{}) {
		return Rings
	}
	return ringOf(v.Chord2(w))
}

// Chord2 returns the square of the chord between two known places, through a
// sphere of radius 1: what compares as distances do, without trigonometry.
func (v Vec) Chord2(w Vec) float32 {
	x, y, z := v[0]-w[0], v[1]-w[1], v[2]-w[2]
	return x*x + y*y + z*z
}

// Km returns the length in km of the great circle over a squared chord of
// [Vec.Chord2]. It takes some 20 ns.
func Km(chord2 float32) float32 {
	return float32(2 * earthRadius * math.Asin(math.Sqrt(float64(min(chord2/4, 1)))))
}

// ringOf finds the ring of a squared chord by halving: 4 comparisons at most.
func ringOf(chord2 float32) uint8 {
	if chord2 <= chord2000 {
		return nearRing(chord2)
	}
	switch {
	case chord2 <= chord4500:
		if chord2 <= chord3000 {
			return 6
		}
		return 7
	case chord2 <= chord9000:
		if chord2 <= chord6000 {
			return 8
		}
		return 9
	case chord2 <= chord12000:
		return 10
	}
	return 11
}

func nearRing(chord2 float32) uint8 {
	switch {
	case chord2 <= chord500:
		if chord2 <= chord100 {
			return 0
		}
		if chord2 <= chord250 {
			return 1
		}
		return 2
	case chord2 <= chord1000:
		return 3
	case chord2 <= chord1500:
		return 4
	}
	return 5
}

// RingBounds returns the distances in km between which ring lies, the lower one
// excluded: 0 and 0 for [Rings] and above, which are no distance.
func RingBounds(ring uint8) (above, upTo int) {
	switch {
	case ring == 0:
		return 0, outer(0)
	case ring < Rings:
		return outer(ring - 1), outer(ring)
	}
	return 0, 0
}

// RingOfKm returns the ring of a distance; whatever is further than the other
// side of the earth is in the last one.
func RingOfKm(km float32) uint8 {
	ring := uint8(0)
	for ring < Rings-1 && km > float32(outer(ring)) {
		ring++
	}
	return ring
}

// outer returns the outer bound of a ring in km.
func outer(ring uint8) int {
	return [Rings]int{100, 250, 500, 1000, 1500, 2000, 3000, 4500, 6000, 9000, 12000, 20040}[ring]
}
