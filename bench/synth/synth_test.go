package synth_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/snapshot"
)

// TestRepeatable checks that a seed says everything, and that seeds differ.
func TestRepeatable(t *testing.T) {
	opt := cmp.Options{cmp.AllowUnexported(snapshot.Files{}), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}
	if diff := cmp.Diff(synth.Snapshot(synth.Small(1)), synth.Snapshot(synth.Small(1)), opt); diff != "" {
		t.Errorf("two snapshots of one seed differ:\n%s", diff)
	}
	if cmp.Equal(synth.Snapshot(synth.Small(1)), synth.Snapshot(synth.Small(2)), opt) {
		t.Error("two seeds give the same snapshot")
	}
	in := synth.Inputs(synth.Small(1))
	a, b := synth.Clients(in, 3, 50), synth.Clients(in, 3, 50)
	if diff := cmp.Diff(a, b, opt); diff != "" {
		t.Errorf("two lists of clients of one seed differ:\n%s", diff)
	}
}

// TestEverythingOccurs checks that Small and the zero Config are what they promise.
func TestEverythingOccurs(t *testing.T) {
	count := map[string]int{}
	var hosts []snapshot.Host
	for seed := range uint64(5) {
		hosts = append(hosts, synth.Snapshot(synth.Small(seed)).Hosts...)
	}
	for i := range hosts {
		h := &hosts[i]
		for what, has := range map[string]bool{
			"private": h.Private, "down": h.Down, "place": h.Place != nil, "allowed": h.Allowed != nil,
			"excluded": h.Excluded != nil, "asn": h.ASNs != nil, "peer": h.PeerASNs != nil, "netblock": h.Netblocks != nil,
			"nowhere": !h.Country.Known(), "no address": h.Addresses == nil, "weightless": h.Bandwidth == 0,
		} {
			if has {
				count[what]++
			}
		}
	}
	if len(count) != 11 {
		t.Errorf("only %v occur", count)
	}
	s := synth.Snapshot(synth.Small(1))
	if got := len(s.Directories); got != synth.Small(1).Directories {
		t.Errorf("%d directories, want %d", got, synth.Small(1).Directories)
	}
	for i := 1; i < len(s.Directories); i++ {
		if s.Directories[i-1].Path >= s.Directories[i].Path {
			t.Fatalf("directories are not sorted: %q, %q", s.Directories[i-1].Path, s.Directories[i].Path)
		}
	}
	if s.Files.Len() != synth.Small(1).Files || len(s.Files.Holes()) == 0 {
		t.Errorf("%d files, %d with holes", s.Files.Len(), len(s.Files.Holes()))
	}
	if z := synth.Snapshot(synth.Config{}); len(z.Hosts) != 1 || len(z.Directories) != 1 || len(z.Categories) != 1 {
		t.Errorf("the zero Config gives %d hosts, %d directories, %d categories", len(z.Hosts), len(z.Directories), len(z.Categories))
	}
}
