package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// A shownForm is a form as a template has it.
type shownForm struct {
	Action   string
	Submit   string
	Back     string // where to go without sending it
	Delete   string // where a form that deletes it goes; "": nowhere
	Revision string
	Password string   // where a form that sets its password goes; "": nowhere
	Log      string   // where its changes are
	Problems []string // of the whole
	Fields   []shownField
	Wrong    int // how many fields have problems
}

// A shownField is a field with its value.
type shownField struct {
	field

	Name       string // of the entry
	ID         string // of the element
	Value      string
	Problems   []string
	Rows       [][]shownField
	Categories []shownCarry
	Operators  bool // the visitor is an operator
}

// A shownCarry is the part of a form about one category.
type shownCarry struct {
	Category                   string
	Box, URLs, Private, Always shownField
	Operators                  bool
}

// lay lays a form out: its fields with values and what is wrong with them.
func lay(fields []field, form url.Values, wrong noticed, categories []string, operator bool) (out []shownField) {
	for _, f := range fields {
		s := one(f, f.Key, form, wrong)
		s.Operators = operator
		switch f.Entry {
		case rows:
			for i := range rowCount(f, form) + 2 { // two more to fill in
				var row []shownField
				for _, c := range f.Columns {
					c.Required = false // a row may be empty as a whole
					row = append(row, one(c, cell(f.Key, i, c.Key), form, wrong))
				}
				s.Rows = append(s.Rows, row)
			}
		case carries:
			for _, category := range categories {
				s.Categories = append(s.Categories, shownCarry{
					Category: category, Operators: operator,
					Box:     one(field{Label: "Carries " + category, Entry: check}, carryBox+category, form, wrong),
					URLs:    one(field{Label: "URLs for everybody", Help: "One a line: https, http, rsync, ftp.", Entry: lines}, carryURLs+category, form, wrong),
					Private: one(field{Label: "URLs for other mirrors only", Help: "Never shown to clients.", Entry: lines}, carryHidden+category, form, wrong),
					Always:  one(field{Label: "Always up to date: never crawled", Entry: check}, carryAlways+category, form, wrong),
				})
			}
		}
		out = append(out, s)
	}
	return out
}

func one(f field, name string, form url.Values, wrong noticed) shownField {
	s := shownField{field: f, Name: name, ID: identifier(name), Value: form.Get(name), Problems: wrong[name]}
	if f.Entry == choice && s.Value != "" && !slices.Contains(f.Options, s.Value) {
		s.Options = append(slices.Clone(f.Options), s.Value) // what is there is not lost by saving
	}
	return s
}

// identifier returns a name as an element's id: without white space.
func identifier(name string) string { return "f-" + url.QueryEscape(name) }

// place puts the problems of a denial at the fields that they are about, and
// returns those that are about none of them.
func place(err *denial, fields []field, carried []registry.Carry, wrong noticed) (rest []string) {
	if len(err.Problems) == 0 {
		return []string{sentence(err.Failure.Error)}
	}
	for _, p := range err.Problems {
		if name := placeOf(p, fields, carried); name != "" {
			wrong.add(name, "%s", sentence(p.Text))
			continue
		}
		text := p.Text
		if p.Key != "" {
			text = p.Key + ": " + text
		}
		rest = append(rest, sentence(text))
	}
	return rest
}

// placeOf returns the name of the entry that a problem is about; "" if there is none.
func placeOf(p web.Problem, fields []field, carried []registry.Carry) string {
	top, rest, indexed := strings.Cut(p.Key, "[")
	for _, f := range fields {
		switch {
		case f.Entry == carries && top == f.Key:
			return carryProblem(carried, p.Key)
		case f.Entry == rows && top == f.Key && indexed:
			digits, column, _ := strings.Cut(rest, "]")
			row, err := strconv.Atoi(digits)
			if err != nil {
				return f.Key
			}
			if column = strings.TrimPrefix(column, "."); column == "" {
				column = f.Columns[0].Key
			}
			return cell(f.Key, row, column)
		case f.Key == p.Key, f.Key == top && f.Key != "":
			return f.Key
		}
	}
	return ""
}

// sentence begins with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// fieldsFor returns the fields of a kind's form: for operators all of them, for
// others those that they may change.
func fieldsFor(all []field, operator, isNew bool) (list []field) {
	for _, f := range all {
		if (operator || !f.Operator) && (isNew || !f.New) {
			list = append(list, f)
		}
	}
	// a heading with nothing below it is none
	return slices.DeleteFunc(slices.Clone(list), func(f field) bool {
		i := slices.IndexFunc(list, func(g field) bool { return g.Entry == heading && g.Label == f.Label })
		return f.Entry == heading && (i+1 == len(list) || list[i+1].Entry == heading)
	})
}

// statusOf is that of a page with a form that was not accepted.
func statusOf(err *denial) int {
	if err == nil {
		return http.StatusUnprocessableEntity
	}
	return err.status
}
