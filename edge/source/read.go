package source

import (
	"errors"
	"fmt"
	"io"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/geo/bundled"
	"github.com/waypost/waypost/geo/mmdb"
	"github.com/waypost/waypost/netblock"
)

func readCatalog(paths []string) (*snapshot.Snapshot, []string, error) {
	f, err := open("catalogue", paths[0])
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, fmt.Errorf("reading catalogue: %w", err)
	}
	s, err := catalog.Decode(paths[0], b)
	if err != nil {
		return nil, nil, err
	}
	s.Created = info.ModTime()
	return s, nil, nil
}

func readCache(paths []string) (*snapshot.Snapshot, []string, error) {
	f, err := open("mirrorlist cache", paths[0])
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	s, report, err := mirrormanager.Decode(paths[0], f)
	if err != nil {
		return nil, nil, err
	}
	return s, []string{report.String()}, nil
}

func readContinents(paths []string) (*geo.Continents, []string, error) {
	if len(paths) == 0 {
		t, err := bundled.Continents()
		return t, nil, err
	}
	f, err := open("continents", paths[0])
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	t, err := geo.ReadContinents(paths[0], f)
	return t, nil, err
}

func countryReader(aliases bool) func([]string) (*netblock.Table, []string, error) {
	return func(paths []string) (*netblock.Table, []string, error) {
		dbs, err := openDatabases(paths)
		if err == nil && len(dbs) == 0 {
			dbs, err = bundledDatabase()
		}
		if err != nil {
			return nil, nil, err
		}
		t, err := countries(dbs, aliases)
		return t, nil, err
	}
}

func bundledDatabase() ([]*mmdb.DB, error) {
	b, err := bundled.Country()
	if err != nil {
		return nil, err
	}
	db, err := mmdb.FromBytes(bundled.CountryName, b)
	return []*mmdb.DB{db}, err
}

func openDatabases(paths []string) ([]*mmdb.DB, error) {
	var dbs []*mmdb.DB
	var errs []error
	for _, path := range paths {
		db, err := mmdb.Open(path)
		dbs, errs = append(dbs, db), append(errs, err)
	}
	return dbs, errors.Join(errs...)
}

func countries(dbs []*mmdb.DB, aliases bool) (*netblock.Table, error) {
	return table(dbs, func(db *mmdb.DB, yield func(netblock.Entry) bool) error {
		if aliases {
			db = db.WithAliases()
		}
		rows, err := db.Countries()
		if err != nil {
			return err
		}
		for p, c := range rows {
			if !yield(netblock.Entry{Prefix: p, Value: c.Uint32()}) {
				break
			}
		}
		return nil
	})
}

// readPlaces makes a map of the places at once: a city database has millions
// of rows, of which the grid leaves a fraction.
func readPlaces(paths []string) (*netblock.Map, []string, error) {
	if len(paths) == 0 {
		return nil, nil, nil
	}
	dbs, err := openDatabases(paths)
	if err != nil {
		return nil, nil, err
	}
	t, err := places(dbs)
	if err != nil {
		return nil, nil, err
	}
	layers := [netblock.Layers]netblock.Layer{{Table: t}}
	return netblock.Compile(netblock.Config{Layers: layers}).Frozen(), nil, nil
}

func places(dbs []*mmdb.DB) (*netblock.Table, error) {
	return table(dbs, func(db *mmdb.DB, yield func(netblock.Entry) bool) error {
		rows, err := db.Points()
		if err != nil {
			return err
		}
		for p, at := range rows {
			if !yield(netblock.Entry{Prefix: p, Value: geo.Cell(at)}) {
				break
			}
		}
		return nil
	})
}

// table makes one table of the rows of all databases.
func table(dbs []*mmdb.DB, each func(*mmdb.DB, func(netblock.Entry) bool) error) (*netblock.Table, error) {
	var failed error
	t := netblock.FromSeq(func(yield func(netblock.Entry) bool) {
		for _, db := range dbs {
			if failed = each(db, yield); failed != nil {
				return
			}
		}
	})
	return t, failed
}
