package bzip2_test

import (
	"bytes"
	stdlib "compress/bzip2"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/report/bzip2"
)

func compress(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := bzip2.NewWriter(&b)
	if n, err := z.Write(data); n != len(data) || err != nil {
		tb.Fatalf("wrote %d of %d: %v", n, len(data), err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func roundTrip(t *testing.T, data []byte) {
	t.Helper()
	z := compress(t, data)
	got, err := io.ReadAll(stdlib.NewReader(bytes.NewReader(z)))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes became %d: %v", len(data), len(got), err)
	}
}

// directories is text as report_mirror sends it.
func directories(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `"releases/%d/Everything/x86_64/os/Packages/%c": {}, `, i/26, 'a'+i%26)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	random := make([]byte, 100_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	tests := []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"one byte", []byte("x")},
		{"periodic", []byte(strings.Repeat("abcabc", 5000))},
		{"random", random},
		{"directories", directories(5_000)},
		{"more than a block", directories(20_000)},
		{"runs over blocks", append(directories(14_000), make([]byte, 2_000_000)...)},
	}
	for n := range 12 {
		tests = append(tests, struct {
			name string
			data []byte
		}{"run", make([]byte, n+250)})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			roundTrip(t, tt.data)
		})
	}
}

// TestProgram: what bzip2 itself reads, all will.
func TestProgram(t *testing.T) {
	path := needs.Program(t, "bzip2", "bzip2")
	for _, data := range [][]byte{nil, []byte("x"), directories(20_000), make([]byte, 5_000_000)} {
		cmd := exec.Command(path, "-d")
		cmd.Stdin = bytes.NewReader(compress(t, data))
		got, err := cmd.Output()
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes became %d: %v", len(data), len(got), err)
		}
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	z := bzip2.NewWriter(full{})
	_, _ = z.Write([]byte("x"))
	if err := z.Close(); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("banana"), uint8(1))
	f.Add([]byte{0}, uint8(255))
	f.Add([]byte("aaaab"), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, times uint8) {
		if len(data)*int(times) < 1<<16 {
			roundTrip(t, bytes.Repeat(data, int(times)))
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	data := directories(100_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		b.ReportMetric(float64(len(data))/float64(len(compress(b, data))), "x")
	}
}
