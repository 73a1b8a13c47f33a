package mmdb_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/waypost/waypost/geo/mmdb"
)

// sample has all three kinds of values, pointers, and both families.
func sample(tb testing.TB) []byte {
	tb.Helper()
	var rows []row
	for i, prefix := range []string{"1.0.0.0/24", "1.0.1.0/24", "8.8.8.0/25", "9.0.0.0/8", "2001:db8::/32", "2a00::/12"} {
		rows = append(rows, row{prefix, dict{
			"country":                  dict{"iso_code": text([]string{"AU", "DE", "US"}[i%3])},
			"location":                 dict{"latitude": mmdbtype.Float64(i), "longitude": mmdbtype.Float64(-i)},
			"autonomous_system_number": mmdbtype.Uint32(680 + i/2),
		}})
	}
	return write(tb, 6, rows...)
}

// readAll reads everything there is to read; corrupt files may give errors, but
// no panic and no endless walk.
func readAll(b []byte) (errs []error) {
	db, err := mmdb.FromBytes("bad.mmdb", b)
	if err != nil {
		return []error{err}
	}
	for _, db := range []*mmdb.DB{db, db.WithAliases()} {
		countries, countryErr := db.Countries()
		if countryErr == nil {
			for range countries {
			}
		}
		points, pointErr := db.Points()
		if pointErr == nil {
			for range points {
			}
		}
		asns, asnErr := db.ASNs()
		if asnErr == nil {
			for range asns {
			}
		}
		errs = append(errs, countryErr, pointErr, asnErr)
	}
	return errs
}

func TestTruncated(t *testing.T) {
	whole := sample(t)
	for n := range whole {
		errs := readAll(whole[:n])
		if errs[0] == nil {
			t.Errorf("the first %d of %d bytes read without an error", n, len(whole))
			continue
		}
		if !strings.Contains(errs[0].Error(), "bad.mmdb") {
			t.Errorf("first %d bytes: error %q does not name the file", n, errs[0])
		}
	}
	_, err := mmdb.FromBytes("bad.mmdb", whole[:len(whole)-200])
	if err == nil || !strings.Contains(err.Error(), "want a MaxMind DB file of format 2, with metadata at its end (truncated?)") {
		t.Errorf("truncated file: error %v", err)
	}
}

// TestBitFlips reads thousands of damaged files. Errors name the file; those that
// still read are none.
func TestBitFlips(t *testing.T) {
	whole := sample(t)
	r := rand.New(rand.NewPCG(7, 8))
	refused := 0
	for range 3000 {
		b := bytes.Clone(whole)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		for _, err := range readAll(b) {
			if err == nil {
				continue
			}
			refused++
			if !strings.Contains(err.Error(), "bad.mmdb") {
				t.Fatalf("error %q does not name the file", err)
			}
		}
	}
	if refused == 0 {
		t.Error("no damaged file was refused")
	}
}

// TestLoop reads trees whose nodes point back to the root on one side or both.
func TestLoop(t *testing.T) {
	whole := sample(t)
	for _, node := range [][]byte{{0, 0, 0, 0, 0, 0}, {0, 0, 0, whole[3], whole[4], whole[5]}, {whole[0], whole[1], whole[2], 0, 0, 0}} {
		b := append(bytes.Clone(node), whole[6:]...) // node 0, two records of 24 bits
		start := time.Now()
		if errs := readAll(b); errs[0] == nil {
			t.Errorf("root node % x: no error", node)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("root node % x: took %v", node, took)
		}
	}
}

func FuzzFromBytes(f *testing.F) {
	whole := sample(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])                                               // no metadata
	f.Add(append(make([]byte, 6), whole[6:]...))                              // a root that is its own child
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))                                  // nothing but the mark before metadata
	f.Add(write(f, 4, row{"1.0.0.0/24", dict{"country_code": text("AU")}}))   // another layout and family
	f.Add(write(f, 6, row{"::/1", country("AU")}, row{"8000::/1", text("")})) // leaves above the IPv4 subtree
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, err := range readAll(b) {
			if err != nil && !strings.Contains(err.Error(), "bad.mmdb") {
				t.Errorf("error %q does not name the file", err)
			}
		}
	})
}
