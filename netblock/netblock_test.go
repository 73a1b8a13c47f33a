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
		checkAt(t, m, s, a)
	}
}

func checkAt(t *testing.T, m *netblock.Map, s *slow, a netip.Addr) {
	t.Helper()
	class, bits := m.Lookup(a)
	tuple, wantBits := s.lookup(a)
	if got := m.Tuple(class); got != tuple || bits != wantBits {
		t.Fatalf("Lookup(%v) = %v, %d bits; want %v, %d bits\nlayers: %v", a, got, bits, tuple, wantBits, s.layers)
	}
}

func TestLookupEqualsSlow(t *testing.T) {
	for seed := range uint64(200) {
		u := newUniverse(seed)
		s := newSlow(u, 1+int(seed)%12)
		checkMap(t, u, netblock.Compile(s.config()), s)
		checkMap(t, u, netblock.Compile(compiled(s.config())), s)
	}
}

// TestWithEqualsCompile makes changes step by step and compares with the twin,
// which knows nothing of steps.
func TestWithEqualsCompile(t *testing.T) {
	for seed := range uint64(60) {
		u := newUniverse(seed)
		s := newSlow(u, 8)
		cfg := compiled(s.config())
		m := netblock.Compile(cfg)
		for range 6 {
			layer, old := u.IntN(netblock.Layers-1), m
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

// TestWithManyChanges has so many changes that everything is swept.
func TestWithManyChanges(t *testing.T) {
	u := newUniverse(1)
	s := newSlow(u, 8)
	cfg := s.config()
	m := netblock.Compile(cfg)
	changes := s.change(u, 1)
	cfg.Layers[1].Table = cfg.Layers[1].Table.With(changes)
	for len(changes) < 1<<16 {
		changes = append(changes, changes...)
	}
	m = m.With(1, cfg.Layers[1].Table, changes)
	checkMap(t, u, m, s)
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

// TestLargeBlocks fills one /16 with many ranges, evenly and crowded, so that
// blocks of all sizes are searched, and compares every address's value.
func TestLargeBlocks(t *testing.T) {
	for _, n := range []int{2, 4, 5, 16, 100, 5000, 1 << 16} {
		for _, within := range []int{n, 1 << 16} {
			u := newUniverse(uint64(n))
			want := make([]uint32, 1<<16)
			var rows []netblock.Entry
			for range n {
				a := u.IntN(min(max(within, 1), 1<<16))
				want[a] = uint32(1 + u.IntN(3))
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(a >> 8), byte(a)}), 32)
				rows = append(rows, netblock.Entry{Prefix: p, Value: want[a]})
			}
			m := netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{Table: netblock.NewTable(rows)}}})
			for a, v := range want {
				c, bits := m.Lookup(netip.AddrFrom4([4]byte{10, 9, byte(a >> 8), byte(a)}))
				if got := m.Tuple(c)[0]; got != v {
					t.Fatalf("%d ranges: address %d has %d, want %d", n, a, got, v)
				}
				if a%97 == 0 && bits != grown(want, a) { // growing is slow
					t.Fatalf("%d ranges: address %d has %d bits, want %d", n, a, bits, grown(want, a))
				}
			}
		}
	}
}

// grown grows the prefix around a in a universe of 65,536 addresses.
func grown(values []uint32, a int) int {
	bits := 32
	for bits > 16 {
		size := 1 << (33 - bits)
		first := a / size * size
		for _, v := range values[first : first+size] {
			if v != values[a] {
				return bits
			}
		}
		bits--
	}
	return bits
}

// TestWithSweepsOnlyWhatMatters counts blocks.
func TestWithSweepsOnlyWhatMatters(t *testing.T) {
	rows := parse("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "2001:db8:1::/48", "192.0.2.0/24")
	table := netblock.NewTable(rows)
	onlyOdd := func(v uint32) uint32 { return v % 2 * v }
	m := netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{}, {Table: table, Value: onlyOdd}}})
	if got, want := m.Rebuilt(), 2<<16; got != want {
		t.Errorf("Compile swept %d blocks, want %d", got, want)
	}
	tests := []struct {
		name   string
		prefix string
		value  uint32
		del    bool
		want   int
	}{
		{"same value", "192.0.2.0/24", 5, false, 0},
		{"two values that do not matter", "10.1.0.0/16", 40, false, 0},
		{"one that matters", "10.1.0.0/16", 7, false, 1},
		{"to what is around it", "10.1.0.0/16", 1, false, 1},
		{"a new prefix like what is around it", "10.5.0.0/24", 1, false, 0},
		{"a new prefix", "10.5.0.0/24", 3, false, 1},
		{"a prefix that is not there", "203.0.113.0/24", 0, true, 0},
		{"a prefix gone", "192.0.2.0/24", 0, true, 1},
		{"a short prefix", "10.0.0.0/8", 3, false, 256},
		{"v6", "2001:db8:1::/48", 9, false, 1},
		{"short v6", "2001:d00::/24", 9, false, 256},
		{"very short v6", "2000::/12", 9, false, 16},
		{"v4-mapped", "::ffff:192.0.2.0/120", 7, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes := []netblock.Change{{Prefix: netip.MustParsePrefix(tt.prefix), Value: tt.value, Delete: tt.del}}
			if got := m.With(1, table.With(changes), changes).Rebuilt(); got != tt.want {
				t.Errorf("%d blocks swept, want %d", got, tt.want)
			}
		})
	}
}

// TestManyClasses takes the interning table through its growth, and With
// through adding to a table that another Map reads.
func TestManyClasses(t *testing.T) {
	var rows []netblock.Entry
	for i := range 5000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		rows = append(rows, netblock.Entry{Prefix: p, Value: uint32(i + 1)})
	}
	table := netblock.NewTable(rows)
	m := netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{Table: table}}})
	changes := []netblock.Change{{Prefix: rows[7].Prefix, Value: 9999}}
	a, b := m.With(0, table.With(changes), changes), m.With(0, table.With(changes), changes)
	if got, want := m.Classes(), 5001; got != want {
		t.Errorf("%d classes, want %d", got, want)
	}
	for _, next := range []*netblock.Map{a, b} {
		if got, want := next.Classes(), 5002; got != want {
			t.Errorf("after With %d classes, want %d", got, want)
		}
		if c, _ := next.Lookup(rows[7].Prefix.Addr()); next.Tuple(c)[0] != 9999 {
			t.Errorf("after With %v has %v", rows[7].Prefix, next.Tuple(c))
		}
	}
}

func TestStats(t *testing.T) {
	m := netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{Table: netblock.NewTable(parse("10.0.0.0/8", "2001:db8::/32"))}}})
	got := m.Stats()
	if got.Bytes < 512<<10 || got.Bytes > 1<<20 {
		t.Errorf("%d bytes, want the two tables of cells and little else", got.Bytes)
	}
	got.Bytes = 0
	// v6: before ::ffff:0:0/96, after it, 2001:db8::/32, after that.
	want := netblock.Stats{RangesV4: 3, RangesV6: 4, Classes: 3, Rebuilt: 2 << 16}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}
