package web_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/waypost/waypost/control/crawl/web"
)

// TestAllowed tries addresses that a mirror could be said to have, or redirect
// to, to make us ask something in our own network.
func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		address         string
		public, private bool
	}{
		{"8.8.8.8", true, true},
		{"2a00:1450:4001::1", true, true},
		{"::ffff:8.8.8.8", true, true},
		{"64:ff9b::8.8.8.8", true, true}, // a control plane with IPv6 alone
		{"127.0.0.1", false, true},
		{"10.1.2.3", false, true},
		{"::ffff:10.1.2.3", false, true},
		{"64:ff9b::10.1.2.3", false, true},
		{"64:ff9b::a9fe:a9fe", false, true},  // 169.254.169.254
		{"64:ff9b:1::10.1.2.3", false, true}, // RFC 8215
		{"2002:a01:203::1", false, true},     // 6to4 of 10.1.2.3
		{"2001:0:a01:203::1", false, true},   // Teredo
		{"::10.1.2.3", false, true},          // IPv4-compatible
		{"169.254.169.254", false, true},     // metadata of clouds
		{"100.64.1.1", false, true},          // carriers' NAT, and clouds
		{"0.1.2.3", false, true},             // this network
		{"192.0.0.192", false, true},         // metadata of one cloud
		{"198.18.0.1", false, true},          // benchmarks
		{"240.0.0.1", false, true},           // reserved
		{"255.255.255.255", false, true},     // broadcast
		{"fec0::1", false, true},             // site-local
		{"fd00:ec2::254", false, true},       // metadata of one cloud
		{"fe80::1%eth0", false, true},        // link-local
		{"::1", false, true},                 // loopback
		{"2001:db8::1", false, true},         // documentation
		{"0.0.0.0", false, false},            // loopback on Linux
		{"::", false, false},                 // likewise
		{"64:ff9b::", false, false},          // 0.0.0.0
		{"224.0.0.1", false, false},          // multicast
		{"ff02::1", false, false},            // multicast
		{"64:ff9b::e000:1", false, false},    // multicast
		{"4000::1", false, true},             // not given out
		{"2606:4700:4700::1111", true, true}, // a public resolver
	} {
		a := netip.MustParseAddr(tt.address)
		for private, want := range map[bool]bool{false: tt.public, true: tt.private} {
			if err := web.Allowed(a, private); (err == nil) != want || err != nil && !errors.Is(err, web.ErrAddress) {
				t.Errorf("%s, private %t: %v, want allowed to be %t", a, private, err, want)
			}
		}
	}
}
