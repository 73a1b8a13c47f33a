package store

import (
	"context"
	"database/sql"
	"time"
)

// A Count is how often something was answered, or was seen, in a minute or a day.
type Count struct {
	At        time.Time // the start of the minute or day, in UTC
	Category  string
	Dimension string // what Name is: country, repository, arch, host, …
	Name      string
	Count     int64
}

// The spans of counts.
const (
	Minute = time.Minute
	Day    = 24 * time.Hour
)

// AddCounts adds counts of minutes that an edge, or another source, has sent.
// batch is the number of what it sends, growing: a batch whose number is not
// above the last one was counted before and changes nothing, so that a source
// that got no answer may send it again.
func (s *Store) AddCounts(ctx context.Context, source string, batch int64, counts []Count) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		fresh, err := exec(ctx, tx, `INSERT INTO counters (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value`, "statistics/"+source, batch)
		if err != nil || fresh == 0 {
			return err
		}
		for _, c := range counts {
			if err := addCount(ctx, tx, Minute, c); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("adding counts of "+source, err)
}

func addCount(ctx context.Context, tx *sql.Tx, span time.Duration, c Count) error {
	_, err := exec(ctx, tx, `INSERT INTO statistics (span, at, category, dimension, name, count) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (span, at, category, dimension, name) DO UPDATE SET count = statistics.count + excluded.count`,
		int64(span.Seconds()), stamp(c.At.Truncate(span)), c.Category, c.Dimension, c.Name, c.Count)
	return err
}

// Counts returns the counts of a span, [Minute] or [Day], and a dimension that
// start in [from, to), in the order of their times.
func (s *Store) Counts(ctx context.Context, span time.Duration, dimension string, from, to time.Time) (counts []Count, err error) {
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var c Count
		var at int64
		err = scan(&at, &c.Category, &c.Dimension, &c.Name, &c.Count)
		c.At = unstamp(at)
		counts = append(counts, c)
		return err
	}, `SELECT at, category, dimension, name, count FROM statistics
		WHERE span = $1 AND dimension = $2 AND at >= $3 AND at < $4 ORDER BY at, category, name`,
		int64(span.Seconds()), dimension, stamp(from), stamp(to))
	return counts, wrap("reading counts", err)
}

// AgeCounts adds minutes of whole days before a time up to days, and forgets
// days before another.
func (s *Store) AgeCounts(ctx context.Context, minutes, days time.Time) error {
	const minute, day = int64(Minute / time.Second), int64(Day / time.Second)
	before := stamp(minutes.Truncate(Day))
	err := s.update(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO statistics (span, at, category, dimension, name, count)
			SELECT CAST($1 AS BIGINT), at - at % $2, category, dimension, name, SUM(count) FROM statistics
			WHERE span = $3 AND at < $4 GROUP BY at - at % $2, category, dimension, name
			ON CONFLICT (span, at, category, dimension, name) DO UPDATE SET count = statistics.count + excluded.count`,
			day, day*1000, minute, before)
		if err != nil {
			return err
		}
		if _, err = exec(ctx, tx, `DELETE FROM statistics WHERE span = $1 AND at < $2`, minute, before); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `DELETE FROM statistics WHERE span = $1 AND at < $2`, day, stamp(days.Truncate(Day)))
		return err
	})
	return wrap("aging counts", err)
}
