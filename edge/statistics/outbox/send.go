package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"
)

// Times of sending.
const (
	answerWithin = 30 * time.Second
	firstBackoff = time.Second
	maxBackoff   = 5 * time.Minute
)

// newClient returns a client that follows no redirect, which could lead the
// token elsewhere.
func newClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: t, Timeout: answerWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Run sends what is put until ctx ends. After an error it tries again, first
// after a second and then ever less often, to once in five minutes.
func (o *Outbox) Run(ctx context.Context) {
	for failures := 0; ; {
		pause := time.Duration(0)
		if failures > 0 {
			pause = backoff(failures - 1)
		} else {
			select {
			case <-ctx.Done():
				return
			case <-o.wake:
			}
			if o.config.Spread > 0 {
				pause = rand.N(o.config.Spread) //nolint:gosec // spreads load, hides nothing
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		err := o.Send(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
		default:
			failures++
			o.config.Log.Warn("statistics wait for the control plane", "batches", o.Counters().Waiting, "error", err)
		}
	}
}

// backoff returns how long to wait after the failure of this number: a time
// that doubles up to a limit, less up to half of it at random.
func backoff(failures int) time.Duration {
	d := min(firstBackoff<<min(failures, 20), maxBackoff)
	return d - rand.N(d/2) //nolint:gosec // spreads load, hides nothing
}

// What makes a batch never be sent again.
var (
	errRefused = errors.New("refused")
	errDamaged = errors.New("damaged")
)

// Send sends all that waits, one batch after another, until one is not taken.
func (o *Outbox) Send(ctx context.Context) error {
	for {
		l, ok := o.first()
		if !ok {
			return nil
		}
		body, err := o.read(l)
		if err == nil {
			err = o.post(ctx, body)
		}
		switch {
		case err == nil:
			o.counts.sent.Add(1)
		case errors.Is(err, errDamaged):
			o.counts.dropped.Add(1)
			o.config.Log.Error("statistics are lost: they are damaged on disk", "batch", l.number, "error", err)
		case errors.Is(err, errRefused):
			o.counts.refused.Add(1)
			o.config.Log.Error("statistics are lost: the control plane does not take them", "batch", l.number, "error", err)
		default:
			o.counts.failed.Add(1)
			return err
		}
		o.end(l)
	}
}

// first returns the batch that has waited for longest.
func (o *Outbox) first() (letter, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.makeRoom(o.config.Now())
	if len(o.queue) == 0 {
		return letter{}, false
	}
	return o.queue[0], true
}

func (o *Outbox) end(l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finish(l.number)
}

// read returns the JSON of a batch.
func (o *Outbox) read(l letter) (body []byte, err error) {
	data := l.data
	if data == nil {
		data, err = os.ReadFile(o.path(l.number, waiting))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	case err != nil:
		return nil, err
	}
	if body, err = unpack(data); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return body, nil
}

// post sends a batch.
func (o *Outbox) post(ctx context.Context, body []byte) error {
	token, err := o.config.Token()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.config.URL+"/v1/statistics", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := o.client.Do(r)
	if err != nil {
		return fmt.Errorf("sending statistics: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	switch response.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("sending statistics: %w: %s: %s", errRefused, response.Status, line)
	}
	return fmt.Errorf("sending statistics: the control plane answered %s: %s", response.Status, line)
}
