package store

import (
	"context"
	"database/sql"
	"strings"
)

func stateBlob(category string) string { return "scan/" + category }

// heldBlobs begins the names of blobs that say why a scan is held.
const heldBlobs = "held/"

// PutScanState keeps what a scan of a category leaves for the next one, in place
// of what was there.
func (s *Store) PutScanState(ctx context.Context, category string, data []byte) error {
	err := s.update(ctx, func(tx *sql.Tx) error { return putBlob(ctx, tx, stateBlob(category), data) })
	return wrap("keeping the state of scans of "+category, err)
}

// ScanState returns what the last scan of a category left, or [ErrNotFound].
func (s *Store) ScanState(ctx context.Context, category string) ([]byte, error) {
	return s.blob(ctx, stateBlob(category))
}

// HoldScan notes why what a scan of a category found does not count; "" says
// that it does.
func (s *Store) HoldScan(ctx context.Context, category, reason string) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		if reason == "" {
			return deleteBlob(ctx, tx, heldBlobs+category)
		}
		return putBlob(ctx, tx, heldBlobs+category, []byte(clean(reason)))
	})
	return wrap("holding the scan of "+category, err)
}

// HeldScans returns why scans are held, by category.
func (s *Store) HeldScans(ctx context.Context) (map[string]string, error) {
	held := map[string]string{}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var name string
		var reason []byte
		err := scan(&name, &reason)
		held[strings.TrimPrefix(name, heldBlobs)] = string(reason)
		return err
	}, `SELECT name, data FROM blobs WHERE substr(name, 1, 5) = 'held/' ORDER BY name, part`)
	return held, wrap("reading which scans are held", err)
}

// LimitHistory forgets, of each metadata file at or below a directory, all but
// the newest versions, so many.
func (s *Store) LimitHistory(ctx context.Context, below string, versions int) error {
	_, err := s.exec(ctx, `DELETE FROM file_history WHERE ($1 = '' OR path = $1 OR substr(path, 1, length($1) + 1) = $1 || '/')
		AND (SELECT COUNT(*) FROM file_history newer WHERE newer.path = file_history.path AND newer.since > file_history.since) >= $2`,
		below, versions)
	return wrap("limiting the versions of files", err)
}

// forgetScans deletes all that scans of a category left.
func forgetScans(ctx context.Context, tx *sql.Tx, category string) error {
	if _, err := exec(ctx, tx, `DELETE FROM trees WHERE category = $1`, category); err != nil {
		return err
	}
	for _, name := range []string{treeBlob(category), stateBlob(category), heldBlobs + category} {
		if err := deleteBlob(ctx, tx, name); err != nil {
			return err
		}
	}
	return nil
}
