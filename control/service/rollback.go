package service

import (
	"context"
	"fmt"
	"time"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// rollback publishes an old snapshot under a new version. It lasts until an
// operator asks for a publication.
func (s *Service) rollback(ctx context.Context, order web.Rollback) (string, error) {
	now, err := s.publisher.Rollback(ctx, order.Version)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d has the content of version %d, until the next publish is asked for", now, order.Version), nil
}

// publishNow publishes what is known now, also after a roll-back.
func (s *Service) publishNow(ctx context.Context, _ web.Publish) (string, error) {
	version, err := s.metrics.snapshot(func() (uint64, error) { return s.publisher.Publish(ctx) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d is in force", version), nil
}

// held reports whether a roll-back was asked for later than a publication:
// then nothing is published by itself, by no process. The records of jobs say so.
func (s *Service) held(ctx context.Context) (bool, error) {
	var asked [2]time.Time
	for i, kind := range []string{web.JobRollback, web.JobPublish} {
		last, err := s.store.Jobs(ctx, store.JobFilter{Kind: kind, Limit: 1})
		if err != nil {
			return false, err
		}
		for _, j := range last {
			if j.State != store.Failed {
				asked[i] = j.Changed
			}
		}
	}
	return asked[0].After(asked[1]), nil
}
