package netblock_test

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/waypost/waypost/netblock"
)

// The worked example of the package comment: prefixes with their origin AS and
// country, and hosts in AS 64500 only.
func ExampleCompile() {
	asns := netblock.NewTable([]netblock.Entry{
		{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Value: 64500},
		{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Value: 64501},
	})
	const de = 1 // a number of the caller's
	countries := netblock.NewTable([]netblock.Entry{
		{Prefix: netip.MustParsePrefix("198.51.100.0/22"), Value: de},
	})
	withHosts := func(asn uint32) uint32 {
		if asn == 64500 {
			return asn
		}
		return 0
	}
	m := netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{
		{Table: asns, Value: withHosts},
		{Table: countries},
	}})
	for _, s := range []string{"198.51.100.9", "198.51.102.7", "203.0.113.1", "192.0.2.1", "::ffff:198.51.102.7"} {
		a := netip.MustParseAddr(s)
		class, bits := m.Lookup(a)
		widest, _ := a.Prefix(bits)
		fmt.Println(a, class, m.Tuple(class), widest)
	}
	// Output:
	// 198.51.100.9 1 [64500 1 0 0] 198.51.100.0/24
	// 198.51.102.7 2 [0 1 0 0] 198.51.102.0/23
	// 203.0.113.1 0 [0 0 0 0] 200.0.0.0/5
	// 192.0.2.1 0 [0 0 0 0] 192.0.0.0/6
	// ::ffff:198.51.102.7 2 [0 1 0 0] ::ffff:198.51.102.0/119
}

// A feed changes a table while look-ups go on: readers load the Map and keep
// what they loaded, the one writer makes the next and swaps it in.
func ExampleMap_With() {
	p := netip.MustParsePrefix("2001:db8::/32")
	table := netblock.NewTable([]netblock.Entry{{Prefix: p, Value: 64500}})

	var current atomic.Pointer[netblock.Map]
	current.Store(netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{Table: table}}}))

	changes := []netblock.Change{{Prefix: netip.MustParsePrefix("2001:db8:5::/48"), Value: 64501}}
	table = table.With(changes)
	next := current.Load().With(0, table, changes)
	current.Store(next)

	class, bits := next.Lookup(netip.MustParseAddr("2001:db8:5::1"))
	fmt.Println(next.Tuple(class), bits, "blocks swept:", next.Rebuilt())
	// Output: [64501 0 0 0] 48 blocks swept: 1
}

func ExampleTable_Lookup() {
	t := netblock.NewTable([]netblock.Entry{
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Value: 64500},
		{Prefix: netip.MustParsePrefix("192.0.2.128/25"), Value: 64501},
	})
	fmt.Println(t.Lookup(netip.MustParseAddr("192.0.2.200")))
	fmt.Println(t.Lookup(netip.MustParseAddr("192.0.2.1")))
	// Output:
	// 192.0.2.128/25 64501 true
	// 192.0.2.0/24 64500 true
}
