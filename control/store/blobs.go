package store

import (
	"context"
	"database/sql"
	"fmt"
)

// blobPart is how long the parts of a blob are: some databases dislike long
// rows, and all keep whole ones in memory.
const blobPart = 1 << 20

func treeBlob(category string) string  { return "tree/" + category }
func sectionBlob(sha256 string) string { return "section/" + sha256 }

// putBlob writes a blob in place of what had its name.
func putBlob(ctx context.Context, tx *sql.Tx, name string, data []byte) error {
	if err := deleteBlob(ctx, tx, name); err != nil {
		return err
	}
	for part := 0; part == 0 || len(data) > 0; part++ {
		n := min(blobPart, len(data))
		if _, err := exec(ctx, tx, `INSERT INTO blobs (name, part, data) VALUES ($1, $2, $3)`, name, part, notNil(data[:n])); err != nil {
			return fmt.Errorf("writing part %d of %s: %w", part, name, err)
		}
		data = data[n:]
	}
	return nil
}

// notNil returns data, but never nil, which a database takes for no value.
func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func deleteBlob(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := exec(ctx, tx, `DELETE FROM blobs WHERE name = $1`, name)
	return wrap("deleting "+name, err)
}

// blob returns a blob. One statement reads all parts, and so those of one
// version even while it is being replaced.
func (s *Store) blob(ctx context.Context, name string) (data []byte, err error) {
	some := false
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var part []byte
		err = scan(&part)
		data, some = append(data, part...), true
		return err
	}, `SELECT data FROM blobs WHERE name = $1 ORDER BY part`, name)
	if err == nil && !some {
		err = ErrNotFound
	}
	return data, wrap("reading "+name, err)
}
