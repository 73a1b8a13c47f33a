package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A FileVersion is a version of a metadata file.
type FileVersion struct {
	registry.File

	Since time.Time // when it became the current one
}

// NoteFile keeps a version of a metadata file, which must have its SHA-256, as
// the current one since a time. If it is the current one already, nothing
// changes; if it was one before, it is it again.
func (s *Store) NoteFile(ctx context.Context, path string, f registry.File, since time.Time) error {
	var hex [snapshot.HashKinds]string
	if f.Hashes != nil {
		hex = hexadecimal(f.Hashes)
	}
	if hex[snapshot.SHA256] == "" {
		return fmt.Errorf("noting a version of %s: want its SHA-256", path)
	}
	_, err := s.exec(ctx, `INSERT INTO file_history (path, sha256, since, size, mtime, md5, sha1, sha512) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (path, sha256) DO UPDATE SET since = excluded.since, size = excluded.size, mtime = excluded.mtime
		WHERE EXISTS (SELECT 1 FROM file_history newer WHERE newer.path = file_history.path AND newer.since > file_history.since)`,
		path, hex[snapshot.SHA256], stamp(since), f.Size, f.Changed, hex[snapshot.MD5], hex[snapshot.SHA1], hex[snapshot.SHA512])
	return wrap("noting a version of "+path, err)
}

func hexadecimal(h *registry.Hashes) (text [snapshot.HashKinds]string) {
	for k, sum := range h {
		text[k] = hex.EncodeToString(sum)
	}
	return text
}

// History returns the versions of all metadata files by their whole paths, the
// newest first. The name of each file is empty.
func (s *Store) History(ctx context.Context) (map[string][]FileVersion, error) {
	return s.HistoryBelow(ctx, "")
}

// HistoryBelow is [Store.History] of the files at or below a directory; "" is all.
func (s *Store) HistoryBelow(ctx context.Context, below string) (map[string][]FileVersion, error) {
	history := map[string][]FileVersion{}
	var w where
	if below != "" { // no range: in PostgreSQL it would depend on the locale
		w.add("(path = %[1]s OR substr(path, 1, length(%[1]s) + 1) = %[1]s || '/')", below)
	}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var path string
		var hex [snapshot.HashKinds]string
		var since int64
		var f FileVersion
		err := scan(&path, &since, &f.Size, &f.Changed, &hex[snapshot.MD5], &hex[snapshot.SHA1], &hex[snapshot.SHA256], &hex[snapshot.SHA512])
		if err != nil {
			return err
		}
		version := snapshot.Version{}
		for k := range snapshot.HashKinds {
			if err := version.SetHash(k, hex[k]); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		hashes := registry.Hashes(version.Hashes)
		f.Since, f.Hashes = unstamp(since), &hashes
		history[path] = append(history[path], f)
		return nil
	}, `SELECT path, since, size, mtime, md5, sha1, sha256, sha512 FROM file_history`+w.String()+` ORDER BY since DESC`, w.args...)
	return history, wrap("reading versions of files", err)
}

// AgeHistory forgets versions, of all files at or below a directory, that
// another one has replaced before a time. The current ones stay. With the
// present as the time it is an emergency expiry: no old metadata is good any
// more. It returns how many versions were forgotten.
func (s *Store) AgeHistory(ctx context.Context, below string, replacedBefore time.Time) (int, error) {
	n, err := s.exec(ctx, `DELETE FROM file_history WHERE ($1 = '' OR path = $1 OR substr(path, 1, length($1) + 1) = $1 || '/')
		AND EXISTS (SELECT 1 FROM file_history newer WHERE newer.path = file_history.path
			AND newer.since > file_history.since AND newer.since <= $2)`, below, stamp(replacedBefore))
	return int(n), wrap("forgetting old versions of files", err)
}

// KindFile is the kind of metadata files in the audit log: they are no objects.
const KindFile registry.Kind = "file"

// ExpireHistory forgets at once, of each metadata file at or below a path, all
// versions but the newest and as many older ones as are to be kept; "" is all.
// Files that lose some are in the audit log under the kind file, with the
// SHA-256 of what they had and have, and the registry's change moves on, so
// that every process publishes. It returns how many versions were forgotten.
func (s *Store) ExpireHistory(ctx context.Context, who, below string, older int) (int, error) {
	gone := 0
	err := s.update(ctx, func(tx *sql.Tx) error {
		change, err := raise(ctx, tx, "change", 1)
		if err != nil {
			return err
		}
		files, err := versionsBelow(ctx, tx, below)
		if err != nil {
			return err
		}
		a, item := &applying{who: who, at: s.now(), change: change, tx: tx}, 0
		gone = 0 // of this attempt
		for _, path := range slices.Sorted(maps.Keys(files)) {
			had := files[path]
			if len(had) <= older+1 {
				continue
			}
			if err := a.expire(ctx, item, path, had, older+1); err != nil {
				return err
			}
			gone, item = gone+len(had)-older-1, item+1
		}
		if gone == 0 {
			return errNothing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		return 0, nil
	}
	return gone, wrap("expiring metadata", err)
}

// versionsBelow returns the SHA-256 of all versions of files, the newest first.
func versionsBelow(ctx context.Context, q querier, below string) (map[string][]string, error) {
	files := map[string][]string{}
	err := each(ctx, q, func(scan func(...any) error) error {
		var path, sum string
		err := scan(&path, &sum)
		files[path] = append(files[path], sum)
		return err
	}, `SELECT path, sha256 FROM file_history WHERE ($1 = '' OR path = $1 OR substr(path, 1, length($1) + 1) = $1 || '/')
		ORDER BY path, since DESC, sha256`, below)
	return files, err
}

// expire forgets all but the first versions of a file, and writes that down.
func (a *applying) expire(ctx context.Context, item int, path string, had []string, keep int) error {
	for _, sum := range had[keep:] {
		if _, err := exec(ctx, a.tx, `DELETE FROM file_history WHERE path = $1 AND sha256 = $2`, path, sum); err != nil {
			return err
		}
	}
	var docs [2][]byte
	for i, sums := range [][]string{had, had[:keep]} {
		var err error
		if docs[i], err = json.Marshal(map[string][]string{"sha256": sums}); err != nil {
			return err
		}
	}
	_, err := exec(ctx, a.tx, `INSERT INTO audit (change, item, at, who, kind, key, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.change, item, stamp(a.at), a.who, KindFile, path, string(docs[0]), string(docs[1]))
	return err
}
