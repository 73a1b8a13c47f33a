package match_test

import (
	"net/netip"
	"testing"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
)

// TestNoPrivate: a resolver inside a private host's netblock asks for
// somebody who may be anywhere.
func TestNoPrivate(t *testing.T) {
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "os", Policy: snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "os"}},
		Hosts: []snapshot.Host{
			{Name: "open", Netblocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
			{Name: "shut", Netblocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, Private: true},
		},
	}
	for h := range s.Hosts {
		s.Hosts[h].Has.Add(0)
	}
	ix := index.Compile(index.Inputs{Snapshot: s})
	for _, tc := range []struct {
		name      string
		noPrivate bool
		want      []match.Reason
	}{
		{"the client itself", false, []match.Reason{match.Eligible, match.Eligible}},
		{"its resolver", true, []match.Reason{match.Eligible, match.Private}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := match.Query{Place: ix.Place(netip.MustParseAddr("198.51.100.7"), 32), NoPrivate: tc.noPrivate}
			for h, got := range match.Explain(ix, &q) {
				if got != tc.want[h] {
					t.Errorf("%s: got %q, want %q", s.Hosts[h].Name, got, tc.want[h])
				}
			}
			var m match.Match
			m.Find(ix, &q)
			if got := m.Bands()[0].Kind; got != snapshot.BandNetblock {
				t.Errorf("the open host is in band %d, want that of its netblock", got)
			}
		})
	}
}
