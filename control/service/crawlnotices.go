package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/store"
)

const (
	certificateSoon  = 14 * 24 * time.Hour // before it ends people are told
	certificateEvery = 7 * 24 * time.Hour  // and then not more often than this
	leakEvery        = 24 * time.Hour
)

// tellOf tells people what follows from a crawl, before it is kept: a process
// that is killed in between tells it again. It returns what is to be noted.
func (s *Service) tellOf(ctx context.Context, k *crawling, r *crawl.Report, d crawl.Decision, after store.Standing, now time.Time) (notices []store.Notice, err error) {
	host, place := k.order.Host, k.order.Host+" "+k.order.Category
	tell := func(m notify.Message) {
		if err == nil {
			m.About, m.At, m.Data = host, now, map[string]any{"host": host, "category": k.order.Category}
			err = s.tell(ctx, m)
		}
	}
	again := func(event notify.Event, about string, every time.Duration) bool {
		if err != nil {
			return false
		}
		var at time.Time
		at, err = s.store.Told(ctx, string(event), about)
		if err != nil || !at.IsZero() && now.Sub(at) < every {
			return false
		}
		notices = append(notices, store.Notice{Event: string(event), About: about})
		return true
	}
	switch {
	case d.Disable:
		tell(k.disabled(after))
	case d.Enable && after.Suspended.IsZero():
		tell(k.enabled(d))
	}
	if !after.Held.IsZero() && k.before.Held.IsZero() {
		tell(k.held(r))
	}
	if len(r.Leaks) > 0 && again(notify.HostLeak, place, leakEvery) {
		tell(k.leak(r))
	}
	if ending := endingCertificates(r, now); ending != nil && again(notify.CertificateEnding, host, certificateEvery) {
		tell(k.certificate(ending))
	}
	return notices, err
}

// message begins a message to those who run the host.
func (k *crawling) message(event notify.Event, subject string, text ...string) notify.Message {
	return notify.Message{
		Event: event, Subject: subject, Text: strings.Join(text, "\n") + "\n",
		To: contacts(k.world, k.site, &k.job.Host), Webhooks: k.site.Webhooks,
	}
}

func (k *crawling) disabled(after store.Standing) notify.Message {
	return k.message(notify.HostDisabled, fmt.Sprintf("%s is suspended: %s", k.order.Host, k.order.Category),
		fmt.Sprintf("The mirror %s is in no list for %s any more: %s.", k.order.Host, k.order.Category, after.Reason),
		"It is crawled less often from now on, and comes back by itself after a good crawl. Once it is repaired,",
		fmt.Sprintf("waypost ctl crawl %s %s crawls it at once; so does a check-in.", k.order.Host, k.order.Category))
}

func (k *crawling) enabled(d crawl.Decision) notify.Message {
	return k.message(notify.HostEnabled, fmt.Sprintf("%s is back: %s", k.order.Host, k.order.Category),
		fmt.Sprintf("The mirror %s is in lists for %s again: %s.", k.order.Host, k.order.Category, d.Reason))
}

// held is for the operators alone: it may well be our own master.
func (k *crawling) held(r *crawl.Report) notify.Message {
	m := k.message(notify.HostHeld, fmt.Sprintf("a crawl of %s is not believed: %s", k.order.Host, k.order.Category),
		fmt.Sprintf("The crawl of %s on %s is not believed: %s.", k.order.Category, k.order.Host, r.Held),
		"What it held before counts until a crawl finds less amiss. If it is true,",
		fmt.Sprintf("waypost ctl crawl %s %s --accept-loss makes it count.", k.order.Host, k.order.Category))
	m.To, m.Webhooks = nil, nil
	return m
}

func (k *crawling) leak(r *crawl.Report) notify.Message {
	text := []string{fmt.Sprintf("The mirror %s lets all the world read what is under embargo, in %s:", k.order.Host, k.order.Category)}
	for i, dir := range r.Leaks {
		if i == 20 {
			text = append(text, fmt.Sprintf("and %d more", len(r.Leaks)-i))
			break
		}
		text = append(text, "  "+dir)
	}
	text = append(text, "Please keep the permissions of the master: directories without the right to read and enter for others.")
	return k.message(notify.HostLeak, k.order.Host+" shows what is under embargo", text...)
}

func (k *crawling) certificate(ending []string) notify.Message {
	text := append([]string{fmt.Sprintf("Certificates of the mirror %s:", k.order.Host)}, ending...)
	return k.message(notify.CertificateEnding, "a certificate of "+k.order.Host+" ends or is not good", text...)
}

// endingCertificates says which certificates are not good, or will not be soon.
func endingCertificates(r *crawl.Report, now time.Time) (lines []string) {
	for i := range r.URLs {
		u := &r.URLs[i]
		switch {
		case u.Certificate != "":
			lines = append(lines, fmt.Sprintf("  %s: %s", u.URL, u.Certificate))
		case !u.Expires.IsZero() && u.Expires.Sub(now) < certificateSoon:
			lines = append(lines, fmt.Sprintf("  %s: it ends at %s", u.URL, u.Expires.UTC().Format(time.RFC3339)))
		}
	}
	return lines
}
