package pages

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// An editing is a form for one object: a new one, or one that is there.
type editing struct {
	kind     registry.Kind
	key      string // "" of a new one
	revision string
	fields   []field
	doc      map[string]any
	carried  []registry.Carry // what a host carried before

	categories []string // that a host may carry
}

// newPage shows the form of a new object.
func (v *visit) newPage() error {
	e, err := v.editing("")
	if err != nil {
		return err
	}
	form := values(e.fields, e.doc)
	for _, name := range []string{"site", "category", "product"} { // links may say where it belongs
		if at := v.r.URL.Query().Get(name); at != "" {
			form.Set(name, at)
		}
	}
	return v.showForm(e, form, noticed{}, nil, http.StatusOK)
}

// editPage shows the form of an object.
func (v *visit) editPage() error {
	e, err := v.editing(v.key())
	if err != nil {
		return err
	}
	return v.showForm(e, values(e.fields, e.doc), noticed{}, nil, http.StatusOK)
}

// save takes either form.
func (v *visit) save() error {
	e, err := v.editing(v.key())
	if err != nil {
		return err
	}
	form := v.r.PostForm
	doc, wrong := read(e.fields, form)
	list := readCarries(e.categories, e.carried, form, v.user.Admin)
	if e.kind == registry.KindHost {
		doc["carries"] = list
	}
	if len(wrong) > 0 {
		e.check(doc, list, wrong)
		return v.showForm(e, form, wrong, nil, statusOf(nil))
	}
	key := e.key
	if key == "" {
		key = keyOf(e.kind, doc)
	}
	revision := ""
	if e.key != "" {
		revision = form.Get("revision")
		if revision == "" {
			return &refusal{http.StatusBadRequest, "The form lacks the revision that it is about."}
		}
	}
	var denied *denial
	switch err = v.patch(e.kind, key, revision, doc); {
	case errors.As(err, &denied):
		e.revision = revision // sending it again is refused again where somebody else was faster
		rest := place(denied, e.fields, list, wrong)
		return v.showForm(e, form, wrong, rest, statusOf(denied))
	case err != nil:
		return err
	}
	done := "saved"
	if e.key == "" {
		done = "made"
		if !v.user.Admin {
			done = "applied"
		}
	}
	return v.to(homeOf(e.kind, key) + "?done=" + done)
}

// check notes what else is wrong with a form some of which cannot be read, so
// that all of it is told at once: what the object that is made of the rest says
// of itself.
func (e editing) check(patch map[string]any, carried []registry.Carry, wrong noticed) {
	doc := maps.Clone(e.doc)
	if doc == nil {
		doc = map[string]any{}
	}
	maps.Copy(doc, patch)
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(doc)
	if err != nil {
		return
	}
	o, err := registry.Decode(e.kind, text)
	if err != nil {
		return
	}
	for _, p := range o.Check() {
		name := placeOf(web.Problem{Key: p.Key, Text: p.Text}, e.fields, carried)
		if name != "" && wrong[name] == nil {
			wrong.add(name, "%s", sentence(p.Text))
		}
	}
}

// keyOf returns the key of a new object.
func keyOf(kind registry.Kind, doc map[string]any) string {
	name, _ := doc["name"].(string)
	switch kind {
	case registry.KindHost:
		at, _ := doc["site"].(string)
		return registry.HostKey(at, name)
	case registry.KindRepository:
		arch, _ := doc["arch"].(string)
		return name + "+" + arch
	}
	return name
}

// homeOf returns the page about an object.
func homeOf(kind registry.Kind, key string) string {
	switch kind {
	case registry.KindSite, registry.KindHost, registry.KindRelease:
		return "/" + string(kind) + "/" + inPath(key)
	}
	return "/edit/" + string(kind) + "/" + inPath(key)
}

// editing reads what a form of the kind in the path needs.
func (v *visit) editing(key string) (e editing, err error) {
	e = editing{kind: v.kind(), key: key}
	all := fieldsOf(e.kind)
	own := e.kind == registry.KindSite || e.kind == registry.KindHost || e.kind == registry.KindUser && key != ""
	if all == nil || !v.user.Admin && !own {
		return e, missing()
	}
	e.fields = fieldsFor(all, v.user.Admin, key == "")
	if key != "" {
		if e.revision, err = v.get(e.kind, key, &e.doc); err != nil {
			return e, err
		}
	} else {
		e.doc = v.defaults(e.kind)
	}
	if err = v.options(&e); err != nil || e.kind != registry.KindHost || key == "" {
		return e, err
	}
	var h registry.Host
	text, err := json.Marshal(e.doc)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	e.carried = h.Carries
	return e, err
}

