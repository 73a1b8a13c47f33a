package dns_test

import (
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/answer"
	edgedns "github.com/waypost/waypost/edge/dns"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// mirrors returns an engine with a host in Germany and one in France, and a
// country database of two rows.
func mirrors() *answer.Engine {
	host := func(name, code, address string) snapshot.Host {
		return snapshot.Host{
			Name: name, Country: geo.Country{code[0], code[1]}, Bandwidth: 1000,
			Addresses: []netip.Addr{netip.MustParseAddr(address)}, DNS: true,
			Mounts: []snapshot.Mount{{URLs: []string{"https://" + name + "/os"}}},
			Has:    snapshot.Bitmap{1}, // directory 0
		}
	}
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
		Hosts:       []snapshot.Host{host("de.example.org", "DE", "192.0.2.1"), host("fr.example.org", "FR", "192.0.2.2")},
	}
	e := &answer.Engine{}
	e.Swap(index.Compile(index.Inputs{Snapshot: s, Countries: netblock.NewTable([]netblock.Entry{
		{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Value: geo.Country{'D', 'E'}.Uint32()},
		{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Value: geo.Country{'F', 'R'}.Uint32()},
	})}), nil)
	return e
}

// A client of a resolver is led to the mirror in its country, and the scope
// says for whom else that is right.
func ExampleServer_Answer() {
	zones, err := zone.Compile([]zone.Config{{
		Name:    "m.test",
		NS:      map[string][]netip.Addr{"ns1.m.test": {netip.MustParseAddr("127.0.0.1")}},
		Mirrors: []zone.Mirror{{Name: "dl", Path: "pub/os", Count: 1}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	s, err := edgedns.New(edgedns.Config{Engine: mirrors(), Name: "edge1"})
	if err != nil {
		log.Fatal(err)
	}
	s.SetZones(zones)

	question := new(dns.Msg).SetQuestion("dl.m.test.", dns.TypeA)
	question.SetEdns0(1232, false)
	question.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{
		Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 25, Address: []byte{203, 0, 113, 0},
	}}
	packet, err := question.Pack()
	if err != nil {
		log.Fatal(err)
	}
	resolver := edgedns.Meta{Client: netip.MustParseAddr("198.51.100.53"), UDP: true, Now: uint32(time.Now().Unix())}
	reply := new(dns.Msg)
	if err := reply.Unpack(s.Answer(nil, packet, resolver, s.NewWork())); err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Answer[0])
	fmt.Println(reply.IsEdns0().Option[0])
	// Output:
	// dl.m.test.	60	IN	A	192.0.2.2
	// 203.0.113.0/25/24
}
