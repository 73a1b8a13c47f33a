package source_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/waypost/waypost/edge/source"
)

// dump returns an MRT table in which one peer, AS 65001, has one prefix of 16
// bits from an origin.
func dump(first, second byte, origin uint32) string {
	record := func(subtype uint16, body []byte) (b []byte) {
		b = append(b, 0, 0, 0, 0, 0, 13)
		b = binary.BigEndian.AppendUint16(b, subtype)
		b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
		return append(b, body...)
	}
	peers := []byte{192, 0, 2, 1, 0, 0, 0, 1 /* of type */, 2, 192, 0, 2, 2, 192, 0, 2, 2, 0, 0, 0xfd, 0xe9}
	path := binary.BigEndian.AppendUint32([]byte{0x40, 2, 6, 2, 1}, origin)
	rib := append([]byte{0, 0, 0, 0, 16, first, second, 0, 1 /* entry */, 0, 0, 0, 0, 0, 0, 0, byte(len(path))}, path...)
	return string(append(record(1, peers), record(2, rib)...))
}

// asnDatabase writes a database with one network.
func asnDatabase(t *testing.T, dir, network string, number uint32) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-ASN", RecordSize: 24, IPVersion: 4})
	if err != nil {
		t.Fatal(err)
	}
	_, prefix, err := net.ParseCIDR(network)
	if err != nil {
		t.Fatal(err)
	}
	if err = tree.Insert(prefix, mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(number)}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "asn.mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err = f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestASNFiles reads files of each kind, of which the first that knows a prefix
// counts.
func TestASNFiles(t *testing.T) {
	dir := t.TempDir()
	files := source.ASNFiles{
		Text:      write(t, dir, "asn.txt", "20.1.0.0/16 1\n"),
		MRT:       []string{write(t, dir, "a.mrt", dump(20, 1, 2)), write(t, dir, "b.mrt", dump(20, 2, 2)), write(t, dir, "c.mrt", dump(20, 2, 3))},
		Databases: []string{asnDatabase(t, dir, "20.0.0.0/8", 4)},
	}
	s := source.New(source.Config{Catalog: write(t, dir, "catalog.yaml", catalog), ASNs: files})
	in, err := s.Load(time.UnixMilli(1000))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]uint32{"20.1.2.3": 1, "20.2.2.3": 2, "20.3.2.3": 4} {
		if _, got, _ := in.ASNs.Lookup(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in AS %d, want %d", addr, got, want)
		}
	}
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "b.mrt: 2 MRT records, 1 prefixes") || !strings.Contains(notes, "asn.mmdb: 1 prefixes with an AS") {
		t.Errorf("notes are %q", notes)
	}
	files.MRT[1] = write(t, dir, "bad.mrt", "20.2.0.0/16 2\n")
	files.Databases = []string{write(t, dir, "bad.mmdb", "x")}
	_, err = source.New(source.Config{Catalog: write(t, dir, "catalog.yaml", catalog), ASNs: files}).Load(time.UnixMilli(1000))
	if err == nil || !strings.Contains(err.Error(), "bad.mrt") || !strings.Contains(err.Error(), "bad.mmdb") {
		t.Errorf("%v, want both bad files named", err)
	}
}
