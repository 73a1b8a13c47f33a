package jsonstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/checkin/internal/jsonstream"
)

var limits = jsonstream.Limits{Depth: 16, Text: 1000}

// value reads any value, as encoding/json does with UseNumber.
func value(r *jsonstream.Reader) (any, error) {
	kind, err := r.Peek()
	if err != nil {
		return nil, err
	}
	switch kind {
	case jsonstream.Object:
		m := map[string]any{}
		return m, r.Object(func(key []byte) error {
			k := string(key)
			var bad error
			m[k], bad = value(r)
			return bad
		})
	case jsonstream.Array:
		a := []any{}
		return a, r.Array(func() error {
			v, bad := value(r)
			a = append(a, v)
			return bad
		})
	case jsonstream.Text:
		var s string
		err = r.Text(&s)
		return s, err
	}
	s, err := r.Literal()
	switch s {
	case "true", "false":
		return s == "true", err
	case "null":
		return nil, err
	}
	return json.Number(s), err
}

func read(text string) (any, error) {
	r := jsonstream.New(strings.NewReader(text), limits)
	v, err := value(r)
	if err == nil {
		err = r.End()
	}
	// arrays are returned before they are filled
	return v, err
}

func TestRead(t *testing.T) {
	tests := []struct{ name, in, wantErr string }{
		{"empty", ``, "ends too early"},
		{"white space", " \n", "ends too early"},
		{"object", ` { "a" : 1 , "b":{},"c":[] } `, ""},
		{"literals", `{"a":true,"b":false,"c":null,"d":-1.5e+3}`, ""},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\té😀"}`, ""},
		{"half a pair", `{"a":"\ud83d","b":"\ud83dx","c":"\ude00\ud83d","d":"\ud83dA"}`, ""},
		{"not UTF-8", "{\"a\":\"x\xff\xc3y\"}", ""},
		{"cut", `{"a":"x`, "ends too early"},
		{"no colon", `{"a" 1}`, "want a colon"},
		{"comma at the end", `{"a":1,}`, "want a text in double quotes"},
		{"no comma", `{"a":1 "b":2}`, "want a comma"},
		{"two documents", `{} {}`, "want the end"},
		{"bad escape", `{"a":"\x"}`, "want an escape"},
		{"bad digits", `{"a":"\u12g4"}`, "want four hexadecimal digits"},
		{"control character", "{\"a\":\"\n\"}", "control character"},
		{"bad number", `{"a":01}`, "want a number"},
		{"long number", `{"a":` + strings.Repeat("1", 100) + `}`, "longer than 40"},
		{"bad word", `{"a":truth}`, "want a number, true"},
		{"deep", strings.Repeat("[", 17), "deeper than 16"},
		{"long", `{"a":"` + strings.Repeat("x", 1001) + `"}`, "longer than 1000"},
		{"pickle", "\x80\x04}", "want a value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(tt.in)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "object" {
				return // its array is compared by FuzzSkip
			}
			if diff := cmp.Diff(slow(t, tt.in), got); diff != "" {
				t.Error("want -, got +:\n" + diff)
			}
		})
	}
}

// slow is the twin: encoding/json.
func slow(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStream(t *testing.T) {
	long := strings.Repeat("é\n", 5000)
	quoted, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrap := range []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader,
	} {
		var got []byte
		r := jsonstream.New(strings.NewReader(`[`+string(quoted)+`,`+string(quoted)+`]`), limits)
		first := true
		err := r.Array(func() error {
			return r.Stream(func(in io.Reader) (err error) {
				if first {
					first = false
					return nil // left to be skipped
				}
				got, err = io.ReadAll(wrap(in))
				return err
			})
		})
		if err != nil || string(got) != long {
			t.Errorf("got %d bytes and %v, want %d", len(got), err, len(long))
		}
	}
}

// TestErrorsFromBelow: what the source of the bytes says must not get lost.
func TestErrorsFromBelow(t *testing.T) {
	broken := errors.New("broken")
	for _, start := range []string{``, `{`, `{"a`, `{"a":`, `{"a":1`, `{"a":1}`} {
		r := jsonstream.New(io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken)), limits)
		err := r.Skip()
		if err == nil {
			err = r.End()
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %q: %v, want %v", start, err, broken)
		}
	}
}

// FuzzSkip compares what is accepted with encoding/json, and texts by their way
// through it.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{
		`{"version":0,"dirtree":{"a/b":{},"":{}}}`, `[1,-0.5e3,true,null,"\ud83d\ude00"]`, `"\ud800\ud800"`,
		`{"a":"\xff"}`, `[[[[]]]]`, ` 1`, `-`, `{"a":1,"a":2}`, "\x80\x02}q\x00.",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := jsonstream.New(strings.NewReader(text), jsonstream.Limits{Depth: 9000, Text: 1 << 20})
		err := r.Skip()
		if err == nil {
			err = r.End()
		}
		if err != nil && strings.Contains(err.Error(), "longer than 40") {
			return
		}
		if valid := json.Valid([]byte(text)); valid != (err == nil) {
			t.Fatalf("%q: error %v; encoding/json finds it valid: %v", text, err, valid)
		}
		var want string
		if json.Unmarshal([]byte(text), &want) != nil || strings.TrimSpace(text) == "null" {
			return
		}
		var got string
		if err := jsonstream.New(strings.NewReader(text), jsonstream.Limits{Text: 1 << 20}).Text(&got); err != nil || got != want {
			t.Fatalf("%q: got %q and %v, want %q", text, got, err, want)
		}
	})
}

func Example() {
	r := jsonstream.New(strings.NewReader(`{"name": "de1", "more": [{}]}`), jsonstream.Limits{Depth: 4, Text: 100})
	var name string
	err := r.Object(func(key []byte) error {
		if string(key) == "name" {
			return r.Text(&name)
		}
		return r.Skip()
	})
	fmt.Println(name, err, r.End())
	// Output: de1 <nil> <nil>
}
