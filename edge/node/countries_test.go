package node_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go4.org/netipx"
)

// writeCountries writes a database of a few networks, country.mmdb in dir: the
// bundled one takes a while to read.
func writeCountries(t *testing.T, dir string) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-Country", RecordSize: 24, IPVersion: 4})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, country := range map[string]string{
		"141.30.0.0/16": "DE", "133.11.0.0/16": "JP", "18.0.0.0/16": "US", "200.17.0.0/16": "BR",
	} {
		record := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)}}
		if err = tree.Insert(netipx.PrefixIPNet(netip.MustParsePrefix(prefix)), record); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "country.mmdb"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err = f.Close(); err != nil {
		t.Fatal(err)
	}
}
