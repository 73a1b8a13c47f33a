package source

import (
	"errors"
	"fmt"
	"slices"

	"github.com/waypost/waypost/geo/mmdb"
	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
	"github.com/waypost/waypost/netblock/bgp"
)

// ASNFiles are the files that say which AS a prefix is in, in order of
// preference: of those that know the origin of a prefix the first counts.
type ASNFiles struct {
	Text      string   // lines "PREFIX ASN"
	MRT       []string // tables of collectors (RFC 6396)
	Databases []string // MaxMind DB files with AS numbers
}

// Paths returns all of them.
func (f *ASNFiles) Paths() []string { return slices.Concat(named(f.Text), f.MRT, f.Databases) }

// read reads all files, and makes one table of them.
func (f *ASNFiles) read(paths []string) (*netblock.Table, []string, error) {
	var notes []string
	var errs []error
	union := asn.NewUnion(len(paths))
	for i, path := range paths {
		of := readASNDatabase
		switch {
		case i < len(named(f.Text)):
			of = readASNText
		case i < len(paths)-len(f.Databases):
			of = readMRT
		}
		t, note, err := of(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		union.Set(i, t, nil)
		notes = append(notes, note)
	}
	return union.Table(), notes, errors.Join(errs...)
}

func readASNText(path string) (*netblock.Table, string, error) {
	f, err := open("prefix to AS table", path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close() //nolint:errcheck // only read
	t, report, err := asn.Read(path, f)
	note := fmt.Sprintf("%s: %d lines, %d used", path, report.Lines, report.Rows)
	if report.Skipped > 0 {
		note += fmt.Sprintf(", %d skipped, the first at line %d: %s", report.Skipped, report.FirstSkipped, report.FirstReason)
	}
	return t, note, err
}

func readMRT(path string) (*netblock.Table, string, error) {
	f, err := open("MRT table", path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close() //nolint:errcheck // only read
	t, report, err := bgp.ReadMRT(path, f)
	note := fmt.Sprintf("%s: %d MRT records, %d prefixes", path, report.Records, report.Rows)
	if report.Skipped > 0 {
		note += fmt.Sprintf(", %d skipped, the first is record %d: %s", report.Skipped, report.FirstSkipped, report.FirstReason)
	}
	return t, note, err
}

func readASNDatabase(path string) (*netblock.Table, string, error) {
	db, err := mmdb.Open(path)
	if err != nil {
		return nil, "", err
	}
	asns, err := db.ASNs()
	if err != nil {
		return nil, "", err
	}
	t := netblock.FromSeq(func(yield func(netblock.Entry) bool) {
		for p, n := range asns {
			if !yield(netblock.Entry{Prefix: p, Value: n}) {
				return
			}
		}
	})
	return t, fmt.Sprintf("%s: %d prefixes with an AS", path, t.Len()), nil
}
