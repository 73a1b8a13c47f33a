package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A Task is what is to be done. Of one kind and key at most one is queued and
// at most one runs.
type Task struct {
	Kind string
	Key  string

	// Payload is for the worker. It is text without NUL, such as JSON. Of a job
	// that is done it is not kept: that of a check-in has megabytes.
	Payload string

	// At is when it may start; zero: now.
	At time.Time

	// Attempts is how often it is tried, also by workers that vanish; 0: 5.
	Attempts int
}

// A Job is a task in the hands of a worker, or a record of it.
type Job struct {
	Task

	ID      int64
	State   JobState
	Attempt int       // which one this is, from 1; 0: not tried yet
	Worker  string    // who runs it, or did last
	Result  string    // what came of it: of a failed attempt, its error
	Changed time.Time // when its state changed last
}

// A JobState is what has become of a job.
type JobState string

// The states of jobs.
const (
	Queued  JobState = "queued"
	Running JobState = "running"
	Done    JobState = "done"
	Failed  JobState = "failed" // after its last attempt
)

const (
	defaultAttempts = 5
	firstPause      = 30 * time.Second // after a first failure; doubled after each
	longestPause    = time.Hour

	never = 1 << 62 // when a job that is over is ready
)

// Enqueue queues tasks, all or none. Where one of the same kind and key is
// queued already, it gets the new payload and the earlier of both times. One
// that is running does not count: it may have begun too early to see why the
// new one was queued, which starts when it is over.
func (s *Store) Enqueue(ctx context.Context, tasks ...Task) error {
	return s.update(ctx, func(tx *sql.Tx) error { return s.enqueue(ctx, tx, tasks) })
}

// enqueue queues tasks in a transaction.
func (s *Store) enqueue(ctx context.Context, tx *sql.Tx, tasks []Task) error {
	for _, t := range tasks {
		_, err := s.insertJob(ctx, tx, t, `UPDATE SET payload = excluded.payload,
			ready_at = CASE WHEN excluded.ready_at < jobs.ready_at THEN excluded.ready_at ELSE jobs.ready_at END`)
		if err != nil {
			return err
		}
	}
	return nil
}

// insertJob queues a task, and says how many rows it wrote. Where one of its
// kind and key is queued, conflict, in SQL, says what to do.
func (s *Store) insertJob(ctx context.Context, tx *sql.Tx, t Task, conflict string) (int64, error) {
	now := s.now()
	if t.At.IsZero() {
		t.At = now
	}
	if t.Attempts == 0 {
		t.Attempts = defaultAttempts
	}
	n, err := exec(ctx, tx, `INSERT INTO jobs (id, kind, key, payload, state, ready_at, worker, attempts, max_attempts, result, changed_at)
		VALUES ($1, $2, $3, $4, 'queued', $5, '', 0, $6, '', $7)
		ON CONFLICT (kind, key) WHERE state = 'queued' DO `+conflict,
		rand.Int64(), t.Kind, t.Key, t.Payload, stamp(t.At), t.Attempts, stamp(now)) //nolint:gosec // an identifier is no secret
	if err != nil {
		return 0, fmt.Errorf("queueing %s %s: %w", t.Kind, t.Key, err)
	}
	return n, nil
}

// EnqueueUnited queues a task like [Store.Enqueue], but where one of the same
// kind and key is queued already, the payload becomes what unite makes of that
// one's: what it was queued for is done, too. unite may be called more than once.
func (s *Store) EnqueueUnited(ctx context.Context, t Task, unite func(queued string) (string, error)) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		for {
			made, err := s.insertJob(ctx, tx, t, `NOTHING`)
			if made > 0 || err != nil {
				return err
			}
			var queued string
			err = tx.QueryRowContext(ctx, `UPDATE jobs SET payload = payload WHERE CAST(kind AS TEXT) = $1 AND key = $2 AND state = 'queued'
				RETURNING payload`, t.Kind, t.Key).Scan(&queued) // as an update, which keeps others from it until this is committed
			if errors.Is(err, sql.ErrNoRows) {
				continue // a worker has just taken it
			}
			united := t
			if err == nil {
				united.Payload, err = unite(queued)
			}
			if err != nil {
				return fmt.Errorf("queueing %s %s: %w", t.Kind, t.Key, err)
			}
			return s.enqueue(ctx, tx, []Task{united})
		}
	})
}

