package cluster

import (
	"net/netip"
	"slices"
	"testing"
)

// TestSeeds are the addresses of others, at ports as far away as this edge's own are.
func TestSeeds(t *testing.T) {
	at := netip.MustParseAddrPort
	tests := []struct {
		name string
		c    Config
		want []netip.AddrPort
	}{
		{"none", Config{Listen: at("127.0.0.1:7946")}, nil},
		{
			"by default",
			Config{Listen: at("127.0.0.1:7946"), Join: []string{"127.0.0.2", "127.0.0.3:8000"}},
			[]netip.AddrPort{at("127.0.0.2:7956"), at("127.0.0.3:8010")},
		},
		{"as told", Config{Listen: at("127.0.0.1:7946"), Share: at("127.0.0.1:9946"), Join: []string{"127.0.0.2"}}, []netip.AddrPort{at("127.0.0.2:9946")}},
		{"not itself", Config{Listen: at("127.0.0.1:7946"), Join: []string{"127.0.0.1", "127.0.0.1:1"}}, []netip.AddrPort{at("127.0.0.1:11")}},
		{"itself, as others see it", Config{Listen: at("127.0.0.1:7946"), Advertise: at("127.0.0.2:7946"), Join: []string{"127.0.0.2"}}, nil},
		{"high ports", Config{Listen: at("127.0.0.1:65530"), Join: []string{"127.0.0.2"}}, []netip.AddrPort{at("127.0.0.2:65520")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.Seeds(t.Context()); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
