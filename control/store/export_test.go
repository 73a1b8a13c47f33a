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
