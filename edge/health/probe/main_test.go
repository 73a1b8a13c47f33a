package probe

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// a mirror is a host of a test, with one tree, pub/os.
type mirror struct {
	name      string
	country   string // DE is in EU, JP in AS
	urls      []string
	addresses []string
	private   bool
	down      bool
}

// compile makes the index of some mirrors, all of which hold pub/os.
func compile(t *testing.T, mirrors ...mirror) *index.Index {
	t.Helper()
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os"}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
	}
	for _, m := range mirrors {
		s.Hosts = append(s.Hosts, m.host(t))
	}
	return compileSnapshot(t, s)
}

func (m mirror) host(t *testing.T) snapshot.Host {
	t.Helper()
	h := snapshot.Host{
		Name: m.name, Private: m.private, Down: m.down,
		Mounts: []snapshot.Mount{{Category: 0, URLs: m.urls}},
	}
	if m.country != "" {
		c, err := geo.ParseCountry(m.country)
		if err != nil {
			t.Fatal(err)
		}
		h.Country = c
	}
	for _, a := range m.addresses {
		h.Addresses = append(h.Addresses, netip.MustParseAddr(a))
	}
	h.Has.Add(0)
	return h
}

func compileSnapshot(t *testing.T, s *snapshot.Snapshot) *index.Index {
	t.Helper()
	s.ContinentOverrides = map[geo.Country]geo.Continent{
		{'D', 'E'}: {'E', 'U'}, {'F', 'R'}: {'E', 'U'}, {'J', 'P'}: {'A', 'S'},
	}
	return index.Compile(index.Inputs{Snapshot: s})
}
