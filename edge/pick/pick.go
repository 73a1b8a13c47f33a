// Package pick puts matched hosts in order: bands first, then by weighted
// draw inside a band, down hosts left out.
//
//	p.Order(ix, &m, &pick.Query{Up: up, Seed: seed, Count: 6})
//	for _, h := range p.Hosts() { … }
//
// Every draw is one rule. Each host of a band gets a number u in (0,1) out of
// a hash of the seed and the host, and the key −ln(u)/weight; hosts are taken
// by rising keys. That is weighted sampling without replacement (Efraimidis
// and Spirakis, 2006, A-ES). With a new random seed for each query it is
// MirrorManager's weighted shuffle; with a seed made of the client's network
// and the category it is a weighted rendezvous hash (Thaler and Ravishankar,
// 1998): the same client meets the same mirrors in the same order, clients
// together spread by weight, and a host that comes or goes moves only its own
// clients. See [StickySeed].
//
// Order is pure, works in the memory of its [Picker], and allocates nothing
// once that has grown. It costs a few nanoseconds for each host of the bands
// that are needed to reach Count.
package pick

import (
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Query says what order is wanted.
type Query struct {
	Up    hostset.Set   // hosts that are up; nil: all
	Seed  uint64        // what the draws hang on
	Count int           // how many hosts are wanted; 0: all
	From  distance.From // the client's place, for the Nearest order; zero: unknown
	Order snapshot.Order
}

// A Picker holds hosts in order. The zero value is ready; it may be used again
// and again, by one goroutine at a time.
type Picker struct {
	hosts   []uint32
	bands   []snapshot.Band
	keys    []uint64
	live    []uint64
	allDown bool
	split   bool
}

// Hosts returns the hosts, the best first, good until the next Order.
func (p *Picker) Hosts() []uint32 { return p.hosts }

// Bands returns the band of each of Hosts.
func (p *Picker) Bands() []snapshot.Band { return p.bands }

// AllDown reports whether all hosts of the match's bands are down. Then Hosts
// has them all the same: better a host that may be down than none.
func (p *Picker) AllDown() bool { return p.allDown }

// Split reports whether a draw decided which hosts are among Count, or would
// decide it if all hosts were up: then other clients of the same class may
// get other hosts.
func (p *Picker) Split() bool { return p.split }

// Order puts the hosts of m in order.
func (p *Picker) Order(ix *index.Index, m *match.Match, q *Query) {
	p.hosts, p.bands = p.hosts[:0], p.bands[:0]
	p.findLive(m, q.Up)
	count := q.Count
	if count == 0 {
		count = math.MaxInt
	}
	p.split = splits(m, nil, count) || splits(m, p.live, count)
	for i := range m.Bands() {
		if len(p.hosts) >= count {
			return
		}
		p.band(ix, &m.Bands()[i], q, count-len(p.hosts))
	}
}

// findLive keeps the hosts of the bands that are up, or all if none is. A host
// that is eligible but in no band, because the policy has none for it or a
// list is long enough without it, does not count as one that is up.
func (p *Picker) findLive(m *match.Match, up hostset.Set) {
	p.live = slices.Grow(p.live[:0], len(m.Eligible()))[:len(m.Eligible())]
	live := hostset.Set(p.live)
	live.Clear()
	for i := range m.Bands() {
		live.Or(m.Bands()[i].Hosts)
	}
	p.allDown = up != nil && !live.Empty() && !live.Intersects(up)
	if up != nil && !p.allDown {
		live.And(up)
	}
}

// splits reports whether count ends inside a band.
func splits(m *match.Match, live hostset.Set, count int) bool {
	for _, b := range m.Bands() {
		n := 0
		for i, w := range b.Hosts {
			if live != nil {
				w &= live[i]
			}
			n += bits.OnesCount64(w)
		}
		if n > count {
			return true
		}
		if count -= n; count == 0 {
			return false
		}
	}
	return false
}

// Keys are sorted as one number each: the ring in the top byte, then the
// float32 key, whose bits sort like the number, then the host.
const hostBits = 24

// band appends the first count live hosts of a band.
func (p *Picker) band(ix *index.Index, b *match.Band, q *Query, count int) {
	p.keys = p.keys[:0]
	rings := q.Order == snapshot.Nearest && q.From.Known()
	for i, w := range b.Hosts {
		for w &= p.live[i]; w != 0; w &= w - 1 {
			n := uint32(i*64 + bits.TrailingZeros64(w))
			h := ix.Host(n)
			k := uint64(math.Float32bits(Key(q.Seed, h.Key, h.Inverse)))<<hostBits | uint64(n)
			if rings {
				ring, _ := q.From.Ring(n, h.Vec)
				k |= uint64(ring) << (hostBits + 32)
			}
			p.keys = append(p.keys, k)
		}
	}
	sortFirst(p.keys, count)
	for _, k := range p.keys[:min(count, len(p.keys))] {
		p.hosts = append(p.hosts, uint32(k&(1<<hostBits-1)))
		p.bands = append(p.bands, b.Kind)
	}
}

// sortFirst puts the n smallest keys first, in order.
func sortFirst(keys []uint64, n int) {
	if n > 8 || n >= len(keys) {
		slices.Sort(keys)
		return
	}
	slices.Sort(keys[:n])
	for i := n; i < len(keys); i++ {
		k := keys[i]
		if k >= keys[n-1] {
			continue
		}
		at := n - 1
		keys[i] = keys[at]
		for ; at > 0 && keys[at-1] > k; at-- {
			keys[at] = keys[at-1]
		}
		keys[at] = k
	}
}

// Key returns the key of a host for a seed: an exponentially distributed
// number with the rate 1/inverse, always the same for the same arguments.
func Key(seed, host uint64, inverse float32) float32 {
	return exponential(mix(seed^host)) * inverse
}

// mix is a bijective hash of a word: the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// exponential returns −ln(u) for u = x/2^64, cut to 24 binary digits and at
// least 2^-64. It is from 6e-8 to 45, and within 0.005 % of the true value.
//
// With u = m/2^k and m in [1,2), −ln(u) is (k−1)·ln 2 − ln(1−t/2), t = 2−m.
// The second term is t·q(t), and q a polynomial. As t is a factor of it, the
// error stays relative where u comes near 1, and the order of hosts with very
// different weights right.
func exponential(x uint64) float32 {
	zeros := bits.LeadingZeros64(x | 1)
	t := 2 - math.Float32frombits(uint32(x<<zeros<<1>>41)|0x3f800000)
	return float32(zeros)*math.Ln2 + t*(q0+t*(q1+t*(q2+t*(q3+t*q4))))
}

// The polynomial of degree 4 with the smallest relative error, 4.44e-5, from
// −ln(1−t/2)/t on [0,1], by the Remez algorithm.
const (
	q0 = 0.500022183
	q1 = 0.123945368
	q2 = 0.0494753247
	q3 = -0.00361377811
	q4 = 0.0232873309
)

// Prefix lengths that share one sticky draw.
const (
	StickyBits4 = 24
	StickyBits6 = 48
)

// StickySeed returns the seed that all clients of a's /24 or /48 share for a
// category.
func StickySeed(a netip.Addr, category uint64) uint64 {
	if a.Is4() {
		b := a.As4()
		return mix(category + uint64(b[0])<<16 + uint64(b[1])<<8 + uint64(b[2]) + 1)
	}
	b := a.As16()
	net := uint64(0)
	for _, octet := range b[:StickyBits6/8] {
		net = net<<8 | uint64(octet)
	}
	return mix(mix(category+1<<62) + net + 1)
}
