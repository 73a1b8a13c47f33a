package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	crawlweb "github.com/waypost/waypost/control/crawl/web"
	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/store"
)

// The kinds of jobs that tell people and programs something: a job for each, so
// that what one refuses or gets late is nothing to the others.
const (
	jobMail    = "mail"    // key: the address; it takes all that waits for that
	jobWebhook = "webhook" // key: the URL's host and hash, and what it is told
)

// How mail waits.
const (
	gather      = 10 * time.Second   // for others of the same trouble
	maxWait     = 3 * 24 * time.Hour // then it is no news any more
	maxInDigest = 1000
	mailTries   = 10 // with the queue's pauses: for 4 hours
)

// A mailOrder is the payload of a mail job.
type mailOrder struct {
	To string `json:"to"`
}

// A webhookOrder is the payload of a webhook job.
type webhookOrder struct {
	URL     string         `json:"url"`
	Ours    bool           `json:"ours,omitempty"` // the configuration has it
	Message notify.Message `json:"message"`
}

// openNotify makes the sender of a configuration, nil if it has none.
func openNotify(c Config) (*notify.Sender, error) {
	if c.Notify == nil {
		return nil, nil //nolint:nilnil // nobody is told
	}
	s, err := notify.Open(*c.Notify, func(a netip.Addr) error { return crawlweb.Allowed(a, c.CrawlPrivate) })
	if err != nil {
		return nil, fmt.Errorf("control.notify: %w", err)
	}
	return s, nil
}

// tell queues a message for the operators and those it names: it is sent once
// it can be, and survives a restart. A program that dies before it has noted
// why it told may tell again.
func (s *Service) tell(ctx context.Context, m notify.Message) error { return s.post(ctx, m, true) }

// tellOnly queues a message for those it names.
func (s *Service) tellOnly(ctx context.Context, m notify.Message) error {
	return s.post(ctx, m, false)
}

// post queues a message, for all or for nobody.
func (s *Service) post(ctx context.Context, m notify.Message, operators bool) error {
	s.log.Info("told", "event", m.Event, "about", m.About, "subject", m.Subject)
	c := s.config.Notify
	if c == nil {
		return nil
	}
	to, hooks := slices.Clone(m.To), m.Webhooks
	m.To, m.Webhooks = nil, nil // nobody sees who else is told
	if _, err := json.Marshal(m); err != nil {
		return fmt.Errorf("encoding the message %s of %s: %w", m.Event, m.About, err)
	}
	var tasks []store.Task
	if operators {
		to = append(to, c.Operators...)
		for _, w := range c.Webhooks {
			if w.Wants(m.Event) {
				tasks = append(tasks, webhookTask(webhookOrder{w.URL, true, m}))
			}
		}
	}
	for _, hook := range hooks {
		tasks = append(tasks, webhookTask(webhookOrder{hook, false, m}))
	}
	if c.Mail == nil {
		to = nil
	}
	slices.Sort(to)
	letters, mails, err := s.letters(ctx, m, slices.Compact(to))
	if err != nil {
		return err
	}
	return s.store.Post(ctx, letters, append(tasks, mails...)...)
}

// letters returns a message's letters, and the jobs that will send them.
func (s *Service) letters(ctx context.Context, m notify.Message, to []string) ([]store.Letter, []store.Task, error) {
	data := encode(m)
	id, now := fingerprint(string(m.Event), m.About, m.Subject, m.Text), time.Now()
	var letters []store.Letter
	var tasks []store.Task
	for _, address := range to {
		at, err := s.mailAt(ctx, address, now)
		if err != nil {
			return nil, nil, err
		}
		letters = append(letters, store.Letter{To: address, ID: id, At: now, Data: data})
		tasks = append(tasks, mailTask(address, at))
	}
	return letters, tasks, nil
}

func mailTask(address string, at time.Time) store.Task {
	return store.Task{Kind: jobMail, Key: address, Payload: encode(mailOrder{address}), At: at, Attempts: mailTries}
}

