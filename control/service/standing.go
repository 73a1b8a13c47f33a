package service

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

// How a host and category stands with the crawls:
//
//	in lists ──a crawl fails──► out ──disable_after in a row──► suspended
//	    ▲                        │                                 │
//	    └──── any good crawl ────┴──── a good one of content ──────┘
//
// Each category of a host stands for itself. A mirror's trouble is often one
// tree's: a path that moved, a full disk, a module that rsync refuses; what else
// it has is good. A machine that is away fails in all categories, and so leaves
// all lists as well.

// counted returns the crawls that count, with this one, the newest last. One
// whose listing was not believed is no good one, and one that found nothing at
// all stays a bad one. That a host answers tells nothing as long as its content
// was bad when it was looked at last.
func (k *crawling) counted(r *crawl.Report) (past []crawl.Past) {
	all := append([]store.Crawl{{
		At: r.Started, Mode: k.mode(), Outcome: r.Outcome.String(), Reason: r.Reason, Held: r.Held,
	}}, k.past...)
	bad := false // the content, when it was looked at last
	for _, c := range slices.Backward(all) {
		p := crawl.Past{At: c.At, Mode: mode(c.Mode), Outcome: outcomeOf(c.Outcome), Reason: c.Reason}
		ok := p.Outcome == crawl.OK
		switch {
		case c.Mode == claimed, ok && c.Held != "", ok && p.Mode == crawl.Canary && bad:
			continue
		case p.Mode != crawl.Canary:
			bad = !ok && p.Outcome != crawl.OptedOut && p.Outcome != crawl.Interrupted
		}
		past = append(past, p)
	}
	return past
}

// outcomeOf returns the outcome of a name.
func outcomeOf(name string) crawl.Outcome {
	for o := range crawl.Interrupted {
		if o.String() == name {
			return o
		}
	}
	return crawl.Interrupted
}

// standing returns how the host and category stands after a crawl.
func (k *crawling) standing(r *crawl.Report, d crawl.Decision, now time.Time) store.Standing {
	t := k.before
	t.Host, t.Category = k.order.Host, k.order.Category
	if k.mode() == claimed {
		return t
	}
	t.Crawled[r.Mode] = now // as in crawls that take long: the time between them counts
	switch {
	case r.Outcome == crawl.Interrupted:
	case r.Outcome == crawl.OptedOut:
		if !k.job.Host.Resting(now) {
			t.Out, t.Reason = or(t.Out, now), cmp.Or(r.Reason, "it asks not to be crawled")
		}
	case r.Held != "":
		t.Held, t.Failures = or(t.Held, now), d.InARow
		if r.Fake {
			t.Out, t.Reason = or(t.Out, now), r.Held
		} else if t.Out.IsZero() {
			t.Reason = r.Held
		}
	case d.InARow > 0:
		t.Failures, t.Out, t.Held = d.InARow, or(t.Out, now), time.Time{}
		if r.Outcome != crawl.OK {
			t.Reason = cmp.Or(r.Reason, r.Outcome.String())
		}
	case r.Outcome == crawl.OK && (t.Suspended.IsZero() || d.Enable):
		t.Failures = 0
		if whole := r.Mode <= crawl.Quick; whole || t.Held.IsZero() {
			t.Out, t.Suspended, t.Held, t.Reason = time.Time{}, time.Time{}, time.Time{}, ""
		}
	}
	if d.Disable {
		t.Out, t.Suspended, t.Reason = or(t.Out, now), now, d.Reason
	}
	return t
}

// or returns a time, or another if it is not set.
func or(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}

// record returns the crawl as it is kept.
func (k *crawling) record(r *crawl.Report) (store.Crawl, error) {
	c := store.Crawl{
		Host: k.order.Host, Category: k.order.Category, At: r.Started, Mode: k.mode(), Outcome: r.Outcome.String(),
		Reason: r.Reason, Held: r.Held, Method: r.Method, Took: r.Took,
		Holds: r.Directories.Held, Lacks: r.Directories.Lacked, Unknown: r.Directories.Unknown,
		Requests: r.Requests, Bytes: r.Bytes,
	}
	text, err := json.Marshal(details(r))
	if err != nil {
		return c, fmt.Errorf("encoding a crawl: %w", err)
	}
	c.Details = string(text)
	if len(k.order.Only) == 0 && r.Mode != crawl.Canary {
		c.Sightings, err = k.sightings(r)
	}
	return c, err
}

// details returns what is kept beside the counts.
func details(r *crawl.Report) web.Details {
	d := web.Details{Files: web.FileCounts(r.Files), Dropped: r.Dropped, Leaks: r.Leaks}
	for i := range r.URLs {
		u := &r.URLs[i]
		d.URLs = append(d.URLs, web.CrawledURL{
			URL: u.URL, Private: u.Private, Works: u.Works, Status: u.Status, Error: u.Error, Certificate: u.Certificate,
			Expires: u.Expires, ToHTTP: u.ToHTTP, Elsewhere: u.Elsewhere, V4: u.V4.String(), V6: u.V6.String(), Soft: u.Soft,
		})
	}
	for _, a := range r.Attempts {
		d.Attempts = append(d.Attempts, web.CrawlAttempt{URL: a.URL, Seconds: a.Took.Seconds(), Whole: a.Whole, Error: a.Error, Stderr: a.Stderr})
	}
	for _, p := range r.Problems {
		d.Problems = append(d.Problems, web.CrawlProblem(p))
	}
	return d
}

// sightings returns the versions of metadata that were seen, "" if there are
// none. Only files of which the store keeps a history are told: those that
// metalinks are made for.
func (k *crawling) sightings(r *crawl.Report) (string, error) {
	if len(r.Versions) == 0 {
		return "", nil
	}
	place := make(map[uint32]int, len(k.job.Numbers))
	for i, n := range k.job.Numbers {
		place[n] = i
	}
	seen := map[string]string{}
	for _, v := range r.Versions {
		d := &k.job.Tree.Directories[place[v.File.Directory]]
		file := path.Join(d.Path, v.File.Name)
		older := k.job.Older(file)
		if len(older) == 0 {
			continue
		}
		var sum []byte
		if v.Current {
			for _, f := range d.Files {
				if f.Name == v.File.Name && f.Hashes != nil {
					sum = f.Hashes[snapshot.SHA256]
				}
			}
		} else if v.Older >= 0 && v.Older < len(older) {
			sum = older[v.Older].Hashes[snapshot.SHA256]
		}
		seen[file] = hex.EncodeToString(sum)
	}
	if len(seen) == 0 {
		return "", nil
	}
	text, err := json.Marshal(seen)
	if err != nil {
		return "", fmt.Errorf("encoding what was seen: %w", err)
	}
	return string(text), nil
}
