package netblock_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/netblock"
)

func newUniverse(seed uint64) universe { return universe{rand.New(rand.NewPCG(seed, 2))} }

// checkMap compares m with its twin at every probe.
func checkMap(t *testing.T, u universe, m *netblock.Map, s *slow) {
	t.Helper()
	for _, a := range u.probes(s) {
		class, bits := m.Lookup(a)
		tuple, wantBits := s.lookup(a)
		if got := m.Tuple(class); got != tuple || bits != wantBits {
			t.Fatalf("Lookup(%v) = %v, %d bits; want %v, %d bits\nlayers: %v", a, got, bits, tuple, wantBits, s.layers)
		}
	}
}

func TestLookupEqualsSlow(t *testing.T) {
	for seed := range uint64(200) {
		u := newUniverse(seed)
		s := newSlow(u, 1+int(seed)%12)
		checkMap(t, u, netblock.Compile(s.config()), s)
	}
}

// TestWithEqualsCompile makes changes step by step and compares with the twin,
// which knows nothing of steps.
func TestWithEqualsCompile(t *testing.T) {
	for seed := range uint64(60) {
		u := newUniverse(seed)
		s := newSlow(u, 8)
		cfg := s.config()
		m := netblock.Compile(cfg)
		for range 6 {
			layer, old := u.IntN(netblock.Layers), m
			changes := s.change(u, layer)
			before := tuples(old)
			cfg.Layers[layer].Table = cfg.Layers[layer].Table.With(changes)
			m = m.With(layer, cfg.Layers[layer].Table, changes)
			checkMap(t, u, m, s)
			if diff := cmp.Diff(before, tuples(m)[:len(before)]); diff != "" {
				t.Fatalf("classes renumbered:\n%s", diff)
			}
			if diff := cmp.Diff(before, tuples(old)); diff != "" {
				t.Fatalf("the old map changed:\n%s", diff)
			}
		}
	}
}

func tuples(m *netblock.Map) (out []netblock.Tuple) {
	for c := range m.Classes() {
		out = append(out, m.Tuple(netblock.Class(c)))
	}
	return out
}

// change draws changes to a layer and makes them in the twin.
func (s *slow) change(u universe, layer int) []netblock.Change {
	var out []netblock.Change
	for range 1 + u.IntN(4) {
		c := netblock.Change{Prefix: u.prefix(), Value: uint32(u.IntN(6)), Delete: u.IntN(3) == 0}
		if rows := s.layers[layer]; len(rows) > 0 && u.IntN(2) == 0 {
			c.Prefix = rows[u.IntN(len(rows))].Prefix
		}
		out = append(out, c)
		var kept []netblock.Entry
		for _, e := range s.layers[layer] {
			if canonical(e.Prefix) != canonical(c.Prefix) {
				kept = append(kept, e)
			}
		}
		if !c.Delete {
			kept = append(kept, netblock.Entry{Prefix: c.Prefix, Value: c.Value})
		}
		s.layers[layer] = kept
	}
	return out
}

// TestPrefixesAreDisjoint walks from each returned prefix to the next: they
// tile the whole family without overlap, and each address of a prefix, tried
// at its ends, gives the same one.
func TestPrefixesAreDisjoint(t *testing.T) {
	for seed := range uint64(50) {
		u := newUniverse(seed)
		m := netblock.Compile(newSlow(u, 12).config())
		for _, a := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			for a.IsValid() {
				class, bits := m.Lookup(a)
				p := netip.PrefixFrom(a, bits)
				if p.Masked() != p {
					t.Fatalf("seed %d: %v overlaps the prefix before it", seed, p)
				}
				last := lastOf(p)
				if c, n := m.Lookup(last); c != class || n != bits {
					t.Fatalf("seed %d: %v has class %d, its last address class %d and %d bits", seed, p, class, c, n)
				}
				if a = last.Next(); a.Is4In6() {
					a = lastOf(mappedBlock).Next()
				}
			}
		}
	}
}
