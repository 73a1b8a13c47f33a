package store

import (
	"context"
	"database/sql"
	"time"
)

// Figures are what operators watch of a database.
type Figures struct {
	Jobs     map[JobOf]int // how many there are
	Version  uint64        // of the snapshot that was published last; 0: none
	Created  time.Time     // of that snapshot
	Sections int           // of that snapshot
	Bytes    int64         // of these
}

// Figures returns the figures. It costs three queries; see [Store.JobCounts].
func (s *Store) Figures(ctx context.Context) (f Figures, err error) {
	if f.Jobs, err = s.JobCounts(ctx); err != nil {
		return f, err
	}
	var version, created, bytes sql.NullInt64
	err = s.read.QueryRowContext(ctx, `SELECT MAX(version), MAX(created_at) FROM manifests
		WHERE version = (SELECT MAX(version) FROM manifests)`).Scan(&version, &created)
	if err != nil || !version.Valid {
		return f, wrap("looking for the last manifest", err)
	}
	f.Version, f.Created = uint64(version.Int64), unstamp(created.Int64)
	err = s.read.QueryRowContext(ctx, `SELECT COUNT(*), CAST(SUM(s.size) AS BIGINT) FROM manifest_sections m
		JOIN sections s ON s.sha256 = m.sha256 WHERE m.version = $1`, version.Int64).Scan(&f.Sections, &bytes)
	f.Bytes = bytes.Int64
	return f, wrap("measuring the last snapshot", err)
}

// PruneAudit deletes lines of the audit log from before a time.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) error {
	_, err := s.exec(ctx, `DELETE FROM audit WHERE at < $1`, stamp(before))
	return wrap("deleting old lines of the audit log", err)
}
