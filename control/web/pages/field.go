package pages

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An entry is how a value is typed in.
type entry string

// The entries, as the templates know them.
const (
	text    entry = "text"    // one line
	number  entry = "number"  // digits, or degrees
	check   entry = "check"   // a box to tick
	lines   entry = "lines"   // a list, one a line
	numbers entry = "numbers" // a list of numbers, one a line
	choice  entry = "choice"  // one of a few
	moment  entry = "moment"  // a time in UTC
	rows    entry = "rows"    // a list of objects, a row each
	carries entry = "carries" // what a host carries, by category
	heading entry = "heading" // no value: a new part of the form
)

// A field is a part of a form: one value of a document.
type field struct {
	Key   string // of the document, such as policy.order
	Label string
	Help  string
	Entry entry

	Options  []string // of a choice; the first may be "", which is none
	Columns  []field  // of rows
	Upper    bool     // it is written in capitals
	Slashes  bool     // it has no slash at its end
	Required bool
	New      bool // only a new object has it: it is part of the key
	Operator bool // operators only
}

// layout is the form of a time in the browser's entry for it.
const layout = "2006-01-02T15:04"

// noticed is what is wrong with values, by the names of their fields.
type noticed map[string][]string

func (n noticed) add(name, format string, args ...any) {
	n[name] = append(n[name], fmt.Sprintf(format, args...))
}

// values returns what a form shows of a document.
func values(fields []field, doc map[string]any) url.Values {
	out := url.Values{}
	for _, f := range fields {
		v := look(doc, f.Key)
		if v == nil {
			continue
		}
		switch f.Entry {
		case rows:
			list, _ := v.([]any)
			for i, item := range list {
				row, _ := item.(map[string]any)
				for _, c := range f.Columns {
					out.Set(cell(f.Key, i, c.Key), shown(c, row[c.Key]))
				}
			}
		case carries:
			carriedValues(out, v)
		default:
			out.Set(f.Key, shown(f, v))
		}
	}
	return out
}

// look returns the value of a key such as policy.order, nil if there is none.
func look(doc map[string]any, key string) any {
	outer, inner, nested := strings.Cut(key, ".")
	if !nested {
		return doc[key]
	}
	object, _ := doc[outer].(map[string]any)
	return look(object, inner)
}

// cell returns the name of an entry in a row.
func cell(key string, row int, column string) string {
	return fmt.Sprintf("%s.%d.%s", key, row, column)
}

// shown returns a value as its entry has it.
func shown(f field, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "on"
		}
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = fmt.Sprint(item)
		}
		return strings.Join(parts, "\n")
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil && f.Entry == moment {
			return t.UTC().Format(layout)
		}
		return v
	}
	return fmt.Sprint(v)
}

// read returns the merge patch that a filled form is, for those fields that it
// has, and what cannot be read of it.
func read(fields []field, form url.Values) (patch map[string]any, wrong noticed) {
	patch, wrong = map[string]any{}, noticed{}
	for _, f := range fields {
		switch f.Entry {
		case heading, carries: // carries needs to know what was there: see readCarries
		case rows:
			put(patch, f.Key, readRows(f, form, wrong))
		default:
			put(patch, f.Key, readOne(f, form.Get(f.Key), f.Key, wrong))
		}
	}
	for key, v := range patch { // an object without anything in it is none
		if object, ok := v.(map[string]any); ok && empty(object) {
			patch[key] = nil
		}
	}
	return patch, wrong
}

// put sets the value of a key such as policy.order.
func put(doc map[string]any, key string, v any) {
	outer, inner, nested := strings.Cut(key, ".")
	if !nested {
		doc[key] = v
		return
	}
	object, ok := doc[outer].(map[string]any)
	if !ok {
		object = map[string]any{}
		doc[outer] = object
	}
	put(object, inner, v)
}

// empty reports whether an object has nothing but what is nothing.
func empty(object map[string]any) bool {
	for _, v := range object {
		if v != nil && v != false {
			return false
		}
	}
	return true
}

// readOne reads one entry; nil is none.
func readOne(f field, typed, name string, wrong noticed) any {
	typed = strings.TrimSpace(typed)
	switch f.Entry {
	case check:
		return typed != ""
	case lines:
		return readLines(f, typed)
	case numbers:
		return readNumbers(typed, name, wrong)
	}
	if typed == "" {
		if f.Required {
			wrong.add(name, "This is needed.")
		}
		return nil
	}
	switch f.Entry {
	case number:
		if _, err := strconv.ParseFloat(typed, 64); err != nil || strings.ContainsAny(typed, "xXpP_iInN") || !json.Valid([]byte(typed)) {
			wrong.add(name, "Want a number, got %q.", typed)
			return nil
		}
		return json.Number(typed)
	case moment:
		t, err := time.Parse(layout, typed)
		if err != nil {
			if t, err = time.Parse(layout+":05", typed); err != nil {
				wrong.add(name, "Want a time in UTC such as 2026-01-02T03:04, got %q.", typed)
				return nil
			}
		}
		return t.Format(time.RFC3339)
	}
	return form(f, typed)
}

// form brings text into the form that the registry wants.
func form(f field, s string) string {
	if f.Upper {
		s = strings.ToUpper(s)
	}
	if f.Slashes {
		s = strings.TrimRight(s, "/")
	}
	return s
}

// readLines reads a list; nil if it is empty.
func readLines(f field, typed string) any {
	var list []string
	for line := range strings.Lines(typed) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, form(f, line))
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// readNumbers reads a list of numbers, such as those of ASs, with AS before
// them or not.
func readNumbers(typed, name string, wrong noticed) any {
	var list []json.Number
	for _, word := range strings.FieldsFunc(typed, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) }) {
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(word), "AS"), 10, 32)
		if err != nil {
			wrong.add(name, "Want the number of an AS such as 64496, got %q.", word)
			continue
		}
		list = append(list, json.Number(strconv.FormatUint(n, 10)))
	}
	if list == nil {
		return nil
	}
	return list
}

// mostRows is how many rows a form may have.
const mostRows = 500

// rowCount returns how many rows of a field a form has.
func rowCount(f field, form url.Values) int {
	n := 0
	for n < mostRows && form.Has(cell(f.Key, n, f.Columns[0].Key)) {
		n++
	}
	return n
}

// readRows reads rows, without those that are empty; nil if there are none.
func readRows(f field, form url.Values, wrong noticed) any {
	var list []map[string]any
	for i := range rowCount(f, form) {
		row, misread := map[string]any{}, noticed{}
		for _, c := range f.Columns {
			row[c.Key] = readOne(c, form.Get(cell(f.Key, i, c.Key)), cell(f.Key, i, c.Key), misread)
		}
		if empty(row) && !typed(f, i, form) {
			continue
		}
		for name, texts := range misread {
			wrong[name] = append(wrong[name], texts...)
		}
		for key, v := range row {
			if v == nil || v == false {
				delete(row, key)
			}
		}
		list = append(list, row)
	}
	if list == nil {
		return nil
	}
	return list
}

// typed reports whether anything was typed into a row.
func typed(f field, row int, form url.Values) bool {
	for _, c := range f.Columns {
		if strings.TrimSpace(form.Get(cell(f.Key, row, c.Key))) != "" {
			return true
		}
	}
	return false
}
