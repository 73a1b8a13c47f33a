package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// A Manifest is a published snapshot: the bytes that name its sections.
type Manifest struct {
	Version  uint64
	Created  time.Time
	Data     []byte
	Sections []string // their SHA-256 in hexadecimal; [Store.Manifests] leaves them out

	// RolledBackTo is the version whose content it has by a roll-back, its own
	// where that is not known; 0: it is none. While the last manifest is one, only what somebody asks for is published.
	RolledBackTo uint64
}

// PutSections keeps sections, all or none. Those that are there already are not
// written again. They stay for at least an hour, and as long as a manifest names
// them. To keep many at once is to wait for the disk once.
func (s *Store) PutSections(ctx context.Context, list ...[]byte) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		for _, data := range list {
			if err := s.putSection(ctx, tx, data); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(fmt.Sprintf("keeping %d sections", len(list)), err)
}

func (s *Store) putSection(ctx context.Context, tx *sql.Tx, data []byte) error {
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	known, err := exec(ctx, tx, `UPDATE sections SET stored_at = $1 WHERE sha256 = $2`, stamp(s.now()), name)
	if err != nil || known > 0 {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO sections (sha256, size, stored_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING`,
		name, len(data), stamp(s.now()))
	if err != nil {
		return err
	}
	return putBlob(ctx, tx, sectionBlob(name), data)
}

// Section returns a section by its SHA-256, or [ErrNotFound].
func (s *Store) Section(ctx context.Context, sha256 string) ([]byte, error) {
	return s.blob(ctx, sectionBlob(sha256))
}

// PutManifest publishes a manifest, whose sections must be there, with a version
// above all others. l is the lease of the one who publishes: if it has passed to
// somebody else nothing is published, and the error is [ErrLost].
func (s *Store) PutManifest(ctx context.Context, l Lease, m Manifest) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, l); err != nil {
			return err
		}
		var last int64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM manifests`).Scan(&last); err != nil {
			return err
		}
		if int64(m.Version) <= last {
			return fmt.Errorf("want a version above %d: %w", last, ErrConflict)
		}
		_, err := exec(ctx, tx, `INSERT INTO manifests (version, created_at, data, rolled_back_to) VALUES ($1, $2, $3, $4)`,
			int64(m.Version), stamp(m.Created), m.Data, int64(m.RolledBackTo))
		if err != nil {
			return err
		}
		for _, name := range m.Sections {
			_, err := exec(ctx, tx, `INSERT INTO manifest_sections (version, sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING`, int64(m.Version), name)
			if err != nil {
				return fmt.Errorf("naming section %s: %w", name, err)
			}
		}
		return nil
	})
	return wrap(fmt.Sprintf("publishing version %d", m.Version), err)
}

// LastManifest returns the manifest that was published last, or [ErrNotFound].
func (s *Store) LastManifest(ctx context.Context) (Manifest, error) {
	var version sql.NullInt64
	if err := s.read.QueryRowContext(ctx, `SELECT MAX(version) FROM manifests`).Scan(&version); err != nil {
		return Manifest{}, wrap("looking for the last manifest", err)
	}
	return s.Manifest(ctx, uint64(version.Int64))
}

// Manifest returns a manifest by its version, or [ErrNotFound].
func (s *Store) Manifest(ctx context.Context, version uint64) (Manifest, error) {
	doing := fmt.Sprintf("reading the manifest of version %d", version)
	m := Manifest{Version: version}
	var created, back int64
	err := s.read.QueryRowContext(ctx, `SELECT created_at, data, rolled_back_to FROM manifests WHERE version = $1`, int64(version)).
		Scan(&created, &m.Data, &back)
	if err != nil {
		return Manifest{}, found(doing, err)
	}
	m.Created, m.RolledBackTo = unstamp(created), uint64(back)
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var name string
		err = scan(&name)
		m.Sections = append(m.Sections, name)
		return err
	}, `SELECT sha256 FROM manifest_sections WHERE version = $1`, int64(version))
	return m, wrap(doing, err)
}

// Manifests returns all manifests, the newest first: their versions and times.
func (s *Store) Manifests(ctx context.Context) (list []Manifest, err error) {
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var version, created int64
		err = scan(&version, &created)
		list = append(list, Manifest{Version: uint64(version), Created: unstamp(created)})
		return err
	}, `SELECT version, created_at FROM manifests ORDER BY version DESC`)
	return list, wrap("reading the list of manifests", err)
}

// PruneManifests deletes all manifests but the newest, at least one, and the
// sections that none names and nobody has put within the last hour: a
// publisher may be about to name those.
func (s *Store) PruneManifests(ctx context.Context, keep int) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		var oldest int64
		err := tx.QueryRowContext(ctx, `SELECT version FROM manifests ORDER BY version DESC LIMIT 1 OFFSET $1`, max(keep, 1)-1).Scan(&oldest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if _, err = exec(ctx, tx, `DELETE FROM manifests WHERE version < $1`, oldest); err != nil {
			return err
		}
		var unused []string
		err = each(ctx, tx, func(scan func(...any) error) error {
			var name string
			err = scan(&name)
			unused = append(unused, name)
			return err
		}, `DELETE FROM sections WHERE stored_at < $1 AND NOT EXISTS
			(SELECT 1 FROM manifest_sections m WHERE m.sha256 = sections.sha256) RETURNING sha256`, stamp(s.now().Add(-time.Hour)))
		if err != nil {
			return err
		}
		for _, name := range unused {
			if err := deleteBlob(ctx, tx, sectionBlob(name)); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("deleting old manifests", err)
}
