//go:build !race

package index_test

import (
	"net/netip"
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/index"
)

// TestAllocs keeps look-ups free of allocations.
func TestAllocs(t *testing.T) {
	in := synth.Inputs(synth.Small(1))
	ix := index.Compile(in)
	a, path := netip.MustParseAddr("::ffff:192.0.2.1"), []byte(in.Snapshot.Directories[20].Path+"/x/y/z")
	n := 0
	allocs := testing.AllocsPerRun(100, func() {
		p := ix.Place(a, 128)
		n += len(ix.Netblocks(&p)) + len(ix.Barred(&p)) + len(ix.InCountry(&p)) + len(ix.HostsAround(p.Country))
		if t, ok := ix.Find(path); ok {
			n += len(ix.Holders(t.Directory)) + len(ix.Suffix(&t)) + len(ix.Lacking(t.File)) + len(ix.HoldingOlder(t.File))
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
