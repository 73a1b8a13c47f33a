package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// published is the manifest that was published last, as far as this process
// knows. All that wait for a new one look together.
type published struct {
	mu     sync.Mutex
	looked time.Time      // guarded by mu
	last   store.Manifest // guarded by mu; without data if nothing was published
	etag   string         // guarded by mu
}

// manifest returns the manifest that was published last, as of at most a poll
// ago, and its ETag.
func (s *server) manifest(ctx context.Context) (store.Manifest, string, error) {
	p := &s.published
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.Data != nil && time.Since(p.looked) < s.Poll {
		return p.last, p.etag, nil
	}
	list, err := s.Store.Manifests(ctx)
	switch {
	case err != nil:
		return store.Manifest{}, "", err
	case len(list) == 0:
		return store.Manifest{}, "", fail(http.StatusNotFound, "nothing is published yet")
	case list[0].Version != p.last.Version:
		m, err := s.Store.Manifest(ctx, list[0].Version)
		if err != nil {
			return store.Manifest{}, "", err
		}
		p.last, p.etag = m, strconv.Quote(wire.HashOf(m.Data).String())
	}
	p.looked = time.Now()
	return p.last, p.etag, nil
}

// serveManifest gives an edge the manifest that was published last, or waits
// until there is another one than the edge has.
func (s *server) serveManifest(c *call) error {
	wait, err := waiting(c)
	if err != nil {
		return err
	}
	deadlines(c.w, c.Request, saidWithin+wait)
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	defer cancel()
	has := c.tag("If-None-Match")
	for {
		m, tag, err := s.manifest(c.Context())
		if _, none := errors.AsType[*failure](err); err != nil && !none { // none: nothing is published yet
			return err
		}
		h := c.w.Header()
		h.Set("ETag", tag)
		h.Set("Cache-Control", "private, no-cache")
		switch {
		case err == nil && tag != has:
			h.Set("Content-Type", "application/octet-stream")
			_, _ = c.w.Write(m.Data) // the edge may be gone
			return nil
		case s.pause(ctx):
		case err != nil:
			return err
		default:
			c.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
}

// pause waits until the next look; false if there is none.
func (s *server) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(s.Poll):
		return true
	}
}

// waiting returns how long the caller wants to wait for news.
func waiting(c *call) (time.Duration, error) {
	text := c.parameter("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, fail(http.StatusBadRequest, "wait: want a duration such as 30s, got %.40q", text)
	}
	return min(wait, longestAsk), nil
}

// serveSection gives an edge a section, which never changes.
func (s *server) serveSection(c *call) error {
	hash, err := wire.ParseHash(c.PathValue("sha256"))
	if err != nil {
		return fail(http.StatusBadRequest, "want the SHA-256 of a section in hexadecimal: %v", err)
	}
	data, err := s.Store.Section(c.Context(), hash.String())
	if err != nil {
		return err
	}
	deadlines(c.w, c.Request, saidWithin+time.Duration(len(data)/slowest)*time.Second)
	h := c.w.Header()
	h.Set("ETag", strconv.Quote(hash.String()))
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = c.w.Write(data) // the edge may be gone
	return nil
}

// A Snapshot is a published snapshot in the history.
type Snapshot struct {
	Version uint64    `json:"version"`
	Created time.Time `json:"created"`
}

// Snapshots is the answer to GET /v1/snapshots: the newest first.
type Snapshots struct {
	Snapshots []Snapshot `json:"snapshots"`
}

func (s *server) snapshots(c *call) error {
	list, err := s.Store.Manifests(c.Context())
	if err != nil {
		return err
	}
	out := Snapshots{Snapshots: []Snapshot{}}
	for _, m := range list {
		out.Snapshots = append(out.Snapshots, Snapshot{m.Version, m.Created})
	}
	return c.json(http.StatusOK, out)
}
