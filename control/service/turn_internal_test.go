package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/control/publish"
)

// TestInTurn waits while another one publishes, but not for ever.
func TestInTurn(t *testing.T) {
	for _, tt := range []struct {
		busy int
		err  error
		want time.Duration
	}{
		{0, nil, 0}, {20, nil, 2 * time.Second}, {20, errors.New("no disk"), 2 * time.Second}, {1 << 30, publish.ErrBusy, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, calls := time.Now(), 0
			version, err := inTurn(t.Context(), func(context.Context) (uint64, error) {
				if calls++; calls <= tt.busy {
					return 0, publish.ErrBusy
				}
				return 7, tt.err
			})
			if took := time.Since(began); took != tt.want || !errors.Is(err, tt.err) || err == nil && version != 7 {
				t.Errorf("%d, %v after %s, want %v after %s", version, err, took, tt.err, tt.want)
			}
		})
	}
}
