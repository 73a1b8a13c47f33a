package netblock_test

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/netblock"
)

var compare = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func entries(t *netblock.Table) (out []netblock.Entry) {
	for p, v := range t.All() {
		out = append(out, netblock.Entry{Prefix: p, Value: v})
	}
	return out
}

func parse(lines ...string) (out []netblock.Entry) {
	for i, s := range lines {
		out = append(out, netblock.Entry{Prefix: netip.MustParsePrefix(s), Value: uint32(i + 1)})
	}
	return out
}

func TestNewTable(t *testing.T) {
	tests := []struct {
		name     string
		in, want []netblock.Entry
	}{
		{"empty", nil, nil},
		{"host bits", parse("10.77.3.9/16"), parse("10.77.0.0/16")},
		{"sorted", parse("10.0.0.0/8", "10.0.0.0/9"), parse("10.0.0.0/8", "10.0.0.0/9")},
		{"v4 before v6", []netblock.Entry{parse("::/0")[0], parse("0.0.0.0/0")[0]}, []netblock.Entry{parse("0.0.0.0/0")[0], parse("::/0")[0]}},
		{"the last of equals", parse("10.0.0.0/8", "10.1.0.0/8", "9.0.0.0/8"), []netblock.Entry{
			{Prefix: netip.MustParsePrefix("9.0.0.0/8"), Value: 3}, {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: 2},
		}},
		{"the last of equals in order", parse("10.0.0.0/8", "10.1.0.0/8"), []netblock.Entry{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: 2}}},
		{"v4-mapped", parse("::ffff:10.1.2.3/104"), parse("10.0.0.0/8")},
		{"around v4-mapped", parse("::ffff:10.1.2.3/80"), parse("::/80")},
		{"invalid", []netblock.Entry{{Value: 7}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := netblock.NewTable(tt.in)
			if diff := cmp.Diff(tt.want, entries(got), compare); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if got.Len() != len(tt.want) {
				t.Errorf("Len() = %d, want %d", got.Len(), len(tt.want))
			}
		})
	}
}

func TestTableLookupEqualsSlow(t *testing.T) {
	for seed := range uint64(300) {
		u := newUniverse(seed)
		s := newSlow(u, 40)
		table := netblock.NewTable(s.layers[0])
		for _, a := range u.probes(s) {
			p, v, ok := table.Lookup(a)
			want, wantOK := longest(s.layers[0], a)
			if got := (netblock.Entry{Prefix: p, Value: v}); got != want || ok != wantOK {
				t.Fatalf("Lookup(%v) = %v, %t; want %v, %t", a, got, ok, want, wantOK)
			}
		}
	}
}

func TestTableWith(t *testing.T) {
	for seed := range uint64(300) {
		u := newUniverse(seed)
		s := newSlow(u, 20)
		old := netblock.NewTable(s.layers[0])
		before := entries(old)
		got := old.With(s.change(u, 0))
		if diff := cmp.Diff(entries(netblock.NewTable(s.layers[0])), entries(got), compare); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		if diff := cmp.Diff(before, entries(old), compare); diff != "" {
			t.Fatalf("the old table changed:\n%s", diff)
		}
	}
}

func TestNilTable(t *testing.T) {
	var none *netblock.Table
	if _, _, ok := none.Lookup(netip.MustParseAddr("192.0.2.1")); ok || none.Len() != 0 {
		t.Error("a nil table has rows")
	}
	if n := len(maps.Collect(none.All())); n != 0 {
		t.Errorf("All of a nil table yields %d rows", n)
	}
	if got := none.With([]netblock.Change{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Value: 1}}); got.Len() != 1 {
		t.Errorf("a nil table with one row has %d", got.Len())
	}
}

func TestTableGetEqualsSlow(t *testing.T) {
	for seed := range uint64(100) {
		u := newUniverse(seed)
		rows := u.entries(20)
		table := netblock.NewTable(rows)
		want := maps.Collect(table.All())
		for _, e := range append(rows, u.entries(20)...) {
			v, ok := table.Get(e.Prefix)
			p := canonical(e.Prefix)
			if w, wok := want[p]; v != w || ok != wok {
				t.Fatalf("Get(%v) = %d, %t; want %d, %t", e.Prefix, v, ok, w, wok)
			}
		}
		if _, ok := table.Get(netip.Prefix{}); ok {
			t.Fatal("Get of the invalid prefix is ok")
		}
	}
}

func TestDiff(t *testing.T) {
	for seed := range uint64(300) {
		u := newUniverse(seed)
		s := newSlow(u, 20)
		from := netblock.NewTable(s.layers[0])
		to := from.With(s.change(u, 0))
		changes := netblock.Diff(from, to)
		if diff := cmp.Diff(entries(to), entries(from.With(changes)), compare); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		before := maps.Collect(from.All())
		for _, c := range changes {
			if v, ok := before[c.Prefix]; ok && !c.Delete && v == c.Value {
				t.Fatalf("seed %d: %v is no change", seed, c)
			}
		}
	}
	if d := netblock.Diff(nil, nil); d != nil {
		t.Errorf("nil and nil differ in %v", d)
	}
}
