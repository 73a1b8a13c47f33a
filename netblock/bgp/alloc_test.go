//go:build !race

package bgp

import "testing"

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
