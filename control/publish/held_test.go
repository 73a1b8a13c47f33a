package publish_test

import (
	"context"
	"errors"
	"testing"

	"github.com/waypost/waypost/control/publish"
)

// TestHeld: whoever has looked whether to publish before a roll-back was asked
// for, and comes to it after that was made, looks again.
func TestHeld(t *testing.T) {
	w := newWorld(t)
	first := w.publish()
	w.list("b")
	changed := w.publish()
	var back uint64
	held := func(ctx context.Context) (bool, error) {
		if _, err := w.Rollback(ctx, first); !errors.Is(err, publish.ErrBusy) {
			t.Errorf("a roll-back beside a publication: %v", err)
		}
		return back > 0, nil
	}
	if version, err := w.PublishUnless(t.Context(), held); err != nil || version != changed {
		t.Errorf("version %d, %v, want %d", version, err, changed)
	}
	var err error
	if back, err = w.Rollback(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err = w.PublishUnless(t.Context(), held); !errors.Is(err, publish.ErrHeld) {
		t.Errorf("published over a roll-back: %v", err)
	}
	if m, err := w.Store.LastManifest(t.Context()); err != nil || m.Version != back {
		t.Errorf("version %d is in force, %v, want %d", m.Version, err, back)
	}
}
