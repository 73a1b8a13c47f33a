package service

import (
	"context"
	"time"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// jobAge is the kind of jobs that forget what is old. That of all processes of a
// database is one.
const jobAge = "age"

// ageEvery is how often it is looked for what is old.
const ageEvery = time.Hour

// AgingConfig says how long what is history is kept.
type AgingConfig struct {
	// Minutes is after what time statistics of minutes are added up to days.
	// Only whole days are. Default: 48h.
	Minutes time.Duration `yaml:"minutes"`

	// Days is how long statistics of days are kept. Default: 17520h, two years.
	Days time.Duration `yaml:"days"`

	// Jobs is how long it is kept what became of a job. Default: 720h, 30 days.
	Jobs time.Duration `yaml:"jobs"`

	// Audit is how long the audit log is kept. Default: for ever.
	Audit time.Duration `yaml:"audit"`
}

func (c *AgingConfig) check(doc *strict.Doc) {
	for key, d := range map[string]time.Duration{"minutes": c.Minutes, "days": c.Days, "jobs": c.Jobs, "audit": c.Audit} {
		if d != 0 && d < time.Hour {
			doc.Problem("control.aging."+key, "want a time of at least 1h, got %s", d)
		}
	}
}

func (c AgingConfig) withDefaults() AgingConfig {
	const year = 365 * store.Day
	for _, d := range []struct {
		of *time.Duration
		is time.Duration
	}{{&c.Minutes, 2 * store.Day}, {&c.Days, 2 * year}, {&c.Jobs, 30 * store.Day}} {
		if *d.of == 0 {
			*d.of = d.is
		}
	}
	return c
}

// aging queues the job that forgets what is old, until ctx ends.
func (s *Service) aging(ctx context.Context) {
	tick := time.NewTicker(ageEvery)
	defer tick.Stop()
	for {
		s.trouble(s.store.Enqueue(ctx, store.Task{Kind: jobAge, Payload: "{}", Attempts: 2}))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// age forgets what is old.
func (s *Service) age(ctx context.Context, _ struct{}) (string, error) {
	c, now := s.config.Aging, time.Now()
	if err := s.store.AgeCounts(ctx, now.Add(-c.Minutes), now.Add(-c.Days)); err != nil {
		return "", err
	}
	if err := s.store.PruneJobs(ctx, now.Add(-c.Jobs)); err != nil {
		return "", err
	}
	if err := s.store.PruneLetters(ctx, now.Add(-maxWait)); err != nil { // the mail server was away for as long
		return "", err
	}
	if c.Audit > 0 {
		if err := s.store.PruneAudit(ctx, now.Add(-c.Audit)); err != nil {
			return "", err
		}
	}
	return "what is old is forgotten", nil
}