// defaults returns what the form of a new object begins with.
func (v *visit) defaults(kind registry.Kind) map[string]any {
	state := registry.Pending
	if v.user.Admin {
		state = registry.Approved
	}
	switch kind {
	case registry.KindSite:
		return map[string]any{"admins": []any{v.user.Name}, "user_active": true, "admin_active": true, "state": string(state)}
	case registry.KindHost:
		return map[string]any{"user_active": true, "admin_active": true, "state": string(state), "tier": json.Number("1")}
	case registry.KindProduct:
		return map[string]any{"public": true}
	}
	return nil
}

// options fills in the choices that the registry gives.
func (v *visit) options(e *editing) error {
	for i := range e.fields {
		f := &e.fields[i]
		var names []string
		var err error
		switch {
		case f.Entry == carries:
			e.categories, err = namesOf[*registry.Category](v)
		case f.Entry != choice || f.Options != nil:
			continue
		case f.Key == "site":
			names, err = namesOf[*registry.Site](v)
		case f.Key == "category":
			names, err = namesOf[*registry.Category](v)
		case f.Key == "product":
			names, err = namesOf[*registry.Product](v)
		}
		if err != nil {
			return err
		}
		f.Options = append([]string{""}, names...)
	}
	return nil
}

// namesOf returns the keys of the objects of a kind that the visitor sees.
func namesOf[T registry.Object](v *visit) ([]string, error) {
	all, err := list[T](v)
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.Key()
	}
	return names, err
}

// showForm shows a form.
func (v *visit) showForm(e editing, form url.Values, wrong noticed, problems []string, status int) error {
	f := shownForm{
		Action: "/new/" + string(e.kind), Submit: "Register", Back: "/my", Problems: problems, Wrong: len(wrong),
		Fields: lay(e.fields, form, wrong, e.categories, v.user.Admin),
	}
	title := "New " + string(e.kind)
	if v.user.Admin {
		f.Submit, f.Back = "Make", "/list/"+string(e.kind)
	}
	if e.key != "" {
		title = sentence(string(e.kind)) + " " + e.key
		f.Action, f.Submit, f.Revision = "/edit/"+string(e.kind)+"/"+inPath(e.key), "Save", e.revision
		if slices.Contains([]registry.Kind{registry.KindSite, registry.KindHost, registry.KindRelease}, e.kind) {
			f.Back = homeOf(e.kind, e.key)
		}
		if v.user.Admin || e.kind != registry.KindUser {
			f.Delete = "/delete/" + string(e.kind) + "/" + inPath(e.key)
		}
		if e.kind == registry.KindUser && v.user.Admin {
			f.Password = "/do/user-password/" + inPath(e.key)
		}
		f.Log = "/log/" + string(e.kind) + "/" + inPath(e.key)
	}
	return v.render(status, "form", title, f)
}

// A deletion asks whether it is meant.
type deletion struct {
	Kind      registry.Kind
	Key, Back string
	Action    string
	Problems  []string
}

func (v *visit) deletion() (deletion, error) {
	d := deletion{Kind: v.kind(), Key: v.key()}
	var doc map[string]any
	if d.Kind == "" {
		return d, missing()
	}
	_, err := v.get(d.Kind, d.Key, &doc)
	d.Back, d.Action = homeOf(d.Kind, d.Key), "/delete/"+string(d.Kind)+"/"+inPath(d.Key)
	if d.Kind == registry.KindToken {
		d.Back = "/account"
	}
	return d, err
}

func (v *visit) deletePage() error {
	d, err := v.deletion()
	if err != nil {
		return err
	}
	return v.show("delete", "Delete "+string(d.Kind)+" "+d.Key, d)
}

// delete deletes an object.
func (v *visit) delete() error {
	d, err := v.deletion()
	if err != nil {
		return err
	}
	var denied *denial
	switch err = v.remove(d.Kind, d.Key); {
	case errors.As(err, &denied):
		d.Problems = place(denied, nil, nil, noticed{})
		return v.render(denied.status, "delete", "Delete "+string(d.Kind)+" "+d.Key, d)
	case err != nil:
		return err
	case d.Kind == registry.KindToken:
		return v.to("/account?done=revoked")
	case v.user.Admin:
		return v.to("/list/" + string(d.Kind) + "?done=deleted")
	}
	return v.to("/my?done=deleted")
}
