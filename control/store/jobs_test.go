package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// take takes a job of the kind crawl and says what it got.
func take(t *testing.T, s *store.Store, worker string) (store.Job, string) {
	t.Helper()
	j, ok, err := s.Take(t.Context(), worker, []string{"scan", "crawl"}, time.Minute)
	must(t, err)
	if !ok {
		return j, "nothing"
	}
	return j, fmt.Sprint(j.Key, " ", j.Payload, " ", j.Attempt)
}

func wantTaken(t *testing.T, s *store.Store, worker, want string) store.Job {
	t.Helper()
	j, got := take(t, s, worker)
	if got != want {
		t.Errorf("%s took %s, want %s", worker, got, want)
	}
	return j
}

func TestJobs(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		crawl := func(key, payload string, in time.Duration) store.Task {
			return store.Task{Kind: "crawl", Key: key, Payload: payload, At: c.now().Add(in)}
		}
		must(t, s.Enqueue(t.Context(), crawl("a", "1", time.Hour), crawl("b", "1", time.Second), store.Task{Kind: "mail", Key: "x"}))
		must(t, s.Enqueue(t.Context(), crawl("a", "2", 0)))         // earlier, with a new payload
		must(t, s.Enqueue(t.Context(), crawl("b", "2", time.Hour))) // not later

		a := wantTaken(t, s, "w1", "a 2 1")
		wantTaken(t, s, "w1", "nothing")
		c.move(time.Second)
		b := wantTaken(t, s, "w1", "b 2 1")

		// one that is queued while it runs waits until that is over
		must(t, s.Enqueue(t.Context(), crawl("a", "3", 0)))
		wantTaken(t, s, "w2", "nothing")
		must(t, s.Finish(t.Context(), a, "fine\x00\xff"))
		wantTaken(t, s, "w2", "a 3 1")
		if err := s.Finish(t.Context(), a, ""); !errors.Is(err, store.ErrLost) {
			t.Errorf("a job is finished twice: %v", err)
		}

		// a failure comes back, later and later
		must(t, s.Fail(t.Context(), b, errors.New("no answer")))
		wantTaken(t, s, "w2", "nothing")
		c.move(46 * time.Second)
		b = wantTaken(t, s, "w2", "b 2 2")
		must(t, s.Fail(t.Context(), b, errors.New("no answer")))
		c.move(46 * time.Second)
		wantTaken(t, s, "w2", "a 3 2") // whose worker did not extend its lease
		c.move(46 * time.Second)
		b = wantTaken(t, s, "w2", "b 2 3")

		// a failure for which a newer one waits already is over
		must(t, s.Enqueue(t.Context(), crawl("b", "4", 0)))
		must(t, s.Fail(t.Context(), b, errors.New("no answer")))
		b = wantTaken(t, s, "w2", "b 4 1")
		must(t, s.Return(t.Context(), b))
		wantTaken(t, s, "w2", "b 4 1")

		jobs, err := s.Jobs(t.Context(), store.JobFilter{Kind: "crawl", State: store.Failed})
		must(t, err)
		if len(jobs) != 1 || jobs[0].Result != "no answer" || jobs[0].Worker != "w2" {
			t.Errorf("failed jobs: %+v", jobs)
		}
		for _, f := range []struct {
			keys []string
			want int
		}{{nil, 5}, {[]string{}, 0}, {[]string{"b"}, 2}, {[]string{"b", "a", "c"}, 4}} {
			jobs, err = s.Jobs(t.Context(), store.JobFilter{Keys: f.keys})
			if must(t, err); len(jobs) != f.want {
				t.Errorf("want %d jobs of %q, got %+v", f.want, f.keys, jobs)
			}
		}
		must(t, s.PruneJobs(t.Context(), c.now().Add(time.Second)))
		jobs, err = s.Jobs(t.Context(), store.JobFilter{})
		must(t, err)
		if len(jobs) != 3 {
			t.Errorf("after pruning want those that run and wait, got %+v", jobs)
		}
	})
}

// TestUnited queues what was queued for another reason already.
func TestUnited(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		queue := func(payload string, in time.Duration) {
			task := store.Task{Kind: "crawl", Key: "a", Payload: payload, At: c.now().Add(in)}
			must(t, s.EnqueueUnited(t.Context(), task, func(queued string) (string, error) { return queued + payload, nil }))
		}
		queue("1", time.Hour)
		queue("2", 0)
		queue("3", time.Hour)
		wantTaken(t, s, "w1", "a 123 1")
		queue("4", 0) // the one that runs may have begun too early
		no := errors.New("no")
		if err := s.EnqueueUnited(t.Context(), store.Task{Kind: "crawl", Key: "a"}, func(string) (string, error) { return "", no }); !errors.Is(err, no) {
			t.Errorf("%v, want %v", err, no)
		}
		if got, _, err := s.Take(t.Context(), "w2", []string{"crawl"}, time.Minute); err != nil || got.Payload != "" {
			t.Errorf("took %+v, %v while another one runs", got, err)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { queue("x", 0) })
		}
		all.Wait()
		jobs, err := s.Jobs(t.Context(), store.JobFilter{State: store.Queued})
		if err != nil || len(jobs) != 1 || jobs[0].Payload != "4"+strings.Repeat("x", 20) {
			t.Errorf("queued are %+v, %v", jobs, err)
		}
	})
}

