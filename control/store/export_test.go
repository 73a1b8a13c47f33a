package store

import (
	"context"
	"io/fs"
)

// OpenWith opens a database with other migrations than ours.
func OpenWith(ctx context.Context, c Config, list fs.FS) (*Store, error) { return open(ctx, c, list) }

// Migrations returns ours.
func Migrations() fs.FS { return migrations() }

// Number returns the number that a query gives.
func (s *Store) Number(ctx context.Context, query string) (n int64, err error) {
	return n, s.read.QueryRowContext(ctx, query).Scan(&n)
}

// Exec makes a change that no method makes.
func (s *Store) Exec(ctx context.Context, query string) error {
	_, err := s.exec(ctx, query)
	return err
}
