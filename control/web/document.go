package web

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A field is a key of a document.
type field struct {
	name     string
	required bool
	index    []int
	of       reflect.Type
}

// fields returns the keys of a struct, those of embedded structs as its own.
func fields(t reflect.Type) (list []field) {
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			list = append(list, field{name, !strings.Contains(options, "omit"), f.Index, f.Type})
		}
	}
	return list
}

// isObject reports whether values of a type are objects in JSON with keys that are fields.
func isObject(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// unknown notes the keys of a document that a type does not have, in their
// exact spelling, of which encoding/json makes nothing, and texts that are no
// value of their type, of which it does not say where they are.
func unknown(problems *snapshot.Problems, object string, t reflect.Type, v any, at string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch doc := v.(type) {
	case string:
		if into, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t)); ok && into.UnmarshalText([]byte(doc)) != nil {
			*problems = append(*problems, snapshot.Problem{File: object, Key: at, Text: fmt.Sprintf("want %s, got %.80q", textInWords(t), doc)})
		}
	case map[string]any:
		if !isObject(t) {
			return
		}
		known := map[string]reflect.Type{}
		for _, f := range fields(t) {
			known[f.name] = f.of
		}
		for _, name := range slices.Sorted(maps.Keys(doc)) {
			key := strings.TrimPrefix(at+"."+name, ".")
			if of, ok := known[name]; ok {
				unknown(problems, object, of, doc[name], key)
				continue
			}
			*problems = append(*problems, snapshot.Problem{
				File: object, Key: key,
				Text: "unknown key; known here are " + strings.Join(slices.Sorted(maps.Keys(known)), ", "),
			})
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return
		}
		for i, item := range doc {
			unknown(problems, object, t.Elem(), item, fmt.Sprintf("%s[%d]", at, i))
		}
	}
}

// decode reads a document into what into points to; object names it in problems.
func decode(object string, doc map[string]any, into any) error {
	var problems snapshot.Problems
	if unknown(&problems, object, reflect.TypeOf(into), doc, ""); problems != nil {
		return problems
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encoding a document: %w", err)
	}
	err = json.NewDecoder(bytes.NewReader(text)).Decode(into)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return snapshot.Problems{{File: object, Key: kind.Field, Text: fmt.Sprintf("want %s, got %s", inWords(kind.Type), strings.TrimPrefix(kind.Value, "number "))}}
	case err != nil: // of a type that reads text: a time, an address
		return fail(http.StatusUnprocessableEntity, "%s: %v", object, err)
	}
	return nil
}

// textInWords says what a text that is a value of a type looks like.
func textInWords(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a time such as 2026-04-21T14:00:00Z"
	case reflect.TypeFor[netip.Addr]():
		return "an address such as 192.0.2.7 or 2001:db8::7"
	case reflect.TypeFor[netip.Prefix]():
		return "a prefix such as 192.0.2.0/24 or 2001:db8::/32"
	}
	return "another text"
}

// inWords says what a value of a type looks like.
func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	if bits := t.Bits(); t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uintptr {
		return fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-bits))
	}
	return "a whole number"
}

// merge changes a document by a patch (RFC 7396): null takes a key away,
// objects are merged, everything else takes the place of what was there.
func merge(doc, patch map[string]any) map[string]any {
	if doc == nil {
		doc = map[string]any{}
	}
	for name, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(doc, name)
		case map[string]any:
			inner, _ := doc[name].(map[string]any)
			doc[name] = merge(inner, v)
		default:
			doc[name] = v
		}
	}
	return doc
}

// asDocument returns an object as a document, with its secrets.
func asDocument(o any) (map[string]any, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encoding an object: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("decoding an object: %w", err)
	}
	return doc, nil
}
