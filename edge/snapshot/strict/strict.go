// Package strict decodes YAML into structs and finds all problems at once: an
// unknown key, a key given twice, a value of the wrong kind, each with its
// file, line and key. It is the home of the YAML library; configuration and
// catalogues are read through it.
//
//	var config Config
//	doc := strict.Decode("edge.yaml", data, &config)
//	if config.Interval < 0 {
//		doc.Problem("edge.health.interval", "want a duration above 0, got %v", config.Interval)
//	}
//	return doc.Err()
//
// Structs name their keys by a yaml tag, `yaml:"name"`; a field without one,
// or with "-", is not read; fields of an embedded struct are as if they stood
// in the outer one. Values may be structs, slices, maps from string, pointers,
// strings, numbers, booleans, [time.Duration] as "30s", and everything that
// unmarshals itself from text: addresses, prefixes, times. A list of one may be
// written without its brackets. Keys in problems look like hosts[3].urls.os.
package strict

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Doc is a decoded document: where its keys stand, and what is wrong with it.
// It is for one goroutine.
type Doc struct {
	name     string
	lines    map[string]int
	unread   map[string]bool // keys with values that could not be decoded
	problems snapshot.Problems
}

// Decode decodes data, the content of the file name, into the struct that into
// points to. What is good is decoded even if other things are not.
func Decode(name string, data []byte, into any) *Doc {
	d := &Doc{name: name, lines: map[string]int{}, unread: map[string]bool{}}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	switch {
	case err != nil:
		d.syntax(err)
	case len(file.Docs) > 1:
		d.add("", file.Docs[1].Start.Position.Line, "want one YAML document, got %d", len(file.Docs))
	case len(file.Docs) == 0 || file.Docs[0].Body == nil || isEmpty(file.Docs[0].Body):
		d.add("", 1, "want keys, got an empty file")
	default:
		d.value(file.Docs[0].Body, reflect.ValueOf(into).Elem(), "")
	}
	return d
}

// Err returns all problems, nil if there are none.
func (d *Doc) Err() error { return d.problems.Err() }

// Has reports whether the document has the key.
func (d *Doc) Has(key string) bool { return d.lines[key] > 0 }

// Problem notes that the value of key is wrong. The line is that of the key
// or, where the document does not have it, of the nearest key around it. Nothing
// is noted if the value could not be decoded: that was noted already.
func (d *Doc) Problem(key, format string, args ...any) {
	if !d.unread[key] {
		d.KeyProblem(key, format, args...)
	}
}

// KeyProblem notes, as Problem does, that key itself is wrong, whatever its value is.
func (d *Doc) KeyProblem(key, format string, args ...any) {
	at := key
	for at != "" && d.lines[at] == 0 {
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	d.add(key, d.lines[at], format, args...)
}

func (d *Doc) add(key string, line int, format string, args ...any) {
	d.problems = append(d.problems, snapshot.Problem{
		File: d.name, Line: line, Key: key, Text: fmt.Sprintf(format, args...),
	})
}

// syntax notes what the parser says of a document that is no YAML.
func (d *Doc) syntax(err error) {
	line, text := 0, err.Error()
	if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		line, text = syntax.Token.Position.Line, syntax.Message
	}
	d.add("", line, "no valid YAML: %s", text)
}

// Skip is a value that is not looked at: it is for somebody else.
type Skip struct{}

// value decodes a node into v.
func (d *Doc) value(n ast.Node, v reflect.Value, key string) {
	n = unwrap(n)
	if d.lines[key] == 0 {
		d.lines[key] = n.GetToken().Position.Line
	}
	if v.Type() == reflect.TypeFor[Skip]() {
		return
	}
	if v.Kind() == reflect.Pointer {
		if isEmpty(n) {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	_, isText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	switch {
	case isText:
		d.scalar(n, v, key)
	case v.Kind() == reflect.Struct:
		d.object(n, v, key)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, key)
	case v.Kind() == reflect.Slice:
		d.list(n, v, key)
	default:
		d.scalar(n, v, key)
	}
}

// unwrap takes tags and anchors off a node.
func unwrap(n ast.Node) ast.Node {
	for {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.TagNode:
			n = x.Value
		default:
			return n
		}
	}
}