// Take gives a worker the job that has been ready for longest of some kinds,
// and a lease on it for a time. A running job whose lease has run out is ready
// again, until it has had its attempts. ok is false if there is none. The CAST
// keeps SQLite from going through all jobs of a kind, of which most are over.
func (s *Store) Take(ctx context.Context, worker string, kinds []string, lease time.Duration) (j Job, ok bool, err error) {
	now := s.now()
	args := []any{worker, stamp(now.Add(lease)), stamp(now)}
	var places []string
	for _, kind := range kinds {
		args = append(args, kind)
		places = append(places, fmt.Sprint("$", len(args)))
	}
	if len(kinds) == 0 {
		return Job{}, false, nil
	}
	err = s.update(ctx, func(tx *sql.Tx) error {
		_, err = exec(ctx, tx, `UPDATE jobs SET state = 'failed', result = 'its worker vanished', changed_at = $1, ready_at = $2
			WHERE state = 'running' AND ready_at <= $1 AND attempts >= max_attempts`, stamp(now), int64(never))
		if err != nil {
			return err
		}
		j, err = scanJob(tx.QueryRowContext(ctx, `UPDATE jobs SET state = 'running', worker = $1, attempts = attempts + 1, ready_at = $2, changed_at = $3
			WHERE id = (SELECT j.id FROM jobs j WHERE j.ready_at <= $3 AND CAST(j.kind AS TEXT) IN (`+strings.Join(places, ", ")+`)
				AND (j.state = 'running' OR NOT EXISTS (SELECT 1 FROM jobs r WHERE r.kind = j.kind AND r.key = j.key AND r.state = 'running'))
				ORDER BY j.ready_at LIMIT 1`+s.skipLocked+`)
			RETURNING `+jobColumns, args...).Scan)
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil // commits what has failed
		}
		return err
	})
	return j, ok && err == nil, wrap("taking a job", err)
}

const jobColumns = `id, kind, key, payload, state, ready_at, worker, attempts, max_attempts, result, changed_at`

func scanJob(scan func(...any) error) (j Job, err error) {
	var ready, changed int64
	err = scan(&j.ID, &j.Kind, &j.Key, &j.Payload, &j.State, &ready, &j.Worker, &j.Attempt, &j.Attempts, &j.Result, &changed)
	if ready != never {
		j.At = unstamp(ready)
	}
	j.Changed = unstamp(changed)
	return j, err
}

// mine is the condition under which a job is still in the hands of the worker
// that took it; attempts is its fence.
const mine = ` WHERE id = $1 AND worker = $2 AND attempts = $3 AND state = 'running'`

// Extend makes the lease on a job last for a time from now on. If the job has
// passed to another worker it is [ErrLost].
func (s *Store) Extend(ctx context.Context, j Job, lease time.Duration) error {
	n, err := s.exec(ctx, `UPDATE jobs SET ready_at = $4`+mine, j.ID, j.Worker, j.Attempt, stamp(s.now().Add(lease)))
	return wrap("extending "+j.name(), lost(n, err))
}

// Finish ends a job that is done, and forgets those that did the same but the
// last five. result is for people. If the job has passed
// to another worker it is [ErrLost]: what was done may be done again.
func (s *Store) Finish(ctx context.Context, j Job, result string) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		err := lost(exec(ctx, tx, `UPDATE jobs SET state = 'done', payload = '', result = $4, changed_at = $5, ready_at = $6`+mine,
			j.ID, j.Worker, j.Attempt, clean(result), stamp(s.now()), int64(never)))
		if err != nil {
			return err
		}
		return forgetOver(ctx, tx, j)
	})
	return wrap("finishing "+j.name(), err)
}

