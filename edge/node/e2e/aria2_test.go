//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestAria2 downloads by metalink, which has the hash of the file, from good
// mirrors and from such as have another file of the same size.
func TestAria2(t *testing.T) {
	need(t, "aria2c", "aria2")
	good := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(good)
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	goodDir, badDir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(goodDir, "f.iso"), string(good))
	write(t, filepath.Join(badDir, "f.iso"), string(bad))

	tests := []struct {
		name    string
		mirrors []string // folders; "": dead
		want    int      // exit code; 32: the hash is wrong
	}{
		{"good", []string{goodDir, goodDir}, 0},
		{"first is dead", []string{"", goodDir}, 0},
		{"first has another file", []string{badDir, goodDir}, 32},
		{"all have another file", []string{badDir, badDir}, 32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var urls []string
			for _, dir := range tt.mirrors {
				if dir == "" {
					urls = append(urls, deadURL(t))
				} else {
					urls = append(urls, startMirror(t, dir).url)
				}
			}
			e := startEdge(t, isoCatalog(good, urls), "")
			dir := t.TempDir()
			_, err := try(t, "aria2c", "-q", "--no-conf", "--follow-metalink=mem", "-V", "-d", dir, "http://"+e.http+"/pub/iso/f.iso.meta4")
			if exitCode(err) != tt.want {
				t.Fatalf("%v, want exit code %d", err, tt.want)
			}
			got, err := os.ReadFile(filepath.Join(dir, "f.iso"))
			if tt.want == 0 && (err != nil || !bytes.Equal(got, good)) {
				t.Errorf("%d bytes, %v, want the %d of the file", len(got), err, len(good))
			}
		})
	}
}

// isoCatalog is a catalogue of mirrors of the file pub/iso/f.iso.
func isoCatalog(file []byte, mirrors []string) string {
	c := fmt.Sprintf(`categories:
  - {name: iso, path: pub/iso}
files:
  - {path: pub/iso/f.iso, size: %d, mtime: 2026-01-02T03:04:05Z, sha256: %x}
hosts:
`, len(file), sha256.Sum256(file))
	for i, url := range mirrors {
		own := ""
		if i == 0 {
			own = `netblocks: ["127.0.0.0/8"], `
		}
		c += fmt.Sprintf("  - {name: m%d, %surls: {iso: [%q]}}\n", i, own, url)
	}
	return c
}
