package store

import (
	"context"
	"database/sql"
	"time"
)

// A Letter is a message that waits for one recipient.
type Letter struct {
	To   string    // whom it is for, such as a mail address
	ID   string    // unique among those of the recipient
	At   time.Time // when it was posted
	Data string    // text without NUL, such as JSON
}

// Post keeps letters until they are deleted, and queues tasks, all or nothing.
// A letter that waits already is kept as it was.
func (s *Store) Post(ctx context.Context, letters []Letter, tasks ...Task) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		for _, l := range letters {
			_, err := exec(ctx, tx, `INSERT INTO outbox (recipient, id, at, data) VALUES ($1, $2, $3, $4)
				ON CONFLICT (recipient, id) DO NOTHING`, l.To, l.ID, stamp(l.At), clean(l.Data))
			if err != nil {
				return err
			}
		}
		return s.enqueue(ctx, tx, tasks)
	})
	return wrap("posting letters", err)
}

// Letters returns what waits for a recipient, the oldest first.
func (s *Store) Letters(ctx context.Context, to string, limit int) (letters []Letter, err error) {
	err = each(ctx, s.read, func(scan func(...any) error) error {
		l := Letter{To: to}
		var at int64
		err = scan(&l.ID, &at, &l.Data)
		l.At = unstamp(at)
		letters = append(letters, l)
		return err
	}, `SELECT id, at, data FROM outbox WHERE recipient = $1 ORDER BY at, id LIMIT $2`, to, limit)
	return letters, wrap("reading letters", err)
}

// PruneLetters deletes letters that were posted before a time.
func (s *Store) PruneLetters(ctx context.Context, before time.Time) error {
	_, err := s.exec(ctx, `DELETE FROM outbox WHERE at < $1`, stamp(before))
	return wrap("deleting old letters", err)
}

// DeleteLetters deletes letters that were sent, or never will be.
func (s *Store) DeleteLetters(ctx context.Context, letters []Letter) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		for _, l := range letters {
			if _, err := exec(ctx, tx, `DELETE FROM outbox WHERE recipient = $1 AND id = $2`, l.To, l.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("deleting letters", err)
}
