package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Modes is how many modes crawls have: full, quick, metadata and canary.
const Modes = 4

// A Standing is how a host and category stands with the crawls. The zero value
// is that of one that was never crawled.
type Standing struct {
	Host, Category string

	// Crawled is when it was last crawled by each mode, in the order of [Modes].
	Crawled [Modes]time.Time

	Failures  int       // crawls in a row that were not good
	Out       time.Time // since when it is in no list; zero: it is
	Suspended time.Time // since when crawls have taken it out until one is good; zero: they have not
	Held      time.Time // since when listings of it are not believed; zero: they are
	Reason    string    // why it is out, suspended or held
}

const standingColumns = `host, category, full_at, quick_at, metadata_at, canary_at, failures, out_at, suspended_at, held_at, reason`

func putStanding(ctx context.Context, tx *sql.Tx, t Standing) error {
	_, err := exec(ctx, tx, `INSERT INTO standings (`+standingColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (host, category) DO UPDATE SET full_at = excluded.full_at, quick_at = excluded.quick_at,
		metadata_at = excluded.metadata_at, canary_at = excluded.canary_at, failures = excluded.failures, out_at = excluded.out_at,
		suspended_at = excluded.suspended_at, held_at = excluded.held_at, reason = excluded.reason`,
		t.Host, t.Category, stamp(t.Crawled[0]), stamp(t.Crawled[1]), stamp(t.Crawled[2]), stamp(t.Crawled[3]),
		t.Failures, stamp(t.Out), stamp(t.Suspended), stamp(t.Held), clean(t.Reason))
	return err
}

// A Place is a host and a category that it carries.
type Place struct{ Host, Category string }

// Standings returns how all hosts and categories stand that were crawled.
func (s *Store) Standings(ctx context.Context) (map[Place]Standing, error) {
	return s.standings(ctx, "", "")
}

// Standing returns how a host and category stands.
func (s *Store) Standing(ctx context.Context, host, category string) (Standing, error) {
	all, err := s.standings(ctx, host, category)
	t := all[Place{host, category}]
	t.Host, t.Category = host, category
	return t, err
}

func (s *Store) standings(ctx context.Context, host, category string) (map[Place]Standing, error) {
	all := map[Place]Standing{}
	var w where
	w.is("host", host)
	w.is("category", category)
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var t Standing
		var crawled [Modes]int64
		var out, suspended, held int64
		err := scan(&t.Host, &t.Category, &crawled[0], &crawled[1], &crawled[2], &crawled[3], &t.Failures, &out, &suspended, &held, &t.Reason)
		for i, at := range crawled {
			t.Crawled[i] = unstamp(at)
		}
		t.Out, t.Suspended, t.Held = unstamp(out), unstamp(suspended), unstamp(held)
		all[Place{t.Host, t.Category}] = t
		return err
	}, `SELECT `+standingColumns+` FROM standings`+w.String(), w.args...)
	return all, wrap("reading how hosts stand", err)
}

// Forgive forgets how a host and category stands, as when it is not crawled any
// more but speaks for itself.
func (s *Store) Forgive(ctx context.Context, host, category string) error {
	_, err := s.exec(ctx, `DELETE FROM standings WHERE host = $1 AND category = $2`, host, category)
	return wrap(fmt.Sprintf("forgetting how %s on %s stands", category, host), err)
}
