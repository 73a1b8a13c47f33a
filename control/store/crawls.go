package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// A Crawl is what a crawl of a host and category found.
type Crawl struct {
	Host, Category string
	At             time.Time // when it began
	Mode           string    // full, quick, metadata or canary
	Outcome        string    // in words: ok, failed, …
	Reason         string    // why it is not ok
	Held           string    // why its listing is not believed; "": it is
	Method         string    // by which it was listed: rsync, http, …
	Took           time.Duration

	Holds, Lacks, Unknown int // directories
	Requests, Bytes       int64

	// Details is a JSON object of all else. Sightings is one of versions of
	// metadata files: their SHA-256 by path below the category's top, "" for one
	// that nobody knows. Only the newest crawl that has sightings keeps them.
	Details, Sightings string
}

// A Notice says that people were told of something, which they are not to be
// told again and again.
type Notice struct {
	Event, About string
}

// A Settlement is all that becomes of a crawl.
type Settlement struct {
	Crawl    Crawl
	Standing Standing // of the crawl's host and category

	// Merge returns the listing to keep in place of the newest one, which is
	// empty if there is none; nil: it stays. It may be called more than once.
	// Merge itself may be nil.
	Merge func(newest registry.Listing) *registry.Listing

	Notices []Notice // what people were told because of it

	Keep int // how many crawls of a host and category are kept
}

