package importer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Querier reads a database: a [sql.DB], or a [sql.Tx] that sees it as it was at
// one moment.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// A row is a row of a foreign table. Its first wrong field is kept as err.
type row struct {
	table   string
	number  int // of the row as it was read, 1 is the first
	columns []string
	values  []any
	err     error
}

// each reads columns of a table in the order of the first, and calls use with
// each row, which is good until use returns.
func each(ctx context.Context, db Querier, table, columns string, use func(*row)) (err error) {
	r := &row{table: table, columns: strings.Split(columns, ", ")}
	rows, err := db.QueryContext(ctx, "SELECT "+columns+" FROM "+table+" ORDER BY "+r.columns[0])
	if err != nil {
		return fmt.Errorf("reading table %s: %w", table, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r.values = make([]any, len(r.columns))
	targets := make([]any, len(r.columns))
	for i := range targets {
		targets[i] = &r.values[i]
	}
	for rows.Next() {
		r.number++
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("reading table %s, row %d: %w", table, r.number, err)
		}
		if use(r); r.err != nil {
			return fmt.Errorf("reading table %s, row %d: %w", table, r.number, r.err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading table %s after row %d: %w", table, r.number, err)
	}
	return nil
}

// has reports whether there is a table.
func has(ctx context.Context, db Querier, table string) (found bool) {
	rows, err := db.QueryContext(ctx, "SELECT 1 FROM information_schema.tables WHERE table_name = $1", table)
	if err != nil {
		return false
	}
	defer rows.Close() //nolint:errcheck // only read
	return rows.Next() && rows.Err() == nil
}

// value returns the value of a column; nil is NULL.
func (r *row) value(column string) any {
	for i, c := range r.columns {
		if c == column {
			return r.values[i]
		}
	}
	panic("importer: no column " + column + " was asked for")
}

func (r *row) fail(column, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: want %s, got %.100q", column, want, fmt.Sprint(r.value(column)))
	}
}

// text returns a text, "" for NULL.
func (r *row) text(column string) string {
	switch v := r.value(column).(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	r.fail(column, "text")
	return ""
}

// int returns a number, 0 for NULL.
func (r *row) int(column string) int64 {
	var text string
	switch v := r.value(column).(type) {
	case nil:
		return 0
	case int64:
		return v
	case string:
		text = v
	case []byte:
		text = string(v)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.fail(column, "a whole number")
	}
	return n
}

// degrees returns a number, and whether there is one.
func (r *row) degrees(column string) (float64, bool) {
	text := ""
	switch v := r.value(column).(type) {
	case nil:
		return 0, false
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case string:
		text = v
	case []byte:
		text = string(v)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.fail(column, "a number")
	}
	return f, true
}

// bool returns a truth value, false for NULL.
func (r *row) bool(column string) bool {
	text := ""
	switch v := r.value(column).(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case string:
		text = v
	case []byte:
		text = string(v)
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		r.fail(column, "true or false")
	}
	return b
}
