package service_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// TestKey: the public half of a new key is told, and of the same key again.
func TestKey(t *testing.T) {
	c := service.KeyCommand{File: filepath.Join(t.TempDir(), "keys", "new.key")}
	var first, again strings.Builder
	for _, out := range []*strings.Builder{&first, &again} {
		if err := c.Run(out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := wire.ParsePublicKey(strings.TrimSpace(first.String())); err != nil || first.String() != again.String() {
		t.Errorf("%q, then %q: %v", first.String(), again.String(), err)
	}
}
