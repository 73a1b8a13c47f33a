package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// A printer prints for people, or JSON.
type printer struct {
	out  io.Writer
	json bool
}

// answer prints the answer as JSON, if that is wanted, or says something.
func (p *printer) answer(a answer, format string, args ...any) error {
	if p.json {
		return p.raw(a.body)
	}
	_, err := fmt.Fprintf(p.out, format+"\n", args...)
	return err
}

// raw prints a JSON document with indents.
func (p *printer) raw(doc []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, escaped(bytes.TrimSpace(doc)), "", "  "); err != nil {
		return fmt.Errorf("reading the control plane's answer: %w", err)
	}
	_, err := fmt.Fprintln(p.out, b.String())
	return err
}

// table prints the answer as JSON, if that is wanted, or rows under a title.
func (p *printer) table(a answer, title []string, rows [][]string) error {
	if p.json {
		return p.raw(a.body)
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{title}, rows...) {
		for i := range row {
			if row[i] == "" {
				row[i] = "-"
			}
			row[i] = strings.Map(printable, row[i])
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// printable keeps what others wrote from steering a terminal.
func printable(r rune) rune {
	if r < ' ' || isC1(r) {
		return ' '
	}
	return r
}

// escaped returns JSON without the control characters that JSON may have as
// they are, DEL and C1, which some terminals obey.
func escaped(doc []byte) []byte {
	if !bytes.ContainsFunc(doc, isC1) {
		return doc
	}
	var b bytes.Buffer
	for _, r := range string(doc) {
		if isC1(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

func isC1(r rune) bool { return r >= 0x7f && r < 0xa0 }

// plain is text that means itself in YAML.
var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ./@_+-]*$`)

// document prints a JSON object as YAML, with a line for each key and for each
// object of a list.
func (p *printer) document(a answer) error {
	if p.json {
		return p.raw(a.body)
	}
	d := json.NewDecoder(bytes.NewReader(escaped(a.body)))
	if _, err := d.Token(); err != nil { // the brace
		return fmt.Errorf("reading the control plane's answer: %w", err)
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return fmt.Errorf("reading the control plane's answer: %w", err)
		}
		text := asYAML(value)
		if !strings.HasPrefix(text, "\n") {
			text = " " + text
		}
		if _, err = fmt.Fprintf(p.out, "%v:%s\n", key, text); err != nil {
			return err
		}
	}
	return nil
}

// asYAML returns a value as YAML. JSON is YAML, too.
func asYAML(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && plain.MatchString(text) && !strings.HasSuffix(text, " ") && !strings.EqualFold(text, "null") {
		return text
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil || len(list) == 0 || list[0][0] != '{' {
		return string(value)
	}
	var b strings.Builder
	for _, item := range list {
		fmt.Fprintf(&b, "\n  - %s", item)
	}
	return b.String()
}

// when returns a time for people, nothing for the zero time.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// yes returns "yes" or nothing.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
