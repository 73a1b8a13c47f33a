package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/web"
)

// rollback publishes an old snapshot under a new version. It lasts until an
// operator asks for a publication.
func (s *Service) rollback(ctx context.Context, order web.Rollback) (string, error) {
	now, err := inTurn(ctx, func(ctx context.Context) (uint64, error) { return s.publisher.Rollback(ctx, order.Version) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d has the content of version %d, until the next publish is asked for", now, order.Version), nil
}

// publishNow publishes what is known now, also after a roll-back.
func (s *Service) publishNow(ctx context.Context, _ web.Publish) (string, error) {
	version, err := inTurn(ctx, func(ctx context.Context) (uint64, error) {
		return s.metrics.snapshot(func() (uint64, error) { return s.publisher.Publish(ctx) })
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d is in force", version), nil
}

// inTurn calls f again while somebody else is publishing, which takes
// seconds: who asked for it waits, and a job that fails comes back much later.
func inTurn(ctx context.Context, f func(context.Context) (uint64, error)) (version uint64, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 600 {
		if version, err = f(ctx); !errors.Is(err, publish.ErrBusy) {
			return version, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
	return version, err
}
