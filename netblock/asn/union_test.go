package asn_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
)

// slowUnion is the obvious union.
func slowUnion(slots []map[netip.Prefix]uint32) map[netip.Prefix]uint32 {
	out := map[netip.Prefix]uint32{}
	for _, slot := range slots {
		for p, v := range slot {
			if out[p] == 0 {
				out[p] = v
			}
		}
	}
	return out
}

func tableOf(rows map[netip.Prefix]uint32) *netblock.Table {
	return netblock.FromSeq(func(yield func(netblock.Entry) bool) {
		for p, v := range rows {
			if !yield(netblock.Entry{Prefix: p, Value: v}) {
				return
			}
		}
	})
}

// TestUnionEqualsSlow changes sources at random, by changes and whole.
func TestUnionEqualsSlow(t *testing.T) {
	const sources = 3
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		u := asn.NewUnion(sources)
		slots := make([]map[netip.Prefix]uint32, sources)
		for i := range slots {
			slots[i] = map[netip.Prefix]uint32{}
		}
		var seen *netblock.Table // the union made of the changes alone
		for range 20 {
			i := r.IntN(sources)
			var changes []netblock.Change
			for range r.IntN(6) {
				c := netblock.Change{
					Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.IntN(8)), 0, 0, 0}), 8),
					Value:  uint32(r.IntN(3)), Delete: r.IntN(3) == 0,
				}
				if c.Delete {
					delete(slots[i], c.Prefix)
				} else {
					slots[i][c.Prefix] = c.Value
				}
				changes = append(changes, c)
			}
			if r.IntN(5) == 0 {
				slots[i], changes = map[netip.Prefix]uint32{}, nil
			}
			if r.IntN(2) == 0 {
				changes = nil
			}
			if said := u.Set(i, tableOf(slots[i]), changes); said != nil {
				seen = seen.With(said)
			} else {
				seen = u.Table()
			}
			want := slowUnion(slots)
			if diff := cmp.Diff(want, maps.Collect(u.Table().All()), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Fatalf("seed %d: union (-want +got):\n%s", seed, diff)
			}
			if d := netblock.Diff(seen, u.Table()); len(d) != 0 {
				t.Fatalf("seed %d: the changes leave out %v", seed, d)
			}
		}
	}
}