func isEmpty(n ast.Node) bool {
	_, null := n.(*ast.NullNode)
	_, comment := n.(*ast.CommentGroupNode)
	return null || comment
}

// pairs returns the pairs of a mapping.
func (d *Doc) pairs(n ast.Node, key string) []*ast.MappingValueNode {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}
	case *ast.NullNode:
		return nil
	}
	d.Problem(key, "want keys and values, got %s", describe(n))
	return nil
}

// each calls f with every pair of a mapping whose key is new.
func (d *Doc) each(n ast.Node, key string, f func(name, path string, p *ast.MappingValueNode)) {
	for _, p := range d.pairs(n, key) {
		name := p.Key.GetToken().Value
		path := strings.TrimPrefix(key+"."+name, ".")
		line := p.Key.GetToken().Position.Line
		if before := d.lines[path]; before > 0 {
			d.add(path, line, "given twice, first in line %d", before)
			continue
		}
		d.lines[path] = line
		f(name, path, p)
	}
}

func (d *Doc) object(n ast.Node, v reflect.Value, key string) {
	fields := map[string][]int{}
	var names []string
	for _, f := range reflect.VisibleFields(v.Type()) { // those of embedded structs, too
		if name := f.Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = f.Index
			names = append(names, name)
		}
	}
	d.each(n, key, func(name, path string, p *ast.MappingValueNode) {
		i, ok := fields[name]
		if !ok {
			d.add(path, p.Key.GetToken().Position.Line, "unknown key; known here are %s", strings.Join(names, ", "))
			return
		}
		d.value(p.Value, v.FieldByIndex(i), path)
	})
}

func (d *Doc) mapping(n ast.Node, v reflect.Value, key string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.each(n, key, func(name, path string, p *ast.MappingValueNode) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(p.Value, item, path)
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), item)
	})
}

func (d *Doc) list(n ast.Node, v reflect.Value, key string) {
	if isEmpty(n) {
		return
	}
	items := []ast.Node{n}
	if s, ok := n.(*ast.SequenceNode); ok {
		items = s.Values
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", key, i))
	}
}

// scalar decodes one word.
func (d *Doc) scalar(n ast.Node, v reflect.Value, key string) {
	text, ok := word(n)
	if !ok {
		d.Problem(key, "want %s, got %s", wanted(v), describe(n))
		d.unread[key] = true
		return
	}
	if err := set(v, text); err != nil {
		d.Problem(key, "want %s, got %.100q", wanted(v), text)
		d.unread[key] = true
	}
}

// word returns the text of a scalar node.
func word(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func set(v reflect.Value, text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		t, err := time.ParseDuration(text)
		v.SetInt(int64(t))
		return err
	}
	var err error
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case v.CanInt():
		var i int64
		i, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(i)
	case v.CanUint():
		var u uint64
		u, err = strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(u)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(f)
	default:
		panic("strict: cannot decode into " + v.Type().String())
	}
	return err
}

// A Wanter says what text its type unmarshals from, for problems: "a prefix
// such as 192.0.2.0/24".
type Wanter interface {
	Want() string
}

// wanted says what a value has to look like.
func wanted(v reflect.Value) string {
	if w, ok := reflect.TypeAssert[Wanter](v.Addr()); ok {
		return w.Want()
	}
	switch v.Type().String() {
	case "time.Duration":
		return "a duration such as 30s"
	case "time.Time":
		return "a time such as 2026-01-02T03:04:05Z"
	case "netip.Addr":
		return "an IP address"
	case "netip.AddrPort":
		return "an address and port such as 127.0.0.1:8080 or [::1]:8080"
	case "netip.Prefix":
		return "a prefix such as 192.0.2.0/24 or 2001:db8::/32"
	}
	switch {
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanInt():
		return "a whole number"
	case v.CanUint():
		return "a whole number that is not negative and fits " + strconv.Itoa(v.Type().Bits()) + " bits"
	case v.CanFloat():
		return "a number"
	}
	return "text"
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.AliasNode:
		return "an alias (*), which is not supported"
	}
	return fmt.Sprintf("%.100q", n.String()) // a file that is something else can be one long word
}
