// Package postgres opens a PostgreSQL database, or one that speaks its
// protocol, that several control planes share. It is the home of the
// PostgreSQL library.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// connections is how many connections a process opens at most. A server allows
// 100 by default, for all processes together.
const connections = 16

// Open opens the database of a postgres:// URL and asks it for a sign of life.
// No error shows the URL's password.
func Open(ctx context.Context, dsn string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// the library's error may quote what it could not take apart, and a
		// password with it
		return nil, fmt.Errorf("opening %s: want postgres://USER:PASSWORD@HOST:PORT/DATABASE, percent-encoded", Name(dsn))
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "waypost"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", Name(dsn), err), db.Close())
	}
	return db, nil
}

// Name returns a postgres:// URL without what may be secret: HOST and /DATABASE.
func Name(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "postgres://…"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// MayRetry reports whether err says that the whole transaction may succeed when
// it is tried again: another one was in its way.
func MayRetry(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	case "23505": // unique_violation: what it looked for in vain is there by now
		return true
	}
	return false
}
