package registry

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// A World is all objects of a registry. It does not change: any number of
// goroutines may read it. The nil World is empty.
type World struct {
	objects map[Kind]map[string]Object
}

// A Change is an object's new state. A nil Object deletes what Kind and Key name,
// which otherwise do not matter.
type Change struct {
	Object Object
	Kind   Kind
	Key    string
}

// Of returns the kind and key of what the change is about.
func (c Change) Of() (Kind, string) {
	if c.Object != nil {
		return c.Object.Kind(), c.Object.Key()
	}
	return c.Kind, c.Key
}

// NewWorld returns a world of the objects. Of two with the same kind and key it
// has the last.
func NewWorld(objects iter.Seq[Object]) *World {
	w := &World{objects: map[Kind]map[string]Object{}}
	for o := range objects {
		w.kind(o.Kind())[o.Key()] = o
	}
	return w
}

func (w *World) kind(k Kind) map[string]Object {
	if w.objects[k] == nil {
		w.objects[k] = map[string]Object{}
	}
	return w.objects[k]
}

// With returns the world after some changes. It costs as much as the world has
// objects of the kinds that change.
func (w *World) With(changes ...Change) *World {
	next := &World{objects: map[Kind]map[string]Object{}}
	if w != nil {
		maps.Copy(next.objects, w.objects)
	}
	copied := map[Kind]bool{}
	for _, c := range changes {
		kind, key := c.Of()
		if !copied[kind] {
			next.objects[kind] = maps.Clone(next.objects[kind])
			copied[kind] = true
		}
		if c.Object == nil {
			delete(next.objects[kind], key)
		} else {
			next.kind(kind)[key] = c.Object
		}
	}
	return next
}

// Find returns the object of a kind by its key: Find[*Host](w, "uni-x/de1").
func Find[T Object](w *World, key string) (object T, ok bool) {
	if w == nil {
		return object, false
	}
	object, ok = w.objects[object.Kind()][key].(T)
	return object, ok
}

// All returns the objects of a kind, sorted by key: All[*Host](w).
func All[T Object](w *World) []T {
	if w == nil {
		return nil
	}
	var zero T
	objects := w.objects[zero.Kind()]
	all := make([]T, 0, len(objects))
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if o, ok := objects[key].(T); ok {
			all = append(all, o)
		}
	}
	return all
}

// Check returns all that is wrong between the objects: names that nothing has,
// and what only one object may have. It does not look at what is wrong with
// each by itself.
func (w *World) Check() snapshot.Problems {
	c := &worldChecker{World: w, owners: map[string]string{}}
	for _, s := range All[*Site](w) {
		c.at(s)
		for i, name := range s.Admins {
			exists[*User](c, fmt.Sprintf("admins[%d]", i), name)
		}
	}
	for _, h := range All[*Host](w) {
		c.at(h)
		c.host(h)
	}
	c.content()
	c.rest()
	return c.problems
}

// A worldChecker goes from object to object.
type worldChecker struct {
	*checker
	*World

	problems snapshot.Problems
	owners   map[string]string // by what only one object may have: which object has it
}

// at says which object is looked at from here on.
func (c *worldChecker) at(o Object) { c.checker = check(o) }

// problem notes a problem of the object.
func (c *worldChecker) problem(key, format string, args ...any) {
	c.checker.problem(key, format, args...)
	c.problems = append(c.problems, c.checker.problems...)
	c.checker.problems = nil
}

// exists notes a problem unless there is an object of the name; "" is none.
func exists[T Object](c *worldChecker, key, name string) (object T, ok bool) {
	if name == "" {
		return object, false
	}
	if object, ok = Find[T](c.World, name); !ok {
		c.problem(key, "no %s has the name %q", object.Kind(), name)
	}
	return object, ok
}

// owns notes a problem if another object has the same.
func (c *worldChecker) owns(key, what, value string) {
	if owner, taken := c.owners[what+value]; taken && owner != c.object {
		c.problem(key, "%s is that of %s already", what, owner)
		return
	}
	c.owners[what+value] = c.object
}

func (c *worldChecker) host(h *Host) {
	exists[*Site](c, "site", h.Site)
	if h.Number != 0 {
		c.owns("number", "the number", fmt.Sprint(h.Number))
	}
	for i, carry := range h.Carries {
		key := fmt.Sprintf("carries[%d]", i)
		exists[*Category](c, key+".category", carry.Category)
		for j, u := range carry.URLs {
			c.owns(fmt.Sprintf("%s.urls[%d].url", key, j), "the URL", u.URL)
		}
	}
	if up, ok := exists[*Host](c, "upstream", h.Upstream); ok && up.Tier >= h.Tier {
		// tiers that only grow leave no way round in a circle
		c.problem("tier", "want more than %d, the tier of its upstream %s, got %d", up.Tier, up.Key(), h.Tier)
	}
}

func (c *worldChecker) content() {
	for _, category := range All[*Category](c.World) {
		c.at(category)
		exists[*Product](c, "product", category.Product)
		c.owns("path", "the path", category.Path)
	}
	for _, r := range All[*Repository](c.World) {
		c.at(r)
		if r.RedirectTo != "" {
			c.redirect(r)
			continue
		}
		category, ok := exists[*Category](c, "category", r.Category)
		if !ok {
			continue
		}
		if !Below(r.Path, category.Path) {
			c.problem("path", "want a path below %q, the top directory of %s, got %q", category.Path, category.Name, r.Path)
		}
		if category.Product == "" {
			continue // its versions are what the repositories say
		}
		if product, ok := Find[*Product](c.World, category.Product); r.Version != "" && (!ok || !product.Has(r.Version)) {
			c.problem("version", "no version %q is of the product %q of category %s", r.Version, category.Product, category.Name)
		}
	}
}

// redirect notes a problem if redirects lead in a circle.
func (c *worldChecker) redirect(r *Repository) {
	for next, steps := r, 0; ; steps++ {
		var ok bool
		if next, ok = Find[*Repository](c.World, key("+", next.RedirectTo, "")); !ok {
			return
		}
		if next == r || steps > 10 {
			c.problem("redirect_to", "want a name that does not lead back here or over more than 10 others, got %q", r.RedirectTo)
			return
		}
	}
}

func (c *worldChecker) rest() {
	for _, r := range All[*Release](c.World) {
		c.at(r)
		for i, path := range r.Paths {
			if !slices.ContainsFunc(All[*Category](c.World), func(category *Category) bool { return Below(path, category.Path) }) {
				c.problem(fmt.Sprintf("paths[%d]", i), "no category has its top directory at or above %q", path)
			}
		}
	}
	for _, o := range All[*Override](c.World) {
		c.at(o)
		switch {
		case o.Netblock != "":
			c.owns("netblock", "the netblock", o.Netblock)
		case o.Continent != "":
			c.owns("country", "the continent of this country", o.Country)
		}
	}
	for _, u := range All[*User](c.World) {
		if c.at(u); u.Subject != "" {
			c.owns("subject", "the subject", u.Subject)
		}
	}
	for _, t := range All[*Token](c.World) {
		c.at(t)
		exists[*User](c, "user", t.User)
		exists[*Host](c, "host", t.Host)
		c.owns("hash", "the hash", t.Hash)
	}
}

// Below reports whether path is top or below it. "" is above all.
func Below(path, top string) bool {
	return top == "" || path == top || strings.HasPrefix(path, top) && path[len(top)] == '/'
}
