package ctl

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// An assignment is FIELD=VALUE, FIELD+=VALUE or FIELD-=VALUE.
type assignment struct {
	path     []string
	operator string
	value    string
}

type assignments []assignment

var assigns = regexp.MustCompile(`(?s)^([a-z_]+(?:\.[a-z_]+)*)(\+=|-=|=)(.*)$`)

func parseAssignments(texts []string) (list assignments, err error) {
	for _, text := range texts {
		m := assigns.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("want FIELD=VALUE, FIELD+=VALUE or FIELD-=VALUE, got %q", text)
		}
		list = append(list, assignment{strings.Split(m[1], "."), m[2], m[3]})
	}
	return list, nil
}

// lookBack reports whether what is there now matters.
func (list assignments) lookBack() bool {
	return slices.ContainsFunc(list, func(a assignment) bool { return a.operator != "=" })
}

// name is how the user wrote the field.
func (a assignment) name() string { return strings.Join(a.path, ".") }

// patchOf returns the merge patch (RFC 7396) that makes the assignments of an
// object of type T, as it is now in JSON.
func patchOf[T registry.Object](list assignments, now []byte) (map[string]any, error) {
	before, patch := map[string]any{}, map[string]any{}
	if now != nil {
		if err := json.Unmarshal(now, &before); err != nil {
			return nil, fmt.Errorf("reading the control plane's answer: %w", err)
		}
	}
	for _, a := range list {
		t, err := fieldType(reflect.TypeFor[T](), a)
		if err != nil {
			return nil, err
		}
		value, err := valueOf(t, a)
		if err != nil {
			return nil, err
		}
		old, inner := before, patch
		for _, name := range a.path[:len(a.path)-1] {
			old, _ = old[name].(map[string]any)
			if inner[name] == nil {
				inner[name] = map[string]any{}
			}
			inner, _ = inner[name].(map[string]any)
		}
		last := a.path[len(a.path)-1]
		if a.operator != "=" {
			present, done := inner[last] // by an assignment before this one
			if !done {
				present = old[last]
			}
			value = combine(present, value, a.operator)
		}
		inner[last] = value
	}
	return patch, nil
}

// combine adds the items of a list to another, or takes them away.
func combine(present, items any, operator string) any {
	result, _ := present.([]any)
	changes, _ := items.([]any)
	for _, item := range changes {
		same := func(other any) bool { return reflect.DeepEqual(item, other) }
		result = slices.DeleteFunc(slices.Clone(result), same)
		if operator == "+=" {
			result = append(result, item)
		}
	}
	if len(result) == 0 {
		return nil
	}
	return result
}

// fieldType returns the type of a field of an object.
func fieldType(t reflect.Type, a assignment) (reflect.Type, error) {
	for _, name := range a.path {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		var known []string
		var found reflect.Type
		if t.Kind() == reflect.Struct {
			for _, f := range reflect.VisibleFields(t) {
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if tag != "" {
					known = append(known, tag)
				}
				if tag == name {
					found = f.Type
				}
			}
		}
		if found == nil {
			return nil, fmt.Errorf("%s: unknown field %s; known here are %s", a.name(), name, strings.Join(known, ", "))
		}
		t = found
	}
	if a.operator != "=" && t.Kind() != reflect.Slice {
		return nil, fmt.Errorf("%s: want = for what is no list, got %s", a.name(), a.operator)
	}
	return t, nil
}

// valueOf returns the value of an assignment as a JSON document; nil unsets.
func valueOf(t reflect.Type, a assignment) (any, error) {
	if a.value == "" {
		return nil, nil //nolint:nilnil // null is a value
	}
	if isList := t.Kind() == reflect.Slice; isList && isWord(t.Elem()) {
		var items []any
		for text := range strings.SplitSeq(strings.Trim(a.value, "[]"), ",") {
			item, err := word(t.Elem(), a, strings.TrimSpace(text))
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, nil
	}
	if isWord(t) {
		return word(t, a, a.value)
	}
	return structured(t, a)
}

// isWord reports whether values of a type are one word: no struct, unless it is
// written as text, and no list.
func isWord(t reflect.Type) bool {
	_, text := reflect.PointerTo(t).MethodByName("UnmarshalText")
	return text || t.Kind() != reflect.Struct && t.Kind() != reflect.Slice && t.Kind() != reflect.Pointer
}

// word returns one word as a JSON value.
func word(t reflect.Type, a assignment, text string) (any, error) {
	switch t.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%s: want true or false, got %q", a.name(), text)
		}
		return b, nil
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: want a number, got %q", a.name(), text)
		}
		return n, nil
	}
	return text, nil
}

// structured returns a value that is written in YAML as a JSON document. It is
// read as the value of a key of a struct that is made for it.
func structured(t reflect.Type, a assignment) (any, error) {
	last := a.path[len(a.path)-1]
	holder := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Value", Type: t, Tag: reflect.StructTag(fmt.Sprintf(`yaml:%q json:"value"`, last))},
	}))
	if err := strict.Decode(a.name(), []byte(last+": "+a.value+"\n"), holder.Interface()).Err(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(holder.Interface())
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", a.name(), err)
	}
	var document struct{ Value any }
	err = json.Unmarshal(text, &document)
	return document.Value, err
}
