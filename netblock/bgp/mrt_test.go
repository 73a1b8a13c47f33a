package bgp

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"github.com/osrg/gobgp/v3/pkg/packet/mrt"

	"github.com/waypost/waypost/netblock"
)

// A dump is an MRT file that gobgp's codec writes.
type dump struct {
	testing.TB
	bytes.Buffer
}

func (d *dump) record(subtype mrt.MRTSubTypeTableDumpv2, body mrt.Body) {
	d.Helper()
	m, err := mrt.NewMRTMessage(0, mrt.TABLE_DUMPv2, subtype, body)
	if err != nil {
		d.Fatal(err)
	}
	b, err := m.Serialize()
	if err != nil {
		d.Fatal(err)
	}
	d.Write(b)
}

// peers writes the table of the collector's peers.
func (d *dump) peers(as ...uint32) {
	var peers []*mrt.Peer
	for i, n := range as {
		address := fmt.Sprintf("192.0.2.%d", i)
		if i%2 == 1 {
			address = fmt.Sprintf("2001:db8::%d", i)
		}
		peers = append(peers, mrt.NewPeer("192.0.2.1", address, n, n > 65535 || i%3 == 0))
	}
	d.record(mrt.PEER_INDEX_TABLE, mrt.NewPeerIndexTable("192.0.2.9", "view", peers))
}

// A seen is what a peer, by its index, says of a prefix.
type seen struct {
	peer int
	path []gobgp.AsPathParamInterface
}

func (d *dump) rib(p netip.Prefix, addPath bool, all ...seen) {
	subtype := mrt.RIB_IPV4_UNICAST
	var nlri gobgp.AddrPrefixInterface = gobgp.NewIPAddrPrefix(uint8(p.Bits()), p.Addr().String())
	if !p.Addr().Is4() {
		subtype, nlri = mrt.RIB_IPV6_UNICAST, gobgp.NewIPv6AddrPrefix(uint8(p.Bits()), p.Addr().String())
	}
	if addPath {
		subtype += mrt.RIB_IPV4_UNICAST_ADDPATH - mrt.RIB_IPV4_UNICAST
	}
	var entries []*mrt.RibEntry
	for i, s := range all {
		attrs := []gobgp.PathAttributeInterface{gobgp.NewPathAttributeOrigin(0), gobgp.NewPathAttributeAsPath(s.path)}
		entries = append(entries, mrt.NewRibEntry(uint16(s.peer), 0, uint32(i), attrs, addPath))
	}
	d.record(subtype, mrt.NewRib(0, nlri, entries))
}

func rows(t *netblock.Table) map[netip.Prefix]uint32 {
	return maps.Collect(t.All())
}

// TestMRT reads random tables, and elects origins in the obvious way beside.
func TestMRT(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		d := &dump{TB: t}
		peers := []uint32{3333, 400000, 64500, 15169, 6939}
		d.peers(peers...)
		want := map[netip.Prefix]uint32{}
		for i := range 300 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i%7), byte(i), byte(r.Uint32()), 0}), 12+r.IntN(15)).Masked()
			if i%3 == 0 {
				p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x26, 0, byte(i), byte(i >> 8), byte(r.Uint32())}), 20+r.IntN(32)).Masked()
			}
			var all []seen
			votes := map[uint32]int{}
			for peer := range peers {
				path := [][]gobgp.AsPathParamInterface{
					{seq(3333, 1299, 100)}, {seq(6939, 200)}, {seq(6939, 200, 64512)}, {seq(1, 2), set(3, 4)}, {}, {seq(5, 400001)},
				}[r.IntN(6)]
				all = append(all, seen{peer, path})
				votes[slowOrigin(slowPath(path), nil, peers[peer])]++
			}
			d.rib(p, i%5 == 0, all...)
			if slowKept(p) {
				want[p] = slowElect(votes)
			}
		}
		table, report, err := ReadMRT("rib", &d.Buffer)
		if err != nil || report.Skipped > 0 || report.Tables != 300 || report.Records != 301 {
			t.Fatalf("%+v, %v", report, err)
		}
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(rows(table))); diff != "" {
			t.Fatal(diff)
		}
	}
}