// keepOver is how many jobs of a kind and key are kept that are over: thousands
// of hosts are crawled every hour, for ever.
const keepOver = 5

// forgetOver forgets older jobs that are over and did the same as j.
func forgetOver(ctx context.Context, tx *sql.Tx, j Job) error {
	const same = ` FROM jobs WHERE CAST(kind AS TEXT) = $1 AND key = $2 AND state IN ('done', 'failed')` // by the index by key
	_, err := exec(ctx, tx, `DELETE`+same+` AND changed_at <
		(SELECT MIN(changed_at) FROM (SELECT changed_at`+same+` ORDER BY changed_at DESC LIMIT $3) newest)`, j.Kind, j.Key, keepOver)
	return err
}

// Fail ends an attempt. The job is queued again, after half a minute at first
// and after up to an hour later, with some jitter; after its last attempt, or if
// another one of its kind and key waits already, it has failed.
func (s *Store) Fail(ctx context.Context, j Job, cause error) error {
	wait := min(firstPause<<min(j.Attempt-1, 20), longestPause)
	wait += rand.N(wait / 2) //nolint:gosec // jitter
	return wrap("failing "+j.name(), s.back(ctx, j, clean(cause.Error()), wait, false))
}

// Return gives a job back that its worker cannot finish for reasons of its own,
// such as that it is stopped. It is ready at once; the attempt does not count.
func (s *Store) Return(ctx context.Context, j Job) error {
	return wrap("returning "+j.name(), s.back(ctx, j, "", 0, true))
}

// back queues a running job again, or ends it.
func (s *Store) back(ctx context.Context, j Job, result string, wait time.Duration, free bool) error {
	uncount := 0
	if free {
		uncount = 1
	}
	return s.update(ctx, func(tx *sql.Tx) error {
		now := s.now()
		var another bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM jobs WHERE kind = $1 AND key = $2 AND state = 'queued')`, j.Kind, j.Key).Scan(&another)
		if err != nil {
			return err
		}
		state, ready := Queued, stamp(now.Add(wait))
		if another || j.Attempt-uncount >= j.Attempts {
			state, ready = Failed, never
		}
		err = lost(exec(ctx, tx, `UPDATE jobs SET result = $4, changed_at = $5, ready_at = $6, attempts = attempts - $7, state = $8`+mine,
			j.ID, j.Worker, j.Attempt, result, stamp(now), ready, uncount, string(state)))
		if err != nil || state != Failed {
			return err
		}
		return forgetOver(ctx, tx, j)
	})
}

func (j Job) name() string { return j.Kind + " " + j.Key }

// clean makes text fit for a database.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// A JobFilter says which jobs are wanted. Empty fields are for all.
type JobFilter struct {
	Kind  string
	Key   string
	Keys  []string // any of these; nil: all, empty: none
	State JobState
	Limit int // how many; 0: 100
}

// Jobs returns jobs, those first whose state changed last.
func (s *Store) Jobs(ctx context.Context, f JobFilter) (jobs []Job, err error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	var w where
	w.is("key", f.Key)
	if w.in("key", f.Keys); w.conditions == nil {
		w.is("kind", f.Kind)
	} else { // the index by key is the one to use
		w.is("CAST(kind AS TEXT)", f.Kind)
	}
	w.is("state", string(f.State))
	query := `SELECT ` + jobColumns + ` FROM jobs` + w.String() + ` ORDER BY changed_at DESC` + w.limit(f.Limit)
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var j Job
		j, err = scanJob(scan)
		jobs = append(jobs, j)
		return err
	}, query, w.args...)
	return jobs, wrap("reading jobs", err)
}

// PruneJobs deletes jobs that were over before a time.
func (s *Store) PruneJobs(ctx context.Context, before time.Time) error {
	_, err := s.exec(ctx, `DELETE FROM jobs WHERE changed_at < $1 AND state IN ('done', 'failed')`, stamp(before))
	return wrap("deleting old jobs", err)
}
