package store

import (
	"fmt"
	"strings"
)

// A where collects the conditions of a query. Only those that are wanted are in
// it, so that a database finds the index for them: it finds none for
// ($1 = ” OR host = $1).
type where struct {
	conditions []string
	args       []any
}

// is wants a column to have a value, unless that is the zero value.
func (w *where) is(column, value string) {
	if value != "" {
		w.add(column+" = %s", value)
	}
}

// in wants a column to have one of some values, unless these are nil.
func (w *where) in(column string, values []string) {
	if values == nil {
		return
	}
	places := []string{"NULL"} // which nothing is, and which lets the list be empty
	for _, value := range values {
		w.args = append(w.args, value)
		places = append(places, fmt.Sprint("$", len(w.args)))
	}
	w.conditions = append(w.conditions, column+" IN ("+strings.Join(places, ", ")+")")
}

// add wants a condition, in which %s or %[1]s stands for a value.
func (w *where) add(condition string, value any) {
	w.args = append(w.args, value)
	w.conditions = append(w.conditions, fmt.Sprintf(condition, fmt.Sprint("$", len(w.args))))
}

// String returns the clause, with a blank before it.
func (w *where) String() string {
	if w.conditions == nil {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// limit returns the clause for so many rows.
func (w *where) limit(n int) string {
	w.args = append(w.args, n)
	return fmt.Sprint(" LIMIT $", len(w.args))
}
