package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A Lease is something that one process at a time may do, until it ends or is
// renewed.
type Lease struct {
	Name  string
	fence int64
}

// Acquire takes a lease for a time unless somebody else has it. holder is for
// people. The same holder has to renew its lease, not to take it again.
func (s *Store) Acquire(ctx context.Context, name, holder string, d time.Duration) (l Lease, ok bool, err error) {
	l = Lease{Name: name}
	err = s.update(ctx, func(tx *sql.Tx) error {
		now := s.now()
		return tx.QueryRowContext(ctx, `INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, until = excluded.until
			WHERE leases.until <= $4 RETURNING fence`, name, holder, stamp(now.Add(d)), stamp(now)).Scan(&l.fence)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Lease{}, false, nil
	}
	return l, err == nil, wrap("taking the lease "+name, err)
}

// Renew makes a lease last for a time from now on, also one that has run out, if
// nobody has taken it since; otherwise it is [ErrLost].
func (s *Store) Renew(ctx context.Context, l Lease, d time.Duration) error {
	n, err := s.exec(ctx, `UPDATE leases SET until = $1 WHERE name = $2 AND fence = $3`, stamp(s.now().Add(d)), l.Name, l.fence)
	return wrap("renewing the lease "+l.Name, lost(n, err))
}

// Release ends a lease. To release one that is lost is no error.
func (s *Store) Release(ctx context.Context, l Lease) error {
	_, err := s.exec(ctx, `UPDATE leases SET until = 0 WHERE name = $1 AND fence = $2`, l.Name, l.fence)
	return wrap("releasing the lease "+l.Name, err)
}

// hold makes sure that the lease does not pass to anybody before the transaction ends.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, l Lease) error {
	return lost(exec(ctx, tx, `UPDATE leases SET fence = fence WHERE name = $1 AND fence = $2 AND until > 0`, l.Name, l.fence))
}

// lost turns an update of no row into [ErrLost].
func lost(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ErrLost
	}
	return err
}
