package publish_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/store"
)

// TestHeld: a roll-back that was made holds what nobody asks for, until a
// publication that somebody asked for was made. What failed changes nothing.
func TestHeld(t *testing.T) {
	const back, badBack, asked, badAsked = "roll-back", "failed roll-back", "publication", "failed publication"
	for _, tt := range []struct {
		name  string
		steps []string
		held  bool
	}{
		{"nothing", nil, false},
		{"failed roll-back", []string{badBack}, false},
		{"roll-back", []string{back}, true},
		{"failed roll-back after one", []string{back, badBack}, true},
		{"failed publication", []string{back, badAsked}, true},
		{"publication", []string{back, asked}, false},
		{"failed publication after one", []string{back, asked, badAsked}, false},
		{"failed roll-back after a publication", []string{back, asked, badBack}, false},
		{"roll-back after a publication", []string{back, asked, back}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			first := w.publish()
			do := map[string]func() error{
				back:    func() error { _, err := w.Rollback(t.Context(), first); return err },
				badBack: func() error { _, err := w.Rollback(t.Context(), 1); return not(err, store.ErrNotFound) },
				asked:   func() error { _, err := w.Publish(t.Context()); return err },
				badAsked: func() error {
					l, _, err := w.Store.Acquire(t.Context(), "publish", "another", time.Minute)
					_, bad := w.Publish(t.Context())
					return errors.Join(err, not(bad, publish.ErrBusy), w.Store.Release(t.Context(), l))
				},
			}
			for _, step := range tt.steps { // all within Refresh, of the same content
				if err := do[step](); err != nil {
					t.Fatalf("%s: %v", step, err)
				}
			}
			before, err := w.Store.LastManifest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.list("b")
			version, err := w.PublishUnlessHeld(t.Context())
			if tt.held != errors.Is(err, publish.ErrHeld) || !tt.held && (err != nil || version == before.Version) {
				t.Errorf("version %d after %d, %v; want held %v", version, before.Version, err, tt.held)
			}
			after, err := w.Store.LastManifest(t.Context())
			if err != nil || tt.held != (after.Version == before.Version) {
				t.Errorf("version %d is in force after %d, %v", after.Version, before.Version, err)
			}
		})
	}
}

// not returns nil for an error that is the one that is wanted.
func not(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return errors.Join(errors.New("want another error"), err)
}
