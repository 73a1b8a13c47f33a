package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Worker says how [Store.Work] works.
type Worker struct {
	// Name tells workers apart: it must be unique, such as HOST-PROCESS-NUMBER.
	Name string

	// Kinds are the kinds of jobs that it takes.
	Kinds []string

	// Lease is after what time a job is taken over when its worker is gone; 0: 1m.
	// It is renewed three times as often.
	Lease time.Duration

	// Poll is how often it looks for jobs when there are none; 0: 2s.
	Poll time.Duration
}

// Work takes jobs one by one and hands them to do, until ctx ends: its context
// ends with ctx, or when the job has passed to another worker ([ErrLost]). What
// do returns is the job's result or failure. When ctx ends before do is done the
// job is returned, to be taken by another worker at once. The database being
// away is waited for: the last error is given to trouble, nil when it is over.
func (s *Store) Work(ctx context.Context, w Worker, do func(context.Context, Job) (string, error), trouble func(error)) {
	if w.Lease == 0 {
		w.Lease = time.Minute
	}
	if w.Poll == 0 {
		w.Poll = 2 * time.Second
	}
	for ctx.Err() == nil {
		j, ok, err := s.Take(ctx, w.Name, w.Kinds, w.Lease)
		if ok {
			err = s.run(ctx, w, j, do)
		}
		if ctx.Err() == nil {
			trouble(err)
		}
		if err != nil || !ok {
			_ = pause(ctx, w.Poll)
		}
	}
}

// run does a job under its lease.
func (s *Store) run(ctx context.Context, w Worker, j Job, do func(context.Context, Job) (string, error)) error {
	running, cancel := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keep(running, w, j, cancel)
	}()
	result, err := do(running, j)
	lost := errors.Is(context.Cause(running), ErrLost)
	cancel(nil)
	<-kept
	if lost {
		return nil // another worker has it; what became of it here does not count
	}
	// what became of the job is written down even when ctx has ended
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	switch {
	case err == nil:
		err = s.Finish(end, j, result)
	case ctx.Err() != nil:
		err = s.Return(end, j)
	default:
		err = s.Fail(end, j, err)
	}
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// keep extends the lease until the context ends, which it ends itself when the job is lost.
func (s *Store) keep(ctx context.Context, w Worker, j Job, cancel context.CancelCauseFunc) {
	for pause(ctx, w.Lease/3) == nil {
		if err := s.Extend(ctx, j, w.Lease); errors.Is(err, ErrLost) {
			cancel(fmt.Errorf("%s: %w", j.name(), ErrLost))
			return
		}
	}
}
