package web

import (
	_ "embed" // for descriptions.json
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// descriptions are the doc comments of types and their fields, by the keys of
// those in JSON; that of a type itself is by "". TestDescriptions writes them.
//
//go:embed descriptions.json
var descriptions []byte

// openAPI answers with the OpenAPI document.
func (s *server) openAPI(c *call) error {
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(s.openapi)
	return nil
}

// A node is an object of the OpenAPI document.
type node map[string]any

// describe returns the OpenAPI 3.1 document of routes.
func describe(routes []route) []byte {
	d := describer{schemas: node{}}
	if err := json.Unmarshal(descriptions, &d.texts); err != nil {
		panic("web: descriptions.json: " + err.Error()) // it is part of the program
	}
	paths := node{}
	for _, r := range routes {
		path := strings.ReplaceAll(r.path, "...}", "}")
		item, ok := paths[path].(node)
		if !ok {
			item = node{}
			paths[path] = item
		}
		item[strings.ToLower(r.method)] = d.operation(r, path)
	}
	text, err := json.MarshalIndent(node{
		"openapi": "3.1.0",
		"info": node{
			"title": "Waypost control plane", "version": "1",
			"description": "Keys of objects may have slashes, which paths have as they are. Errors are documents of the schema Failure.",
		},
		"paths": paths,
		"components": node{
			"schemas":         d.schemas,
			"securitySchemes": node{"token": node{"type": "http", "scheme": "bearer"}},
		},
	}, "", "  ")
	if err != nil {
		panic("web: the OpenAPI document cannot be encoded: " + err.Error())
	}
	return text
}

// A describer describes types.
type describer struct {
	schemas node
	texts   map[string]map[string]string
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

func (d describer) operation(r route, path string) node {
	var parameters []node
	for _, m := range inPath.FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, node{"name": m[1], "in": "path", "required": true, "schema": node{"type": "string"}})
	}
	for _, name := range r.query {
		parameters = append(parameters, node{"name": name, "in": "query", "schema": node{"type": "string"}})
	}
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	good := node{"description": http.StatusText(status)}
	if r.out != nil {
		good["content"] = d.content("application/json", r.out)
	}
	op := node{"summary": r.text, "responses": node{
		strconv.Itoa(status): good,
		"default":            node{"description": "It did not work.", "content": d.content("application/json", Failure{})},
	}}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if r.in != nil {
		kind := "application/json"
		if r.method == http.MethodPatch {
			kind = "application/merge-patch+json"
		}
		op["requestBody"] = node{"required": true, "content": d.content(kind, r.in)}
	}
	if r.scope != "" {
		op["security"] = []node{{"token": []string{string(r.scope)}}}
		op["x-scope"] = r.scope
	}
	return op
}

func (d describer) content(kind string, v any) node {
	return node{kind: node{"schema": d.schema(reflect.TypeOf(v))}}
}

// schema returns the schema of a type; those of structs stand on their own.
func (d describer) schema(t reflect.Type) node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return node{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return node{"type": "object"}
	case isObject(t):
		return d.object(t)
	}
	switch t.Kind() {
	case reflect.Slice:
		return node{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return node{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Bool:
		return node{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return node{"type": "number"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return node{"type": "integer"}
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		return node{"type": "integer", "minimum": 0}
	}
	return node{"type": "string"} // and what is written as text
}

func (d describer) object(t reflect.Type) node {
	reference := node{"$ref": "#/components/schemas/" + t.Name()}
	if _, known := d.schemas[t.Name()]; known {
		return reference
	}
	schema, properties := node{"type": "object", "additionalProperties": false}, node{}
	d.schemas[t.Name()] = schema
	var required []string
	for _, f := range fields(t) {
		property := d.schema(f.of)
		if text := d.text(t, f); text != "" {
			property["description"] = text
		}
		properties[f.name] = property
		if f.required {
			required = append(required, f.name)
		}
	}
	schema["properties"] = properties
	if text := d.texts[t.Name()][""]; text != "" {
		schema["description"] = text
	}
	if required != nil {
		schema["required"] = required
	}
	return reference
}

// text returns the description of a field, which may be an embedded struct's.
func (d describer) text(t reflect.Type, f field) string {
	owner := t
	for _, i := range f.index[:len(f.index)-1] {
		owner = owner.Field(i).Type
	}
	return d.texts[owner.Name()][f.name]
}