// Settle keeps what became of a crawl, all of it or nothing. If its host is not
// in the registry any more it is [ErrNotFound].
func (s *Store) Settle(ctx context.Context, t Settlement) error {
	host, category := t.Crawl.Host, t.Crawl.Category
	t.Standing.Host, t.Standing.Category = host, category
	err := s.update(ctx, func(tx *sql.Tx) error {
		var there bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM objects WHERE kind = $1 AND key = $2)`, string(registry.KindHost), host).Scan(&there)
		switch {
		case err != nil:
			return err
		case !there:
			return ErrNotFound
		}
		if t.Merge != nil {
			if err = s.changeListing(ctx, tx, host, category, t.Merge); err != nil {
				return err
			}
		}
		if err = putCrawl(ctx, tx, t.Crawl, t.Keep); err != nil {
			return err
		}
		if err = putStanding(ctx, tx, t.Standing); err != nil {
			return err
		}
		for _, n := range t.Notices {
			if err = s.note(ctx, tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(fmt.Sprintf("keeping the crawl of %s on %s", category, host), err)
}

// ChangeListing changes the listing of a host and category, which nobody else
// changes meanwhile. change gets an empty one if there is none, and returns the
// one to keep, nil to leave it. It may be called more than once.
func (s *Store) ChangeListing(ctx context.Context, host, category string, change func(registry.Listing) *registry.Listing) error {
	err := s.update(ctx, func(tx *sql.Tx) error { return s.changeListing(ctx, tx, host, category, change) })
	return wrap(fmt.Sprintf("changing the listing of %s on %s", category, host), err)
}

func (s *Store) changeListing(ctx context.Context, tx *sql.Tx, host, category string, change func(registry.Listing) *registry.Listing) error {
	before := registry.Listing{Host: host, Category: category}
	var data []byte
	// this update changes nothing, and holds the row until the transaction ends
	err := each(ctx, tx, func(scan func(...any) error) error { return scan(&data) },
		`UPDATE listings SET seen_at = seen_at WHERE host = $1 AND category = $2 RETURNING data`, host, category)
	if err != nil {
		return err
	}
	exists := data != nil
	if exists {
		l, bad := s.codec.DecodeListing(data)
		if bad != nil {
			return bad
		}
		before = *l
	}
	after := change(before)
	if after == nil {
		return nil
	}
	statement := `INSERT INTO listings (host, category, seen_at, data) VALUES ($1, $2, $3, $4)` // one of two at once fails, and looks again
	if exists {
		statement = `UPDATE listings SET seen_at = $3, data = $4 WHERE host = $1 AND category = $2`
	}
	_, err = exec(ctx, tx, statement, host, category, stamp(after.Seen), s.codec.EncodeListing(after))
	return err
}

// putCrawl keeps a crawl, and forgets old ones.
func putCrawl(ctx context.Context, tx *sql.Tx, c Crawl, keep int) error {
	_, err := exec(ctx, tx, `INSERT INTO crawls (`+crawlColumns+`, sightings)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (host, category, at) DO NOTHING`,
		c.Host, c.Category, stamp(c.At), c.Mode, c.Outcome, clean(c.Reason), clean(c.Held), c.Method, c.Took.Milliseconds(),
		c.Holds, c.Lacks, c.Unknown, c.Requests, c.Bytes, clean(c.Details), clean(c.Sightings))
	if err != nil {
		return err
	}
	if c.Sightings != "" {
		_, err = exec(ctx, tx, `UPDATE crawls SET sightings = '' WHERE host = $1 AND category = $2 AND at < $3 AND sightings <> ''`,
			c.Host, c.Category, stamp(c.At))
		if err != nil {
			return err
		}
	}
	_, err = exec(ctx, tx, `DELETE FROM crawls WHERE host = $1 AND category = $2 AND sightings = '' AND at <
		(SELECT MIN(at) FROM (SELECT at FROM crawls WHERE host = $1 AND category = $2 ORDER BY at DESC LIMIT $3) newest)`,
		c.Host, c.Category, max(keep, 1))
	return err
}

const crawlColumns = `host, category, at, mode, outcome, reason, held, method, took, holds, lacks, unknown, requests, bytes, details`

// Crawls returns crawls, the newest first. An empty host or category is for all.
// They come without sightings, for which there is [Store.Sightings].
func (s *Store) Crawls(ctx context.Context, host, category string, limit int) (crawls []Crawl, err error) {
	var w where
	w.is("host", host)
	w.is("category", category)
	query := `SELECT ` + crawlColumns + ` FROM crawls` + w.String() + ` ORDER BY at DESC, host, category` + w.limit(limit)
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var c Crawl
		var at, took int64
		err = scan(&c.Host, &c.Category, &at, &c.Mode, &c.Outcome, &c.Reason, &c.Held, &c.Method, &took,
			&c.Holds, &c.Lacks, &c.Unknown, &c.Requests, &c.Bytes, &c.Details)
		c.At, c.Took = unstamp(at), time.Duration(took)*time.Millisecond
		crawls = append(crawls, c)
		return err
	}, query, w.args...)
	return crawls, wrap("reading crawls", err)
}

// Sightings calls f with the newest sightings of each host and category, as
// [Crawl] has them; category may be empty for all. f's error ends it.
func (s *Store) Sightings(ctx context.Context, category string, f func(host, category, sightings string) error) error {
	w := where{conditions: []string{"sightings <> ''"}}
	w.is("category", category)
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var host, of, sightings string
		if err := scan(&host, &of, &sightings); err != nil {
			return err
		}
		return f(host, of, sightings)
	}, `SELECT host, category, sightings FROM crawls`+w.String(), w.args...)
	return wrap("reading sightings", err)
}

// Seen returns when it was last known what each host holds of each category.
func (s *Store) Seen(ctx context.Context) (map[Place]time.Time, error) {
	seen := map[Place]time.Time{}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var p Place
		var at int64
		err := scan(&p.Host, &p.Category, &at)
		seen[p] = unstamp(at)
		return err
	}, `SELECT host, category, seen_at FROM listings`)
	return seen, wrap("reading when hosts were seen", err)
}

// note notes that people were told.
func (s *Store) note(ctx context.Context, tx *sql.Tx, n Notice) error {
	_, err := exec(ctx, tx, `INSERT INTO told (event, about, at) VALUES ($1, $2, $3)
		ON CONFLICT (event, about) DO UPDATE SET at = excluded.at`, n.Event, n.About, stamp(s.now()))
	return err
}

// Told returns when people were told of something last; zero: they were not.
func (s *Store) Told(ctx context.Context, event, about string) (at time.Time, err error) {
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var ms int64
		err = scan(&ms)
		at = unstamp(ms)
		return err
	}, `SELECT at FROM told WHERE event = $1 AND about = $2`, event, about)
	return at, wrap("reading what people were told", err)
}

// Pending returns the keys of the jobs of a kind that are queued or run.
func (s *Store) Pending(ctx context.Context, kind string) (map[string]bool, error) {
	keys := map[string]bool{}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		keys[key] = true
		return err
	}, `SELECT key FROM jobs WHERE kind = $1 AND state = 'queued' UNION ALL SELECT key FROM jobs WHERE kind = $1 AND state = 'running'`, kind)
	return keys, wrap("reading which jobs are to be done", err)
}
