package match_test

import (
	"fmt"
	"net/netip"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

func Example() {
	campus := netip.MustParsePrefix("198.51.100.0/24")
	de := geo.Country{'D', 'E'}
	hosts := []snapshot.Host{
		{Name: "public", Country: de},
		{Name: "campus", Country: de, Netblocks: []netip.Prefix{campus}, Private: true},
		{Name: "far", Country: geo.Country{'J', 'P'}},
		{Name: "empty", Country: de},
	}
	for i := range hosts[:3] {
		hosts[i].Has.Add(0)
	}
	ix := index.Compile(index.Inputs{
		Snapshot: &snapshot.Snapshot{
			Categories:  []snapshot.Category{{Name: "os", Path: "os", Policy: snapshot.Policy{Bands: snapshot.AllBands}}},
			Directories: []snapshot.Directory{{Path: "os"}},
			Hosts:       hosts,
		},
		Countries: netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("198.51.0.0/16"), Value: de.Uint32()}}),
	})
	for _, client := range []string{"198.51.100.7", "198.51.1.1"} {
		fmt.Println(client)
		q := match.Query{Place: ix.Place(netip.MustParseAddr(client), 32)}
		var m match.Match
		m.Find(ix, &q)
		for _, b := range m.Bands() {
			b.Hosts.Each(func(h uint32) { fmt.Println(" ", b.Kind, hosts[h].Name) })
		}
		for h, why := range match.Explain(ix, &q) {
			if why != match.Eligible {
				fmt.Printf("  %s: %v\n", hosts[h].Name, why)
			}
		}
	}
	// Output:
	// 198.51.100.7
	//   netblock campus
	//   country public
	//   everywhere far
	//   empty: does not hold the directory
	// 198.51.1.1
	//   country public
	//   everywhere far
	//   campus: private, and this does not count as one of its own clients
	//   empty: does not hold the directory
}

// TestReasonStrings: every reason has its own words.
func TestReasonStrings(t *testing.T) {
	seen := map[string]bool{}
	for r := match.Eligible; r <= match.Avoided; r++ {
		if text := r.String(); text == "" || seen[text] {
			t.Errorf("reason %d: %q", r, text)
		}
		seen[r.String()] = true
	}
}

// cutIndex has two hosts in DE, two in FR and one in US for a client in DE.
func cutIndex() (*index.Index, match.Query) {
	var hosts []snapshot.Host
	for i, code := range []string{"DE", "DE", "FR", "FR", "US"} {
		hosts = append(hosts, snapshot.Host{Name: fmt.Sprint(i), Country: geo.Country{code[0], code[1]}})
		hosts[i].Has.Add(0)
	}
	continents := (&geo.Continents{}).With(map[geo.Country]geo.Continent{
		{'D', 'E'}: {'E', 'U'}, {'F', 'R'}: {'E', 'U'}, {'U', 'S'}: {'N', 'A'},
	})
	ix := index.Compile(index.Inputs{
		Snapshot: &snapshot.Snapshot{
			Categories:  []snapshot.Category{{Policy: snapshot.Policy{Bands: snapshot.AllBands}}},
			Directories: []snapshot.Directory{{}},
			Hosts:       hosts,
		},
		Continents: continents,
		Countries:  netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Value: geo.Country{'D', 'E'}.Uint32()}}),
	})
	return ix, match.Query{Place: ix.Place(netip.MustParseAddr("192.0.2.1"), 32)}
}

func TestLimit(t *testing.T) {
	up := func(hosts ...uint32) hostset.Set {
		s := hostset.Make(5)
		for _, h := range hosts {
			s.Add(h)
		}
		return s
	}
	limit := func(n int, up hostset.Set) func(*match.Match) { return func(m *match.Match) { m.Limit(n, up) } }
	first := func(up hostset.Set) func(*match.Match) { return func(m *match.Match) { m.First(up) } }
	de, eu, all := "3 0 [0 1]", "4 0 [2 3]", "5 0 [4]"
	tests := []struct {
		name string
		cut  func(*match.Match)
		want []string
	}{
		{"enough on the continent", limit(4, nil), []string{de, eu}},
		{"one too few", limit(5, nil), []string{de, eu, all}},
		{"the country is enough, the continent stays", limit(1, nil), []string{de, eu}},
		{"no minimum", limit(0, nil), []string{de, eu}},
		{"one is down", limit(4, up(0, 1, 2, 4)), []string{de, eu, all}},
		{"no minimum, all near ones down", limit(0, up(4)), []string{de, eu, all}},
		{"all down", limit(1, up()), []string{de, eu, all}},
		{"first", first(nil), []string{de}},
		{"first, one down", first(up(1, 2)), []string{de}},
		{"first that is up", first(up(3)), []string{de, eu}},
		{"first, all down", first(up()), []string{de, eu, all}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ix, q := cutIndex()
			var m match.Match
			m.Find(ix, &q)
			tt.cut(&m)
			var got []string
			for _, b := range m.Bands() {
				got = append(got, fmt.Sprint(uint8(b.Kind), b.Bits, members(b.Hosts)))
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("bands (-want +got):\n%s", diff)
			}
		})
	}
}
