package cluster

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"os"
	"strings"
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

// TestKeyFileGone: a file that is gone, or of no use, is told of once, and its
// keys stay in use; so is one that others can read.
func TestKeyFileGone(t *testing.T) {
	file := keyFile(t, GenerateKey())
	chmod := func(mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(0o644)
	var log logbook
	c, err := New(Options{Config: Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), KeyFiles: []string{file}}, Name: "a", Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it is alone
	look := func(failed bool, reads, failures, exposed int) {
		t.Helper()
		for range 3 {
			if c.keys.changed() {
				c.reloadKeys()
			}
		}
		text := log.String()
		if got := strings.Count(text, "keys were read"); got != reads {
			t.Errorf("read %d times, want %d", got, reads)
		}
		if got := strings.Count(text, "the key files are of no use"); got != failures {
			t.Errorf("failed %d times, want %d", got, failures)
		}
		if got := strings.Count(text, "others can read a key file"); got != exposed {
			t.Errorf("exposed %d times, want %d", got, exposed)
		}
		if c.Counters().KeysFailed != failed || len(c.keys.ids()) != 1 {
			t.Errorf("failed: %v, %d keys", !failed, len(c.keys.ids()))
		}
	}
	look(false, 0, 0, 1)
	chmod(0o640)
	look(false, 1, 0, 1)
	if err = os.Rename(file, file+".old"); err != nil {
		t.Fatal(err)
	}
	look(true, 1, 1, 1)
	if err = os.Rename(file+".old", file); err != nil {
		t.Fatal(err)
	}
	look(false, 2, 1, 1)
}
