package asn_test

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/waypost/waypost/netblock/asn"
)

func ExampleRead() {
	file := strings.NewReader(`192.0.2.0/24 64500
2001:db8::/32 AS64501
not-a-prefix 1
`)
	table, report, err := asn.Read("global_netblocks.txt", file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table.Lookup(netip.MustParseAddr("192.0.2.9")))
	fmt.Printf("%d rows; %d skipped, first line %d: %s\n", report.Rows, report.Skipped, report.FirstSkipped, report.FirstReason)
	// Output:
	// 192.0.2.0/24 64500 true
	// 2 rows; 1 skipped, first line 3: "not-a-prefix" is no prefix
}
