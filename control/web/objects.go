package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Listed is an object in a list.
type Listed struct {
	Key      string          `json:"key"`
	Revision int64           `json:"revision"` // the number of the change that wrote it
	Updated  time.Time       `json:"updated"`
	Object   registry.Object `json:"object"` // without its secrets
}

// Objects is the answer to GET /v1/{kind}.
type Objects struct {
	Objects []Listed `json:"objects"`
}

// list answers with the objects of a kind that the caller sees.
func (s *server) list(kind registry.Kind) func(*call) error {
	return func(c *call) error {
		entries, err := s.Store.List(c.Context(), kind)
		if err != nil {
			return err
		}
		out := Objects{Objects: []Listed{}}
		site := c.parameter("site")
		for _, e := range entries {
			if c.caller.sees(c.world, e.Object) && (site == "" || siteOf(e.Object) == site) {
				out.Objects = append(out.Objects, Listed{e.Object.Key(), e.Revision, e.Updated, e.Object.Redacted()})
			}
		}
		return c.json(http.StatusOK, out)
	}
}

// siteOf returns the name of the site that an object is or is of.
func siteOf(o registry.Object) string {
	switch o := o.(type) {
	case *registry.Site:
		return o.Name
	case *registry.Host:
		return o.Site
	case *registry.Token:
		if i := strings.LastIndexByte(o.Host, '/'); i >= 0 {
			return o.Host[:i]
		}
	}
	return ""
}

// find returns the object that a path names. One that the caller does not see
// is not there.
func (s *server) find(c *call, kind registry.Kind) (entry store.Entry, err error) {
	entry, err = s.Store.Get(c.Context(), kind, c.PathValue("key"))
	if err == nil && !c.caller.sees(c.world, entry.Object) {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return store.Entry{}, &failure{Failure{Error: fmt.Sprintf("there is no %s %s", kind, c.PathValue("key")), status: http.StatusNotFound}}
	}
	return entry, err
}

func (s *server) show(kind registry.Kind) func(*call) error {
	return func(c *call) error {
		entry, err := s.find(c, kind)
		if err != nil {
			return err
		}
		return c.entry(http.StatusOK, entry)
	}
}

// entry answers with an object.
func (c *call) entry(status int, e store.Entry) error {
	tag := etag(e.Revision)
	c.w.Header().Set("ETag", tag)
	if c.Method == http.MethodGet && c.tag("If-None-Match") == tag {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return c.json(status, e.Object.Redacted())
}

// tag returns the entity tag in a header. Proxies that compress call ours weak;
// they name the same bytes still.
func (c *call) tag(header string) string { return strings.TrimPrefix(c.Header.Get(header), "W/") }

func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// A change is one object before and after.
type change struct {
	kind   registry.Kind
	key    string
	before store.Entry // without an object if there is none
	after  registry.Object
}

// begin reads what a request wants to change, and checks its conditions.
func (s *server) begin(c *call, kind registry.Kind) (ch change, err error) {
	ch = change{kind: kind, key: c.PathValue("key")}
	ch.before, err = s.Store.Get(c.Context(), kind, ch.key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ch, err
	}
	exists := err == nil
	if exists && !c.caller.sees(c.world, ch.before.Object) {
		return ch, c.caller.no(ch.before.Object, "")
	}
	switch want := c.tag("If-Match"); {
	case want == "":
	case !exists:
		return ch, fail(http.StatusPreconditionFailed, "there is no %s %s any more", kind, ch.key)
	case want != "*" && want != etag(ch.before.Revision):
		return ch, fail(http.StatusPreconditionFailed, "%s %s is at revision %d: somebody else has changed it; read it again", kind, ch.key, ch.before.Revision)
	}
	switch want := c.Header.Get("If-None-Match"); {
	case want != "" && want != "*":
		return ch, fail(http.StatusBadRequest, "want If-None-Match: *, for an object that must not exist, got %q", want)
	case want == "*" && exists:
		return ch, fail(http.StatusPreconditionFailed, "%s %s exists already", kind, ch.key)
	}
	return ch, nil
}

func (s *server) put(kind registry.Kind) func(*call) error {
	return func(c *call) error {
		ch, err := s.begin(c, kind)
		if err != nil {
			return err
		}
		doc, err := c.document()
		if err != nil {
			return err
		}
		return s.save(c, ch, doc)
	}
}

// patch changes an object by a merge patch (RFC 7396), or makes a new one of it:
// what a new one does not say is what an administrator, or the owner of a
// mirror who has to wait for one, would.
func (s *server) patch(kind registry.Kind) func(*call) error {
	return func(c *call) error {
		ch, err := s.begin(c, kind)
		if err != nil {
			return err
		}
		patch, err := c.document()
		if err != nil {
			return err
		}
		o := ch.before.Object
		if o == nil {
			o = blank(kind, ch.key, c.caller)
		}
		doc, err := asDocument(o)
		if err != nil {
			return err
		}
		return s.save(c, ch, merge(doc, patch))
	}
}

// blank returns a new object with what its key says.
func blank(kind registry.Kind, key string, who caller) registry.Object {
	state, active := registry.Pending, registry.Activity{AdminActive: true, UserActive: true}
	if who.admin() {
		state = registry.Approved
	}
	switch kind {
	case registry.KindSite:
		site := &registry.Site{Name: key, State: state, Activity: active}
		if !who.admin() {
			site.Admins = []string{who.user.Name}
		}
		return site
	case registry.KindHost:
		site, name := cutLast(key, "/")
		return &registry.Host{Site: site, Name: name, State: state, Activity: active}
	case registry.KindCategory:
		return &registry.Category{Name: key}
	case registry.KindProduct:
		return &registry.Product{Name: key, Public: true}
	case registry.KindRepository:
		name, arch := cutLast(key, "+")
		return &registry.Repository{Name: name, Arch: arch}
	case registry.KindRelease:
		return &registry.Release{Name: key}
	case registry.KindOverride:
		return &registry.Override{Name: key}
	case registry.KindUser:
		return &registry.User{Name: key}
	}
	return &registry.Token{Name: key}
}

func cutLast(s, separator string) (before, after string) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):]
	}
	return s, ""
}