// slowElect returns the origin with most votes, of equally many the lowest; no
// origin at all is the last choice.
func slowElect(votes map[uint32]int) uint32 {
	most := slices.Max(slices.Collect(maps.Values(votes)))
	best := uint32(0)
	for origin, n := range votes {
		if n == most && origin != 0 && (best == 0 || origin < best) {
			best = origin
		}
	}
	return best
}

func TestMRTBad(t *testing.T) {
	whole := &dump{TB: t}
	whole.peers(3333)
	first := whole.Len()
	p := netip.MustParsePrefix("20.0.0.0/16")
	whole.rib(p, false, seen{0, []gobgp.AsPathParamInterface{seq(1, 2)}})
	all := whole.Bytes()
	broken := slices.Clone(all)
	broken[first+mrtHeader+4] = 200 // its prefix has 200 bits
	good := string(all[first:])
	for name, x := range map[string]struct{ in, want string }{
		"empty":           {"", "want a table"},
		"text":            {"192.0.2.0/24 64500\n192.0.2.0/24 64500\n", "rib: record 1: "},
		"cut off":         {string(all[:len(all)-3]), "record 2: "},
		"in a header":     {string(all[:first+5]), "record 2: "},
		"no peers":        {good, "record"},
		"only bad":        {string(broken), "1 of them bad"},
		"bad gzip":        {"\x1f\x8b garbage", "gzip"},
		"bad bzip2":       {"BZhgarbage", "bzip2"},
		"too many bad":    {string(all) + strings.Repeat(string(broken[first:]), maxMRTSkipped+1), "1001 of 1003 records are bad; the first is number 3: a RIB record with a prefix"},
		"a huge record":   {"\x00\x00\x00\x00\x00\x0d\x00\x02\xff\xff\xff\xff", "4294967295 bytes"},
		"other MRT types": {"\x00\x00\x00\x00\x00\x10\x00\x04\x00\x00\x00\x01x", "want a table"},
	} {
		if _, _, err := ReadMRT("rib", strings.NewReader(x.in)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want …%s…", name, err, x.want)
		}
	}
	table, report, err := ReadMRT("rib", strings.NewReader(string(broken)+good))
	if err != nil || report.Skipped != 1 || report.FirstSkipped != 2 || rows(table)[p] != 2 {
		t.Errorf("%+v, %v: one bad record spoils the file", report, err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(all)
	_ = z.Close()
	if table, _, err = ReadMRT("rib.gz", &packed); err != nil || table.Len() != 1 {
		t.Errorf("gzip: %v", err)
	}
}

func FuzzMRT(f *testing.F) {
	d := &dump{TB: f}
	d.peers(3333, 400000)
	d.rib(netip.MustParsePrefix("20.0.0.0/16"), false, seen{0, []gobgp.AsPathParamInterface{seq(1, 2)}}, seen{1, nil})
	d.rib(netip.MustParsePrefix("2600::/32"), true, seen{1, []gobgp.AsPathParamInterface{seq(1), set(2, 3)}})
	f.Add(d.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		table, report, err := ReadMRT("rib", bytes.NewReader(b))
		if err == nil && (table.Len() == 0 || report.Rows == 0) {
			t.Errorf("no error, and nothing read: %+v", report)
		}
		if report.Skipped > report.Records || report.Tables > report.Records {
			t.Errorf("%+v", report)
		}
	})
}

// BenchmarkMRT reads a table of 50,000 prefixes from 20 peers.
func BenchmarkMRT(b *testing.B) {
	d := &dump{TB: b}
	peers := slices.Repeat([]uint32{3333}, 20)
	d.peers(peers...)
	for i := range 50_000 {
		var all []seen
		for p := range peers {
			all = append(all, seen{p, []gobgp.AsPathParamInterface{seq(3333, 1299, 2914, uint32(i%70_000)+1)}})
		}
		d.rib(netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24), false, all...)
	}
	b.SetBytes(int64(d.Len()))
	for b.Loop() {
		if _, _, err := ReadMRT("rib", bytes.NewReader(d.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
