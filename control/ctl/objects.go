package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// objects are the commands for a kind of objects.
type objects[T registry.Object] struct {
	List   list[T]   `cmd:"" help:"List all."`
	Show   show[T]   `cmd:"" help:"Show one, as set -f reads it."`
	Set    set[T]    `cmd:"" help:"Change one, or make it."`
	Delete remove[T] `cmd:"" help:"Delete one."`
}

// kindOf returns the kind of a type of objects.
func kindOf[T registry.Object]() registry.Kind {
	var zero T
	return zero.Kind()
}

type list[T registry.Object] struct {
	Site string `help:"Only what is of this site."`
}

// Run lists the objects.
func (l *list[T]) Run(ctx context.Context, c *client, p *printer) error {
	var got struct {
		Objects []struct {
			Key    string
			Object T
		}
	}
	kind := kindOf[T]()
	a, err := c.into(ctx, http.MethodGet, query("/v1/"+string(kind), "site", l.Site), nil, &got)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, o := range got.Objects {
		rows = append(rows, append([]string{o.Key}, row(o.Object)...))
	}
	return p.table(a, append([]string{"KEY"}, columns(kind)...), rows)
}

type show[T registry.Object] struct {
	Key string `arg:"" help:"Its name."`
}

// Run shows an object.
func (s *show[T]) Run(ctx context.Context, c *client, p *printer) error {
	a, err := c.ask(ctx, http.MethodGet, pathOf(kindOf[T](), s.Key), nil)
	if err != nil {
		return err
	}
	return p.document(a)
}

type remove[T registry.Object] struct {
	Key string `arg:"" help:"Its name."`
}

// Run deletes an object.
func (r *remove[T]) Run(ctx context.Context, c *client, p *printer) error {
	kind := kindOf[T]()
	if _, err := c.ask(ctx, http.MethodDelete, pathOf(kind, r.Key), nil); err != nil {
		return err
	}
	if p.json {
		return nil
	}
	_, err := fmt.Fprintf(p.out, "%s %s deleted\n", kind, r.Key)
	return err
}

type set[T registry.Object] struct {
	Key     string   `arg:"" optional:"" help:"Its name."`
	Changes []string `arg:"" optional:"" name:"field=value" help:"What to change: FIELD=VALUE, for lists FIELD=A,B, FIELD+=A and FIELD-=A; an empty value unsets. Fields inside others: policy.order=nearest. What is more than words is written as in YAML: location='{lat: 52.5, lon: 13.4}'."`
	File    string   `short:"f" help:"Replace it by this YAML or JSON file; - is the standard input."`
	New     bool     `help:"Only make a new one."`
}

// Run changes or makes an object.
func (s *set[T]) Run(ctx context.Context, c *client, p *printer) error {
	kind := kindOf[T]()
	switch {
	case s.File != "" && len(s.Changes) > 0:
		return errors.New("want either FIELD=VALUE or a file, got both")
	case s.File != "":
		return s.replace(ctx, c, p)
	case s.Key == "":
		return fmt.Errorf("want the name of a %s, or a file by -f", kind)
	}
	list, err := parseAssignments(s.Changes)
	if err != nil {
		return err
	}
	conditions := s.conditions()
	var before answer
	if _, err = patchOf[T](list, nil); err != nil { // typing errors first
		return err
	}
	if list.lookBack() && !s.New {
		if before, err = c.ask(ctx, http.MethodGet, pathOf(kind, s.Key), nil); err != nil {
			return err
		}
		conditions = []string{"If-Match", before.etag}
	}
	patch, err := patchOf[T](list, before.body)
	if err != nil {
		return err
	}
	a, err := c.ask(ctx, http.MethodPatch, pathOf(kind, s.Key), patch, conditions...)
	if err != nil {
		return err
	}
	return written(p, a, kind, s.Key)
}

func (s *set[T]) conditions() []string {
	if s.New {
		return []string{"If-None-Match", "*"}
	}
	return nil
}

// written says that an object is written.
func written(p *printer, a answer, kind registry.Kind, key string) error {
	what := "changed"
	if a.status == http.StatusCreated {
		what = "made"
	}
	return p.answer(a, "%s %s %s", kind, key, what)
}

// replace replaces or makes an object by what is in a file.
func (s *set[T]) replace(ctx context.Context, c *client, p *printer) error {
	text, err := readFile(s.File)
	if err != nil {
		return err
	}
	kind := kindOf[T]()
	o := registry.New(kind)
	if err = strict.Decode(s.File, text, o).Err(); err != nil {
		return err
	}
	if s.Key == "" {
		s.Key = o.Key()
	}
	a, err := c.ask(ctx, http.MethodPut, pathOf(kind, s.Key), o, s.conditions()...)
	if err != nil {
		return err
	}
	return written(p, a, kind, s.Key)
}

// maxFile is how long a file may be, in bytes: the API takes no more.
const maxFile = 1 << 20

// readFile reads a file; "-" is the standard input.
func readFile(path string) ([]byte, error) {
	text, err := read(path, maxFile+1)
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: want at most %d bytes", path, maxFile)
	}
	return text, err
}