// webhookTask returns the task of telling a webhook. One that is told the same
// of the same thing again gets the newer one, if the older still waits.
func webhookTask(o webhookOrder) store.Task {
	host := ""
	if u, err := url.Parse(o.URL); err == nil {
		host = u.Host
	}
	key := fmt.Sprintf("%s#%.8s %s %s", host, fingerprint(o.URL), o.Message.Event, o.Message.About)
	return store.Task{Kind: jobWebhook, Key: key, Payload: encode(o), Attempts: mailTries}
}

// encode returns a payload, which is known to have nothing that JSON has not.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("service: encoding a message: " + err.Error())
	}
	return string(text)
}

// fingerprint returns a short hash of texts.
func fingerprint(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// mailAt returns when the next mail to an address may go: a moment from now, so
// that what belongs together comes together, and not soon after the last one.
func (s *Service) mailAt(ctx context.Context, address string, now time.Time) (time.Time, error) {
	every := cmp.Or(s.config.Notify.DigestEvery, 5*time.Minute)
	at := now.Add(min(gather, every))
	done, err := s.store.Jobs(ctx, store.JobFilter{Kind: jobMail, Key: address, State: store.Done, Limit: 5})
	if err != nil {
		return at, err
	}
	for _, j := range done {
		if next := j.Changed.Add(every); strings.HasPrefix(j.Result, "sent") && next.After(at) {
			at = next
		}
	}
	return at, nil
}

// mail sends all that waits for an address, in one mail.
func (s *Service) mail(ctx context.Context, o mailOrder) (string, error) {
	now := time.Now()
	letters, err := s.store.Letters(ctx, o.To, maxInDigest)
	if err != nil {
		return "", err
	}
	messages, id := openLetters(letters, now)
	if len(messages) == 0 {
		return "nothing is left to be sent", s.store.DeleteLetters(ctx, letters)
	}
	at, err := s.mailAt(ctx, o.To, now)
	if err != nil {
		return "", err
	}
	if at.Sub(now) > gather { // one went out since this was queued
		return "waits for more", s.store.Enqueue(ctx, mailTask(o.To, at))
	}
	result := fmt.Sprintf("sent %d", len(messages))
	err = s.sender.Mail(ctx, o.To, id, notify.Digest(messages), now)
	s.metrics.message(ctx, jobMail, err)
	if errors.Is(err, notify.ErrRefused) {
		s.log.Warn("mail is refused", "to", o.To, "error", err)
		result = err.Error()
	} else if err != nil {
		return "", err
	}
	// what is sent is noted even when this process is about to end
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	if err = s.store.DeleteLetters(end, letters); err != nil || len(letters) < maxInDigest {
		return result, err
	}
	return result, s.store.Enqueue(end, mailTask(o.To, now.Add(cmp.Or(s.config.Notify.DigestEvery, 5*time.Minute))))
}

// openLetters returns the messages that are still news, and what tells a mail of
// just these apart: the same when it is sent again.
func openLetters(letters []store.Letter, now time.Time) (messages []notify.Message, id string) {
	ids := make([]string, 0, len(letters))
	for _, l := range letters {
		var m notify.Message
		if now.Sub(l.At) > maxWait || json.Unmarshal([]byte(l.Data), &m) != nil {
			continue
		}
		messages = append(messages, m)
		ids = append(ids, l.ID, l.At.UTC().Format(time.RFC3339Nano))
	}
	return messages, fingerprint(ids...)
}

// webhook tells a webhook.
func (s *Service) webhook(ctx context.Context, o webhookOrder) (string, error) {
	if o.Ours && !s.sender.Knows(o.URL) {
		return "", errors.New("this process's configuration does not have the webhook")
	}
	err := s.sender.Post(ctx, o.URL, o.Message, time.Now())
	s.metrics.message(ctx, jobWebhook, err)
	if errors.Is(err, notify.ErrRefused) {
		s.log.Warn("a webhook is refused", "error", err)
		return err.Error(), nil
	}
	return "told", err
}
