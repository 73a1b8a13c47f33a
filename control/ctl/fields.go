package ctl

import (
	"fmt"
	"reflect"
	"strings"
)

// Help lists the fields of an object with what their values are, after the
// help of the command.
func (s *set[T]) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The fields of a %s (their meaning is in /openapi.json of the control plane):\n", kindOf[T]())
	describe(&b, reflect.TypeFor[T](), "  ")
	return b.String()
}

// describe writes a line for each field of a type, and more below it for those
// of the objects inside.
func describe(b *strings.Builder, t reflect.Type, indent string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" || tag == "-" {
			continue
		}
		fmt.Fprintf(b, "\n%s%s, %s", indent, tag, kindOfValue(f.Type))
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if !isWord(inner) {
			describe(b, inner, indent+"  ")
		}
	}
}

// kindOfValue says what values of a type look like.
func kindOfValue(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		return kindOfValue(t.Elem())
	}
	if t.Kind() == reflect.Slice {
		if isWord(t.Elem()) {
			return "a list"
		}
		return "a list of objects"
	}
	if !isWord(t) {
		return "an object"
	}
	switch {
	case t.PkgPath() == "time" && t.Kind() == reflect.Struct:
		return "a time such as 2026-01-02T03:04:05Z"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String || t.Kind() == reflect.Struct:
		return "text"
	case t.Kind() == reflect.Map:
		return "an object"
	}
	return "a number"
}