// The jobs of a worker that is gone are taken over, and what it does later does not count.
func TestTakenOver(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		must(t, s.Enqueue(t.Context(), store.Task{Kind: "crawl", Key: "a", Attempts: 2}))
		first := wantTaken(t, s, "w1", "a  1")
		c.move(50 * time.Second)
		must(t, s.Extend(t.Context(), first, time.Minute))
		c.move(50 * time.Second)
		wantTaken(t, s, "w2", "nothing")
		c.move(10 * time.Second)
		second := wantTaken(t, s, "w2", "a  2")
		for name, err := range map[string]error{
			"extend": s.Extend(t.Context(), first, time.Minute), "finish": s.Finish(t.Context(), first, ""),
			"fail": s.Fail(t.Context(), first, errors.New("x")), "return": s.Return(t.Context(), first),
		} {
			if !errors.Is(err, store.ErrLost) {
				t.Errorf("%s a job that has passed to another: %v", name, err)
			}
		}
		c.move(time.Minute)
		must(t, s.Extend(t.Context(), second, time.Minute)) // late, but nobody has taken it
		c.move(time.Minute)
		wantTaken(t, s, "w3", "nothing") // it has had its attempts
		jobs, err := s.Jobs(t.Context(), store.JobFilter{})
		must(t, err)
		if len(jobs) != 1 || jobs[0].State != store.Failed || jobs[0].Result != "its worker vanished" {
			t.Errorf("jobs: %+v", jobs)
		}
	})
}

func TestLeases(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		acquire := func(holder string, want bool) store.Lease {
			t.Helper()
			l, ok, err := s.Acquire(t.Context(), "publish", holder, time.Minute)
			must(t, err)
			if ok != want {
				t.Errorf("%s has it: %v, want %v", holder, ok, want)
			}
			return l
		}
		a := acquire("a", true)
		acquire("b", false)
		c.move(50 * time.Second)
		must(t, s.Renew(t.Context(), a, time.Minute))
		c.move(50 * time.Second)
		acquire("b", false)
		c.move(10 * time.Second)
		b := acquire("b", true)
		if err := s.Renew(t.Context(), a, time.Minute); !errors.Is(err, store.ErrLost) {
			t.Errorf("a lost lease is renewed: %v", err)
		}
		must(t, s.Release(t.Context(), a)) // not b's
		acquire("c", false)
		must(t, s.Release(t.Context(), b))
		acquire("c", true)
	})
}

// Workers of two processes do every job once, no two jobs of one key at a time.
func TestWork(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		const jobs, workers = 60, 4
		stores := []*store.Store{open(t, database, nil), open(t, database, nil)}
		var tasks []store.Task
		for i := range jobs {
			tasks = append(tasks, store.Task{Kind: "crawl", Key: fmt.Sprint(i)})
		}
		must(t, stores[0].Enqueue(t.Context(), tasks...))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var done atomic.Int64
		var running sync.Map
		do := func(_ context.Context, j store.Job) (string, error) {
			if done.Add(1) == jobs {
				stop()
			}
			if _, twice := running.LoadOrStore(j.Key, true); twice {
				return "", errors.New("it runs twice")
			}
			return "done", nil
		}
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				w := store.Worker{Name: fmt.Sprint("w", i), Kinds: []string{"crawl"}, Poll: 10 * time.Millisecond}
				stores[i%2].Work(ctx, w, do, func(err error) {
					if err != nil {
						t.Error(err)
					}
				})
			})
		}
		wg.Wait()
		list, err := stores[0].Jobs(t.Context(), store.JobFilter{State: store.Done})
		must(t, err)
		if len(list) != jobs {
			t.Errorf("%d jobs are done, want %d", len(list), jobs)
		}
	})
}

// A worker that is stopped returns its job; one whose job has passed to another
// is told, and what it says then does not count.
func TestWorkEnds(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		must(t, s.Enqueue(t.Context(), store.Task{Kind: "crawl", Key: "a"}))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		w := store.Worker{Name: "w1", Kinds: []string{"crawl"}, Poll: time.Millisecond, Lease: 30 * time.Millisecond}
		var runs []string
		s.Work(ctx, w, func(ctx context.Context, j store.Job) (string, error) {
			if len(runs) == 0 { // another worker takes it over
				var over store.Job
				for ok := false; !ok; { // w1 may renew its lease between the two
					c.move(time.Second)
					var err error
					over, ok, err = s.Take(t.Context(), "w2", w.Kinds, time.Hour)
					must(t, err)
				}
				<-ctx.Done()
				runs = append(runs, context.Cause(ctx).Error())
				must(t, s.Return(t.Context(), over))
				return "", ctx.Err()
			}
			stop()
			<-ctx.Done()
			runs = append(runs, fmt.Sprint("stopped in attempt ", j.Attempt))
			return "", ctx.Err()
		}, func(error) {})
		if want := "[crawl a: the lease has passed to somebody else stopped in attempt 2]"; fmt.Sprint(runs) != want {
			t.Errorf("got %v, want %s", runs, want)
		}
		wantTaken(t, s, "w3", "a  2")
	})
}
