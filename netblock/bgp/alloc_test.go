//go:build !race

package bgp

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// drop takes updates and keeps nothing.
type drop struct{ n int }

func (d *drop) announce(int, key, uint32) { d.n++ }
func (d *drop) withdraw(int, key)         { d.n++ }

func TestUpdateAllocatesNothing(t *testing.T) {
	body := slowMessage(t, []string{"5.9.0.0/16"}, []string{"5.1.0.0/16", "5.2.0.0/24"}, append(attrsOf(seq(1, 2), set(3)), mp6("2a00:1::/32"))...)
	var u update
	var d drop
	if n := testing.AllocsPerRun(100, func() {
		if u.parse(body, false, 1) != nil {
			t.Error("a good update is refused")
		}
		u.apply(&d, both)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkHowLongDoesAnUpdateTake reads messages as they come from a full
// table: four prefixes with one path.
func BenchmarkHowLongDoesAnUpdateTake(b *testing.B) {
	body := slowMessage(b, nil, []string{"5.1.0.0/16", "5.2.0.0/24", "5.3.0.0/22", "5.4.4.0/24"}, attrsOf(seq(3320, 1299, 2914, 680))...)
	var u update
	var d drop
	b.ReportAllocs()
	for b.Loop() {
		if u.parse(body, false, 1) != nil {
			b.Fatal("a good update is refused")
		}
		u.apply(&d, both)
	}
}

// BenchmarkHowLongDoesAnImportTake makes a table of 1.2 million prefixes of
// messages with eight each.
func BenchmarkHowLongDoesAnImportTake(b *testing.B) {
	const prefixes = 1_200_000
	r := rand.New(rand.NewPCG(1, 2))
	var bodies [][]byte
	for range prefixes / 8 {
		var list []string
		for range 8 {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + r.IntN(80)), byte(r.IntN(256)), byte(r.IntN(256))}), 24).String())
		}
		if len(bodies) < 1000 {
			bodies = append(bodies, slowMessage(b, nil, list, attrsOf(seq(3320, 1299, r.Uint32N(60000)+1))...))
			continue
		}
		body := slices.Clone(bodies[len(bodies)%1000])
		for i := len(body) - 32; i < len(body); i += 4 {
			body[i+1], body[i+2], body[i+3] = byte(11+r.IntN(80)), byte(r.IntN(256)), byte(r.IntN(256))
		}
		bodies = append(bodies, body)
	}
	b.ReportAllocs()
	for b.Loop() {
		rib := newRIB(0)
		var u update
		for _, body := range bodies {
			if u.parse(body, false, 1) != nil {
				b.Fatal("a good update is refused")
			}
			u.apply(rib, both)
		}
		rib.fold()
		b.ReportMetric(float64(rib.table.Len()), "prefixes")
	}
}
