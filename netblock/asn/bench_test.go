package asn_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/netblock/asn"
)

// BenchmarkHowLongDoesReadTake reads the real table in the folder that
// WAYPOST_BENCH_DATA names, packed and not.
func BenchmarkHowLongDoesReadTake(b *testing.B) {
	dir := os.Getenv("WAYPOST_BENCH_DATA")
	if dir == "" {
		b.Skip("WAYPOST_BENCH_DATA is not set: no real table to measure with")
	}
	packed, err := os.ReadFile(filepath.Join(dir, "global_netblocks_full.txt.zst"))
	if err != nil {
		b.Skip(err)
	}
	z, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		b.Fatal(err)
	}
	defer z.Close()
	plain, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"plain", plain}, {"zstd", packed}} {
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				_, report, err := asn.Read(f.name, bytes.NewReader(f.data))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(report.Rows), "rows")
			}
		})
	}
}
