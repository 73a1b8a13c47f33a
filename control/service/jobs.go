package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// A job is done by the function of its kind; the result is for people.
type job func(ctx context.Context, j store.Job) (result string, err error)

// jobs are the kinds of jobs that are done here.
func (s *Service) jobs() map[string]job {
	jobs := map[string]job{
		web.JobScan:     ordered(s.scan),
		web.JobCrawl:    ordered(s.crawl),
		web.JobPublish:  ordered(s.publishNow),
		web.JobRollback: ordered(s.rollback),
		jobAge:          ordered(s.age),
		web.JobAnnounce: ordered(s.announce),
	}
	if s.sender != nil { // else others of the database may have one
		jobs[jobMail], jobs[jobWebhook] = ordered(s.mail), ordered(s.webhook)
	}
	return jobs
}

// ordered returns a job whose payload is an order of type T.
func ordered[T any](do func(context.Context, T) (string, error)) job {
	return func(ctx context.Context, j store.Job) (string, error) {
		var order T
		if err := json.Unmarshal([]byte(j.Payload), &order); err != nil {
			return "", fmt.Errorf("reading the payload of %s %s: %w", j.Kind, j.Key, err)
		}
		return do(ctx, order)
	}
}

// kinds returns the kinds of jobs that are done here, but for some.
func (s *Service) kinds(but ...string) []string {
	jobs := s.jobs()
	for _, kind := range but {
		delete(jobs, kind)
	}
	return slices.Sorted(maps.Keys(jobs))
}

// workers returns the workers of this process. A scan of a large master takes
// long, and so do crawls: neither keeps the other waiting, nor what people ask
// for or are told.
func (s *Service) workers() []store.Worker {
	worker := func(name string, kinds ...string) store.Worker {
		return store.Worker{Name: s.worker + "-" + name, Kinds: kinds, Lease: 20 * time.Second}
	}
	list := []store.Worker{worker("scans", web.JobScan), worker("soon", s.kinds(web.JobScan, web.JobCrawl)...)}
	for n := range s.config.Workers {
		list = append(list, worker(strconv.Itoa(n), s.kinds(web.JobScan)...))
	}
	return list
}

// do does one job.
func (s *Service) do(ctx context.Context, j store.Job) (string, error) {
	do, ok := s.jobs()[j.Kind]
	if !ok {
		return "", fmt.Errorf("no such kind of job: %s", j.Kind)
	}
	return s.metrics.job(ctx, j, do)
}
