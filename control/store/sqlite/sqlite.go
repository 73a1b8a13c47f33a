// Package sqlite opens the embedded database of a control plane: one file, with
// a write-ahead log beside it. It is the home of the SQLite library.
package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite" // and the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Open opens the database in a file, which is made if it is missing, and
// returns it twice: for reading on as many connections as there are processors,
// and for writing on one. In a write-ahead log readers and the writer do not
// wait for one another; a second process that writes is waited for up to 30 s.
//
// Every transaction is on disk when it is committed (synchronous=FULL), and
// takes the write lock when it begins, since one that begins to read and then
// writes fails when another wrote in between.
func Open(path string) (read, write *sql.DB, err error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, nil, errors.New("opening a database: want sqlite:PATH, the path of a file")
	}
	// A file: URI, so that a question mark can be part of a path.
	uri := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(30000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
	}}
	writing := url.Values{"_txlock": {"immediate"}, "_pragma": pragmas["_pragma"]}
	uri.RawQuery = writing.Encode()
	if write, err = sql.Open("sqlite", uri.String()); err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err = makeFile(write); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), write.Close())
	}
	reading := url.Values{"_pragma": append(pragmas["_pragma"], "query_only(ON)")}
	uri.RawQuery = reading.Encode()
	if read, err = sql.Open("sqlite", uri.String()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	return read, write, nil
}

// makeFile makes the file and its write-ahead log. Where others do the same at
// this moment, SQLite says so at once in place of waiting: a change of the
// journal's mode does not obey busy_timeout.
func makeFile(db *sql.DB) (err error) {
	for range 200 {
		err = db.Ping()
		if busy, ok := errors.AsType[*sqlite.Error](err); !ok || busy.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		<-time.After(50 * time.Millisecond)
	}
	return err
}
