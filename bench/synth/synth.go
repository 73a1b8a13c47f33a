// Package synth makes catalogues and clients out of a seed, for benchmarks and
// tests of everything that answers: as many hosts, directories and prefixes as
// wanted, with all that a host can have (netblocks, ASNs, private ones,
// countries allowed and excluded, places, addresses of either family).
//
//	in := synth.Inputs(synth.Fedora())
//	ix := index.Compile(in)
//	for _, a := range synth.Clients(in, 1, 1000) { … }
//
// The same [Config] gives the same data on every machine. Nothing here is like
// any real mirror; only the proportions are like those of a large distribution.
package synth

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// A Config says how much to make. Fields that are 0 give nothing of the kind,
// but for Hosts, Directories, HostSets and Categories, which are at least 1.
type Config struct {
	Seed        uint64
	Hosts       int // an eighth private, an eighth with country restrictions
	Directories int // over all categories, four levels deep
	Categories  int
	HostSets    int // how many different sets of hosts the directories have
	Files       int // spread over the directories; a tenth have holes
	Prefixes    int // rows of the ASN table; an eighth as many of countries and places
	ASNs        int // how many different ones the table has; hosts are in the first of them
	Nearest     bool
	Sticky      bool
}

// Fedora is about the size of Fedora's mirror network. It takes about a second to make.
func Fedora() Config {
	return Config{
		Seed: 1, Hosts: 450, Directories: 60_000, Categories: 4, HostSets: 3_000, Files: 20_000,
		Prefixes: 700_000, ASNs: 70_000,
	}
}

// Small is for tests: everything occurs, and indexes compile in milliseconds.
func Small(seed uint64) Config {
	return Config{
		Seed: seed, Hosts: 70, Directories: 120, Categories: 3, HostSets: 12, Files: 200, Prefixes: 2_000, ASNs: 100,
	}
}

// countries have weights: how many hosts and prefixes of 1,000 they have.
// Those that are left are in the last one.
const countries = `US NA 190|DE EU 90|FR EU 50|GB EU 50|JP AS 50|CN AS 60|BR SA 50|RU EU 45|CA NA 35|NL EU 35|
AU OC 30|IN AS 35|KR AS 25|IT EU 20|PL EU 20|SE EU 20|ES EU 18|CZ EU 15|TW AS 15|ZA AF 12|UA EU 12|AR SA 10|ID AS 10|
TR AS 10|VN AS 9|CH EU 9|AT EU 9|BE EU 8|FI EU 8|NO EU 8|DK EU 8|RO EU 7|BG EU 7|MX NA 7|CL SA 6|NZ OC 6|TH AS 6|
SG AS 6|HK AS 6|IL AS 5|GR EU 5|HU EU 5|PT EU 5|IE EU 4|KE AF 4|EG AF 4|NG AF 3|CO SA 3|PE SA 3|EC SA 2|MA AF 2|TN AF 2|
IS EU 1|EE EU 1|LV EU 1|LT EU 1|GE AS 1|KZ AS 1|UY SA 1|FJ OC 1|NC OC 1|RS EU 1`

// Continents returns the continents of all countries that occur.
func Continents() *geo.Continents {
	var text strings.Builder
	for _, row := range rows() {
		fmt.Fprintf(&text, "%s,%s\n", row.code, row.continent)
	}
	table, err := geo.ReadContinents("countries", strings.NewReader(text.String()))
	if err != nil {
		panic(err) // the constant above is wrong
	}
	return table
}

type row struct {
	code      geo.Country
	continent string
	weight    int
}

func rows() []row {
	var out []row
	for text := range strings.SplitSeq(strings.ReplaceAll(countries, "\n", ""), "|") {
		var code string
		var r row
		if _, err := fmt.Sscanf(text, "%2s %2s %d", &code, &r.continent, &r.weight); err != nil {
			panic(fmt.Sprintf("country %q: %v", text, err)) // the constant above is wrong
		}
		r.code = geo.Country{code[0], code[1]}
		out = append(out, r)
	}
	return out
}

// maker draws everything.
type maker struct {
	*rand.Rand
	c         Config
	countries []geo.Country // each as often as its weight
}

func newMaker(c Config, stream uint64) *maker {
	c.Hosts, c.Directories = max(c.Hosts, 1), max(c.Directories, 1)
	c.HostSets, c.Categories = max(c.HostSets, 1), max(c.Categories, 1)
	m := &maker{Rand: rand.New(rand.NewPCG(c.Seed, stream)), c: c} //nolint:gosec // repeatable on purpose
	for _, r := range rows() {
		for range r.weight {
			m.countries = append(m.countries, r.code)
		}
	}
	return m
}

func (m *maker) country() geo.Country { return m.countries[m.IntN(len(m.countries))] }

// oneIn reports true once in n times.
func (m *maker) oneIn(n int) bool { return m.IntN(n) == 0 }

// Inputs returns what an index is compiled from: a snapshot and tables of
// countries, places and ASNs.
func Inputs(c Config) index.Inputs {
	in := index.Inputs{Snapshot: Snapshot(c), Continents: Continents()}
	m := newMaker(c, 'T')
	in.ASNs = netblock.NewTable(m.asnRows())
	in.Countries, in.Places = m.placeTables()
	return in
}

// Snapshot returns the catalogue alone.
func Snapshot(c Config) *snapshot.Snapshot {
	m := newMaker(c, 'S')
	s := &snapshot.Snapshot{Version: 1 + c.Seed, Created: time.Unix(1_800_000_000, 0)}
	m.addCategories(s)
	m.addDirectories(s)
	m.addHosts(s)
	m.addFiles(s)
	m.addRepositories(s)
	for range m.c.Hosts / 50 {
		s.CountryOverrides = append(s.CountryOverrides, snapshot.CountryOverride{Prefix: m.prefix4(16, 26), Country: m.country()})
	}
	return s
}

// Clients returns n addresses, half of them of prefixes that in knows: two
// thirds v4. Some are in netblocks of hosts.
func Clients(in index.Inputs, seed uint64, n int) []netip.Addr {
	m := newMaker(Config{Seed: seed}, 'C')
	var known []netip.Prefix
	for _, t := range []*netblock.Table{in.ASNs, in.Countries} {
		if t != nil {
			for p := range t.All() {
				known = append(known, p)
			}
		}
	}
	var own []netip.Prefix
	for i := range in.Snapshot.Hosts {
		own = append(own, in.Snapshot.Hosts[i].Netblocks...)
	}
	out := make([]netip.Addr, n)
	for i := range out {
		switch {
		case m.oneIn(50) && len(own) > 0:
			out[i] = m.within(own[m.IntN(len(own))])
		case m.oneIn(2) && len(known) > 0:
			out[i] = m.within(known[m.IntN(len(known))])
		case m.oneIn(3):
			out[i] = m.within(space6())
		default:
			out[i] = m.addr4()
		}
	}
	return out
}
