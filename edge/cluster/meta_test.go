package cluster

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
)

// TestMeta writes the largest there is, which must fit.
func TestMeta(t *testing.T) {
	m := Meta{
		Region: strings.Repeat("r", 100), Country: "DEU", Program: strings.Repeat("p", 100), Snapshot: 1 << 63,
		Data: time.Unix(1<<40-1, 0).UTC(), Probes: true, Leaving: true,
		Share: 7947, Group: 1 << 31, Cell: 1 << 17,
	}
	for i := range 100 {
		m.Announce = append(m.Announce, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i), 0}), 24))
		m.keys = append(m.keys, KeyID(i))
	}
	b := m.encode()
	if len(b) > memberlist.MetaMaxSize {
		t.Errorf("%d bytes", len(b))
	}
	got, err := parseMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Announce {
		if got.Announces(p) != (i < maxPrefixes) {
			t.Errorf("announces %s: %v", p, i >= maxPrefixes)
		}
	}
	want := m
	want.Region, want.Country, want.Program = m.Region[:maxRegion], "DE", m.Program[:maxProgram]
	want.Announce, want.hashes, want.keys = nil, got.hashes, m.keys[:maxKeys]
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Meta{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseMeta(f *testing.F) {
	f.Add((&Meta{}).encode())
	f.Add((&Meta{Region: "eu", Country: "DE", Snapshot: 7, Data: time.Unix(9, 0), keys: []KeyID{1}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMeta(b)
		if err == nil && (len(m.hashes) > len(b) || len(m.Region) > len(b)) {
			t.Error("more than there is")
		}
	})
}

func TestConfig(t *testing.T) {
	at, lat, lon := netip.MustParseAddrPort, 52.37, 99.0
	good := Config{Listen: at("10.0.0.1:7946"), KeyFiles: []string{keyFile(t, GenerateKey())}}
	for _, x := range []struct {
		name   string
		change func(*Config)
		want   string // in the error; "" for none
	}{
		{"good", func(*Config) {}, ""},
		{"loopback needs no key", func(c *Config) { c.Listen, c.KeyFiles = at("127.0.0.1:7946"), nil }, ""},
		{"names and addresses", func(c *Config) { c.Join = []string{"a.test", "a.test:1", "10.0.0.2", "10.0.0.3:7"} }, ""},
		{"IPv6", func(c *Config) {
			c.Listen, c.Join = at("[2001:db8::9]:7946"), []string{"[2001:db8::1]:7", "[2001:db8::1]", "2001:db8::1"}
		}, ""},
		{"IPv6 from IPv4", func(c *Config) { c.Join = []string{"10.0.0.2", "[2001:db8::1]:7"} }, "join[1]: want an address of the family of listen (10.0.0.1)"},
		{"IPv4 from IPv6", func(c *Config) { c.Listen, c.Join = at("[2001:db8::9]:7946"), []string{"10.0.0.2"} }, "join[0]: want an address of the family"},
		{"both from any address", func(c *Config) {
			c.Listen, c.Advertise, c.Join = at("[::]:7946"), at("10.0.0.1:7946"), []string{"10.0.0.2", "2001:db8::1"}
		}, ""},
		{"a place", func(c *Config) { c.Location = &Location{&lat, &lon} }, ""},
		{"half a place", func(c *Config) { c.Location = &Location{Lat: &lat} }, "location: want both lat and lon"},
		{"no place", func(c *Config) { c.Location = &Location{&lon, &lat} }, "location: latitude 99: want degrees from -90 to 90"},
		{"no address", func(c *Config) { c.Listen = netip.AddrPort{} }, "listen: "},
		{"multicast", func(c *Config) { c.Listen = at("224.0.0.1:7946") }, "listen: "},
		{"any address", func(c *Config) { c.Listen = at("0.0.0.0:7946") }, "advertise: "},
		{"any address, advertised", func(c *Config) { c.Listen, c.Advertise = at("0.0.0.0:7946"), at("10.0.0.1:7946") }, ""},
		{"shares at a port of its own", func(c *Config) { c.Share = at("10.0.0.1:9") }, ""},
		{"shares where it gossips", func(c *Config) { c.Share = c.Listen }, "share: "},
		{"shares nowhere", func(c *Config) { c.Share = at("10.0.0.1:0") }, "share: "},
		{"no key", func(c *Config) { c.KeyFiles = nil }, "key_files: "},
		{"no such file", func(c *Config) { c.KeyFiles = []string{"nothing.key"} }, "key_files: open nothing.key"},
		{"a bad key", func(c *Config) { c.KeyFiles = []string{keyFile(t, "c2hvcnQ=")} }, ":2: want 16, 24 or 32 bytes"},
		{"an empty file", func(c *Config) { c.KeyFiles = []string{keyFile(t)} }, "want a key"},
		{"too many keys", func(c *Config) {
			var keys []string
			for range maxKeys + 1 {
				keys = append(keys, GenerateKey())
			}
			c.KeyFiles = []string{keyFile(t, keys...)}
		}, "at most 8 keys"},
		{"join", func(c *Config) { c.Join = []string{"a.test", ":7"} }, "join[1]: "},
		{"join port", func(c *Config) { c.Join = []string{"a.test:70000"} }, "join[0]: "},
		{"region", func(c *Config) { c.Region = strings.Repeat("r", 65) }, "region: "},
		{"country", func(c *Config) { c.Country = "Germany" }, "country: "},
		{"label", func(c *Config) { c.Label = strings.Repeat("l", 256) }, "label: "},
		{"timings", func(c *Config) { c.Timings = "slow" }, "timings: "},
	} {
		c := good
		x.change(&c)
		if err := c.Validate(); (err == nil) != (x.want == "") || !strings.Contains(fmt.Sprint(err), x.want) {
			t.Errorf("%s: %v, want %q", x.name, err, x.want)
		} else if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s is more than one problem: %v", x.name, err)
		}
	}
}

func TestSplitJoin(t *testing.T) {
	for _, x := range []struct {
		where, host string
		port        uint16
	}{
		{"a.test", "a.test", 7946},
		{"a.test:1", "a.test", 1},
		{"10.0.0.1", "10.0.0.1", 7946},
		{"[::1]", "::1", 7946},
		{"::1", "::1", 7946},
		{"[::1]:1", "::1", 1},
	} {
		if host, port, err := splitJoin(x.where, 7946); host != x.host || port != x.port || err != nil {
			t.Errorf("%s: %s, %d, %v", x.where, host, port, err)
		}
	}
}
