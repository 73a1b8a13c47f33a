// Package pick puts matched hosts in order: bands first, then by weighted
// draw inside a band, down hosts left out.
//
//	p.Order(ix, &m, &pick.Query{Up: up, Seed: seed, Count: 6})
//	for _, h := range p.Hosts() { … }
//
// Every draw is one rule. Each host of a band gets a number u in (0,1] out of
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

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A Query says what order is wanted.
type Query struct {
	Up    hostset.Set // hosts that are up; nil: all
	Seed  uint64      // what the draws hang on
	Count int         // how many hosts are wanted; 0: all
	From  geo.Vec     // the client's place, for the Nearest order; zero: unknown
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

// AllDown reports whether every eligible host is down. Then Hosts has them all
// the same: better a host that may be down than none.
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

// findLive keeps the eligible hosts that are up, or all if none is.
func (p *Picker) findLive(m *match.Match, up hostset.Set) {
	p.live = append(p.live[:0], m.Eligible()...)
	p.allDown = false
	if up == nil {
		return
	}
	hostset.Set(p.live).And(up)
	if hostset.Set(p.live).Empty() {
		copy(p.live, m.Eligible())
		p.allDown = !m.Eligible().Empty()
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
			n := uint32(i*64 + bits.TrailingZeros64(w)) //nolint:gosec // fewer than 2^24 hosts
			h := ix.Host(n)
			k := uint64(math.Float32bits(Key(q.Seed, h.Key, h.Inverse)))<<hostBits | uint64(n)
			if rings {
				k |= uint64(q.From.Ring(h.Vec)) << (hostBits + 32)
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

// exponential returns −ln(u) for u = (x+1)/2^64, at least 0, within 1e-4 of
// the true value: the exponent is exact, and ln of the mantissa in [1,2) is a
// polynomial fitted at Chebyshev points. math.Log takes three times as long.
func exponential(x uint64) float32 {
	zeros := bits.LeadingZeros64(x | 1)
	m := math.Float32frombits(uint32(x<<zeros<<1>>41) | 0x3f800000) //nolint:gosec // 23 bits
	m -= 1.5
	log := ln1 + m*(ln2+m*(ln3+m*(ln4+m*(ln5+m*ln6))))
	return max(float32(zeros+1)*math.Ln2-log, 0)
}

// The Taylor coefficients of ln(1.5+m) around m = 0, the last one adjusted.
const (
	ln1 = 0.405465108
	ln2 = 2.0 / 3
	ln3 = -2.0 / 9
	ln4 = 8.0 / 81
	ln5 = -4.0 / 81
	ln6 = 32.0 / 1215
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
