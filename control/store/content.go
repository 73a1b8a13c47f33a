package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
	"weak"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store/blob"
)

// PutTree keeps a tree in place of the one that its category had. What Scans
// says of it then is not what it said before, if only by a millisecond: it tells
// trees apart.
func (s *Store) PutTree(ctx context.Context, t *registry.Tree) error {
	data := s.codec.EncodeTree(t)
	err := s.update(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO trees (category, scanned_at) VALUES ($1, $2)
			ON CONFLICT (category) DO UPDATE SET scanned_at =
			CASE WHEN excluded.scanned_at <> trees.scanned_at THEN excluded.scanned_at ELSE trees.scanned_at + 1 END`,
			t.Category, stamp(t.Scanned))
		if err != nil {
			return err
		}
		return putBlob(ctx, tx, treeBlob(t.Category), data)
	})
	return wrap("keeping the tree of "+t.Category, err)
}

// Tree returns the tree of a category, or [ErrNotFound]. Two million files take
// 0.3 s and 160 MiB, 400 if each has a hash. All who ask while somebody has it
// share one: do not change it.
func (s *Store) Tree(ctx context.Context, category string) (*registry.Tree, error) {
	s.trees.Lock()
	defer s.trees.Unlock()
	var scanned int64
	err := s.read.QueryRowContext(ctx, `SELECT scanned_at FROM trees WHERE category = $1`, category).Scan(&scanned)
	if err != nil {
		return nil, found("reading the tree of "+category, err)
	}
	if last := s.trees.of[category]; last.scanned == scanned {
		if t := last.tree.Value(); t != nil {
			return t, nil
		}
	}
	data, err := s.blob(ctx, treeBlob(category))
	if err != nil {
		return nil, err
	}
	t, err := s.codec.DecodeTree(data)
	if err != nil {
		return nil, wrap("reading the tree of "+category, err)
	}
	if s.trees.of == nil {
		s.trees.of = map[string]sharedTree{}
	}
	s.trees.of[category] = sharedTree{scanned, weak.Make(t)}
	return t, nil
}

// sharedTrees are the trees that somebody has in memory, by category: eight
// crawls at a time want one.
type sharedTrees struct {
	sync.Mutex

	of map[string]sharedTree
}

// A sharedTree is gone when nobody uses it any more.
type sharedTree struct {
	scanned int64 // as the table trees has it
	tree    weak.Pointer[registry.Tree]
}

// OpenTree begins to read the tree of a category, directory by directory, or
// returns [ErrNotFound]: for two million files it takes a quarter of [Store.Tree]'s
// memory.
func (s *Store) OpenTree(ctx context.Context, category string) (*blob.TreeReader, error) {
	data, err := s.blob(ctx, treeBlob(category))
	if err != nil {
		return nil, err
	}
	return s.codec.OpenTree(data)
}

// Scans returns when each category's tree was scanned.
func (s *Store) Scans(ctx context.Context) (map[string]time.Time, error) {
	scans := map[string]time.Time{}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var category string
		var at int64
		err := scan(&category, &at)
		scans[category] = unstamp(at)
		return err
	}, `SELECT category, scanned_at FROM trees`)
	return scans, wrap("reading when trees were scanned", err)
}

// PutListing keeps a listing in place of what its host and category had.
func (s *Store) PutListing(ctx context.Context, l *registry.Listing) error {
	_, err := s.exec(ctx, `INSERT INTO listings (host, category, seen_at, data) VALUES ($1, $2, $3, $4)
		ON CONFLICT (host, category) DO UPDATE SET seen_at = excluded.seen_at, data = excluded.data`,
		l.Host, l.Category, stamp(l.Seen), s.codec.EncodeListing(l))
	return wrap(fmt.Sprintf("keeping the listing of %s on %s", l.Category, l.Host), err)
}

// Listing returns what a host was seen to hold of a category, or [ErrNotFound].
func (s *Store) Listing(ctx context.Context, host, category string) (*registry.Listing, error) {
	var data []byte
	err := s.read.QueryRowContext(ctx, `SELECT data FROM listings WHERE host = $1 AND category = $2`, host, category).Scan(&data)
	if err != nil {
		return nil, found(fmt.Sprintf("reading the listing of %s on %s", category, host), err)
	}
	return s.codec.DecodeListing(data)
}

// Listings calls f with every listing seen since a time, in no order, but for
// those of hosts that crawls have taken out of all lists ([Standing.Out]); the
// zero time is for all. f's error ends it. They are read one by one: 1,000 of 200,000
// directories take about 0.05 s.
func (s *Store) Listings(ctx context.Context, since time.Time, f func(*registry.Listing) error) error {
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var data []byte
		if err := scan(&data); err != nil {
			return err
		}
		l, err := s.codec.DecodeListing(data)
		if err != nil {
			return err
		}
		return f(l)
	}, `SELECT data FROM listings l WHERE seen_at >= $1
		AND NOT EXISTS (SELECT 1 FROM standings s WHERE s.host = l.host AND s.category = l.category AND s.out_at > 0)`, stamp(since))
	return wrap("reading listings", err)
}