// save makes the object of a change out of a document and writes it.
func (s *server) save(c *call, ch change, doc map[string]any) error {
	name := string(ch.kind) + " " + ch.key
	ch.after = registry.New(ch.kind)
	if err := decode(name, doc, ch.after); err != nil {
		return err
	}
	if ch.after.Key() != ch.key {
		return snapshot.Problems{{File: name, Text: otherKey(ch.key, ch.after)}}
	}
	if ch.kind == registry.KindToken && ch.before.Object == nil {
		return fail(http.StatusUnprocessableEntity, "there is no %s; POST /v1/tokens makes a new one", name)
	}
	keepSecrets(ch.after, ch.before.Object)
	return s.apply(c, ch)
}

// otherKey says what is wrong with a key that is not the document's.
func otherKey(key string, o registry.Object) string {
	switch {
	case o.Kind() == registry.KindHost && !strings.Contains(key, "/"):
		return fmt.Sprintf("want a name such as uni-x/de1, SITE/NAME, got %q", key)
	case o.Kind() == registry.KindRepository && !strings.Contains(key, "+"):
		return fmt.Sprintf("want a name such as os-43+x86_64, or os-43+ for a redirect of all architectures, got %q", key)
	}
	return fmt.Sprintf("want the document of %s, got that of %s: names do not change", key, o.Key())
}

// keepSecrets gives an object the secrets of the one before where it has what
// stands for them: documents that were read may be sent back.
func keepSecrets(after, before registry.Object) {
	if before == nil {
		return
	}
	keep := func(after *string, before, shown string) {
		if *after == shown {
			*after = before
		}
	}
	switch o := before.Redacted().(type) {
	case *registry.Site:
		if a, b := after.(*registry.Site), before.(*registry.Site); a != nil {
			keep(&a.PasswordHash, b.PasswordHash, o.PasswordHash)
		}
	case *registry.Host:
		if a, b := after.(*registry.Host), before.(*registry.Host); a != nil {
			keep(&a.PullSecret, b.PullSecret, o.PullSecret)
		}
	case *registry.User:
		if a, b := after.(*registry.User), before.(*registry.User); a != nil {
			keep(&a.PasswordHash, b.PasswordHash, o.PasswordHash)
		}
	case *registry.Token:
		if a, b := after.(*registry.Token), before.(*registry.Token); a != nil {
			keep(&a.Hash, b.Hash, o.Hash)
		}
	}
}

// apply writes a change if the caller may make it, and answers with the object.
func (s *server) apply(c *call, ch change) error {
	if err := s.write(c, ch); err != nil {
		return err
	}
	entry, err := s.Store.Get(c.Context(), ch.kind, ch.key)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if ch.before.Object == nil {
		status = http.StatusCreated
	}
	return c.entry(status, entry)
}

// write writes a change if the caller may make it. What it was compared with is
// what it changes: the store refuses it if there is another revision by then.
func (s *server) write(c *call, ch change) error {
	if err := c.caller.mayChange(c.world, ch.before.Object, ch.after); err != nil {
		return err
	}
	if err := sameNumber(ch); err != nil {
		return err
	}
	if odd := oddCountries(ch.before.Object, ch.after); odd != nil {
		return append(ch.after.Check(), odd...)
	}
	revision := store.New
	if ch.before.Object != nil {
		revision = ch.before.Revision
	}
	update := store.Delete(ch.kind, ch.key, revision)
	if ch.after != nil {
		update = store.Put(ch.after, revision)
	}
	number, err := s.Store.Apply(c.Context(), c.caller.name(), update)
	if err != nil {
		return err
	}
	s.Log.Info("registry changed", "who", c.caller.name(), "token", c.caller.token.Name, "kind", ch.kind, "key", ch.key,
		"change", number, "deleted", ch.after == nil)
	s.applied(c, ch)
	s.Publish()
	return nil
}

// sameNumber refuses to give a host another number.
func sameNumber(ch change) error {
	before, ok1 := ch.before.Object.(*registry.Host)
	after, ok2 := ch.after.(*registry.Host)
	if ok1 && ok2 && after.Number != 0 && after.Number != before.Number {
		return snapshot.Problems{{
			File: registry.Name(after), Key: "number",
			Text: fmt.Sprintf("want %d as before or none, got %d", before.Number, after.Number),
		}}
	}
	return nil
}

func (s *server) delete(kind registry.Kind) func(*call) error {
	return func(c *call) error {
		ch, err := s.begin(c, kind)
		if err != nil {
			return err
		}
		if ch.before.Object == nil {
			return fail(http.StatusNotFound, "there is no %s %s", kind, ch.key)
		}
		if err := s.write(c, ch); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
}
