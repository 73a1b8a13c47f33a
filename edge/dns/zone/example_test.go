package zone_test

import (
	"fmt"

	"github.com/waypost/waypost/edge/dns/zone"
)

// All that is wrong comes at once, by zone and name.
func ExampleCompile() {
	_, err := zone.Compile([]zone.Config{{
		Name:    "m.test",
		Records: "www IN A 192.0.2.1\n",
		Mirrors: []zone.Mirror{
			{Name: "@", Path: "pub/os", Answer: "cname"},
			{Name: "www", Path: "pub/os"},
		},
	}})
	fmt.Println(err)
	// Output:
	// zone "m.test": ns: want at least one name server
	// zone "m.test": mirrors: "@": answer: cname cannot stand at the zone itself, beside its SOA (RFC 1034 section 3.6.2)
	// zone "m.test": mirrors: "www": there are static A records of this name
}
