package netblock_test

import (
	"net/netip"
	"testing"

	"github.com/waypost/waypost/netblock"
)

// FuzzLookup reads rows out of bytes: layer and family, length, value, then an
// address of 4 or 16 bytes.
func FuzzLookup(f *testing.F) {
	f.Add([]byte{0, 8, 1, 10, 0, 0, 0, 1, 9, 2, 10, 128, 0, 0}, []byte{10, 200, 0, 1})                                    // nested, two layers
	f.Add([]byte{0, 32, 1, 0, 0, 0, 0, 0, 32, 1, 255, 255, 255, 255}, []byte{255, 255, 255, 255})                         // both ends
	f.Add([]byte{4, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 16))                  // ::/0 around ::ffff:0:0/96
	f.Add([]byte{4, 120, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 9}, []byte{10, 0, 0, 1})                    // v4-mapped
	f.Add([]byte{4, 128, 1, 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, append([]byte{32}, make([]byte, 15)...)) // all depths
	f.Fuzz(func(t *testing.T, table, probe []byte) {
		s := newSlow(newUniverse(0), 0)
		for n := 0; len(table) >= 7 && n < 12; n++ {
			layer, size := table[0]%netblock.Layers, 4
			if table[0]&4 != 0 {
				size = 16
			}
			if len(table) < 3+size {
				break
			}
			a, _ := netip.AddrFromSlice(table[3 : 3+size])
			p := netip.PrefixFrom(a, int(table[1])%(8*size+1))
			s.layers[layer] = append(s.layers[layer], netblock.Entry{Prefix: p, Value: uint32(table[2] % 6)})
			table = table[3+size:]
		}
		u := newUniverse(1)
		m := netblock.Compile(s.config())
		checkMap(t, u, m, s)
		if a, ok := netip.AddrFromSlice(probe); ok {
			checkAt(t, m, s, a)
		}
		next := s.config().Layers[1].Table
		changes := s.change(u, 1)
		checkMap(t, u, m.With(1, next.With(changes), changes), s)
	})
}
