package cluster

import (
	"bytes"
	"encoding/base64"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeyring takes keys out of a ring that is being read.
func TestKeyring(t *testing.T) {
	var lines []string
	for range 4 {
		lines = append(lines, GenerateKey())
	}
	k, err := newKeyring([]string{keyFile(t, lines...)})
	if err != nil {
		t.Fatal(err)
	}
	ids := k.ids()
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for _, key := range k.ring.GetKeys() {
					_ = bytes.Clone(key)
				}
			}
		}
	})
	second, err := base64.StdEncoding.DecodeString(lines[1])
	if err != nil {
		t.Fatal(err)
	}
	if err = k.remove(second); err != nil {
		t.Error(err)
	}
	close(stop)
	reader.Wait()
	if diff := cmp.Diff([]KeyID{ids[0], ids[2], ids[3]}, k.ids()); diff != "" {
		t.Error(diff)
	}
	if k.remove(second) == nil {
		t.Error("it was removed twice")
	}
	if id, err := ParseKeyID(ids[0].String()); err != nil || id != ids[0] {
		t.Errorf("%v, %v", id, err)
	}
}
