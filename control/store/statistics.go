package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Count is how often something was answered, or was seen, in a minute or a day.
type Count struct {
	At        time.Time // the start of the minute or day, in UTC; zero: of a sum over time
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
	rows := combine(counts, Minute)
	err := s.update(ctx, func(tx *sql.Tx) error {
		fresh, err := exec(ctx, tx, `INSERT INTO counters (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value`, "statistics/"+source, batch)
		if err != nil || fresh == 0 {
			return err
		}
		return addCounts(ctx, tx, Minute, rows)
	})
	return wrap("adding counts of "+source, err)
}

// combine returns counts with the beginning of their span as time, each time
// and name once, in the order that all transactions write them in: so two of
// them do not wait for one another.
func combine(counts []Count, span time.Duration) []Count {
	sums := map[Count]int64{}
	for _, c := range counts {
		n := c.Count
		c.At, c.Count = c.At.UTC().Truncate(span), 0
		sums[c] += n
	}
	rows := make([]Count, 0, len(sums))
	for c, n := range sums {
		c.Count = n
		rows = append(rows, c)
	}
	slices.SortFunc(rows, func(a, b Count) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Name, b.Name))
	})
	return rows
}

// addCounts adds combined counts, many with one statement.
func addCounts(ctx context.Context, tx *sql.Tx, span time.Duration, rows []Count) error {
	for some := range slices.Chunk(rows, 200) {
		values, args := make([]string, len(some)), make([]any, 0, 6*len(some))
		for i, c := range some {
			n := len(args)
			values[i] = fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6)
			args = append(args, int64(span.Seconds()), stamp(c.At), c.Category, c.Dimension, c.Name, c.Count)
		}
		_, err := exec(ctx, tx, `INSERT INTO statistics (span, at, category, dimension, name, count) VALUES `+strings.Join(values, ", ")+`
			ON CONFLICT (span, at, category, dimension, name) DO UPDATE SET count = statistics.count + excluded.count`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// A CountFilter says which counts are wanted, and how they are added up.
type CountFilter struct {
	Dimension string

	// Category is the one that is wanted; "": all.
	Category string

	// From and To are when counts start, To not among them. Minutes that have
	// been added up to days are gone: a day counts as a whole, by its start.
	From, To time.Time

	// Span is [Minute] or [Day]; days have the minutes in them that were not
	// added up yet. 0: one sum over all the time, the largest first.
	Span time.Duration

	Limit int // how many; 0: all
}

// Counts returns counts in the order of their times, categories and names; sums
// over all time by their size.
func (s *Store) Counts(ctx context.Context, f CountFilter) (counts []Count, err error) {
	limit := int64(f.Limit)
	if limit == 0 {
		limit = never
	}
	at, span, order := "at", int64(0), "1, 2, 3"
	switch f.Span {
	case Minute:
		span = int64(Minute.Seconds())
	case Day:
		at = fmt.Sprintf("at - at %% %d", Day.Milliseconds())
	default:
		at, order = "CAST(0 AS BIGINT)", "4 DESC, 2, 3"
	}
	group := at + ", category, name"
	if f.Span == 0 {
		group = "category, name"
	}
	err = each(ctx, s.read, func(scan func(...any) error) error {
		c := Count{Dimension: f.Dimension}
		var at int64
		err = scan(&at, &c.Category, &c.Name, &c.Count)
		c.At = unstamp(at)
		counts = append(counts, c)
		return err
	}, `SELECT `+at+`, category, name, CAST(SUM(count) AS BIGINT) FROM statistics
		WHERE dimension = $1 AND ($2 = '' OR category = $2) AND at >= $3 AND at < $4 AND ($5 = 0 OR span = $5)
		GROUP BY `+group+` ORDER BY `+order+` LIMIT $6`,
		f.Dimension, f.Category, stamp(f.From), stamp(f.To), span, limit)
	return counts, wrap("reading counts", err)
}

// AgeCounts adds minutes of whole days before a time up to days, and forgets
// days before another. Minutes that come later are added when it is called
// again. It works in steps of an hour, each a transaction of its own; several
// processes may do it at once.
func (s *Store) AgeCounts(ctx context.Context, minutes, days time.Time) error {
	before := stamp(minutes.Truncate(Day))
	for {
		more, err := s.ageHour(ctx, before)
		if err != nil {
			return wrap("aging counts", err)
		}
		if !more {
			break
		}
	}
	_, err := s.exec(ctx, `DELETE FROM statistics WHERE span = $1 AND at < $2`, int64(Day.Seconds()), stamp(days.Truncate(Day)))
	return wrap("forgetting old counts", err)
}

// ageHour adds the first hour that has minutes, if it is before a time. What it
// adds is what it has deleted: a minute that comes in between stays.
func (s *Store) ageHour(ctx context.Context, before int64) (more bool, err error) {
	minute := int64(Minute.Seconds())
	err = s.update(ctx, func(tx *sql.Tx) error {
		var first sql.NullInt64
		bad := tx.QueryRowContext(ctx, `SELECT MIN(at) FROM statistics WHERE span = $1 AND at < $2`, minute, before).Scan(&first)
		if more = first.Valid; bad != nil || !more {
			return bad
		}
		end := first.Int64 - first.Int64%time.Hour.Milliseconds() + time.Hour.Milliseconds()
		var counts []Count
		bad = each(ctx, tx, func(scan func(...any) error) error {
			var c Count
			var at int64
			scanned := scan(&at, &c.Category, &c.Dimension, &c.Name, &c.Count)
			c.At = unstamp(at)
			counts = append(counts, c)
			return scanned
		}, `DELETE FROM statistics WHERE span = $1 AND at < $2 RETURNING at, category, dimension, name, count`, minute, end)
		if bad != nil {
			return bad
		}
		return addCounts(ctx, tx, Day, combine(counts, Day))
	})
	return more, err
}
