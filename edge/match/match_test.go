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

// cutIndex has two hosts in DE, two in FR and one in US for a client in DE. Some
// may have an older version of the file that the client asks for.
func cutIndex(older ...uint32) (*index.Index, match.Query) {
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
			Files:       olderFile(older),
		},
		Continents: continents,
		Countries:  netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Value: geo.Country{'D', 'E'}.Uint32()}}),
	})
	return ix, match.Query{Place: ix.Place(netip.MustParseAddr("192.0.2.1"), 32), HasFile: true, Older: true}
}

// olderFile returns one file, of which some hosts have an older version.
func olderFile(hosts []uint32) snapshot.Files {
	var b snapshot.FileBuilder
	b.Add(0, "f", []snapshot.Version{{Size: 2}, {Size: 1}}, hosts)
	files := b.Build(1)
	var older []snapshot.Holder
	for _, h := range hosts {
		older = append(older, snapshot.Holder{Host: h, Version: 1})
	}
	return files.WithOlder(map[uint32][]snapshot.Holder{0: older})
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
	oldDE, oldEU, oldAll := "old 3 0 [0]", "old 4 0 [3]", "old 5 0 [4]"
	tests := []struct {
		name  string
		older []uint32
		cut   func(*match.Match)
		want  []string
	}{
		{"enough on the continent", nil, limit(4, nil), []string{de, eu}},
		{"one too few", nil, limit(5, nil), []string{de, eu, all}},
		{"the country is enough, the continent stays", nil, limit(1, nil), []string{de, eu}},
		{"no minimum", nil, limit(0, nil), []string{de, eu}},
		{"one is down", nil, limit(4, up(0, 1, 2, 4)), []string{de, eu, all}},
		{"no minimum, all near ones down", nil, limit(0, up(4)), []string{de, eu, all}},
		{"all down", nil, limit(1, up()), []string{de, eu, all}},
		{"first", nil, first(nil), []string{de}},
		{"first, one down", nil, first(up(1, 2)), []string{de}},
		{"first that is up", nil, first(up(3)), []string{de, eu}},
		{"first, all down", nil, first(up()), []string{de, eu, all}},
		{"older ones come last", []uint32{0, 3}, limit(5, nil), []string{"3 0 [1]", "4 0 [2]", all, oldDE, oldEU}},
		{"older ones near stay, as those with the current version do", []uint32{0, 3}, limit(2, nil), []string{"3 0 [1]", "4 0 [2]", oldDE, oldEU}},
		{"older ones far off fill up", []uint32{0, 4}, limit(5, nil), []string{"3 0 [1]", eu, oldDE, oldAll}},
		{"older ones far off are not needed", []uint32{0, 4}, limit(4, nil), []string{"3 0 [1]", eu, oldDE}},
		{"there are only older ones", []uint32{0, 1, 2, 3, 4}, limit(4, nil), []string{"old 3 0 [0 1]", "old 4 0 [2 3]"}},
		{"first, and older ones as near", []uint32{0, 3}, first(nil), []string{"3 0 [1]", oldDE}},
		{"first that is up, and older ones as near", []uint32{0, 1, 3}, first(nil), []string{"4 0 [2]", "old 3 0 [0 1]", oldEU}},
		{"first, only older ones up", []uint32{0, 3}, first(up(3)), []string{"3 0 [1]", "4 0 [2]", all, oldDE, oldEU}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ix, q := cutIndex(tt.older...)
			var m match.Match
			m.Find(ix, &q)
			tt.cut(&m)
			var got []string
			for _, b := range m.Bands() {
				line := fmt.Sprint(uint8(b.Kind), b.Bits, members(b.Hosts))
				if b.Older {
					line = "old " + line
				}
				got = append(got, line)
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("bands (-want +got):\n%s", diff)
			}
		})
	}
}
