package web

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestDescriptions compares descriptions.json, of which the OpenAPI document
// has its texts, with the doc comments of the types. UPDATE=1 writes it anew.
func TestDescriptions(t *testing.T) {
	all := map[string]map[string]string{}
	for _, pattern := range []string{"*.go", "../registry/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || names == nil {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				describeFile(t, all, name)
			}
		}
	}
	want, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile("descriptions.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(want, descriptions) {
		t.Error("descriptions.json is not what the comments say: run UPDATE=1 go test -run Descriptions ./control/web")
	}
}

// describeFile adds the doc comments of the documents in a file.
func describeFile(t *testing.T, all map[string]map[string]string, name string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		types, ok := d.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, s := range types.Specs {
			spec, _ := s.(*ast.TypeSpec)
			document, ok := spec.Type.(*ast.StructType)
			if !ok || !spec.Name.IsExported() {
				continue
			}
			texts := map[string]string{}
			for _, field := range document.Fields.List {
				if key := jsonKey(field); key != "" {
					put(texts, key, field.Doc, field.Comment)
				}
			}
			if len(texts) > 0 || strings.Contains(name, "actions.go") {
				put(texts, "", types.Doc)
				all[spec.Name.Name] = texts
			}
		}
	}
}

func jsonKey(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	key, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
	return key
}

var links = regexp.MustCompile(`\[([\w.]+)\]`)

// put keeps the first comment that there is.
func put(texts map[string]string, key string, comments ...*ast.CommentGroup) {
	for _, c := range comments {
		if text := strings.Join(strings.Fields(c.Text()), " "); text != "" {
			texts[key] = links.ReplaceAllString(text, "$1")
			return
		}
	}
}
