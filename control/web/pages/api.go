package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// A denial is an answer of the API that says no.
type denial struct {
	status int
	web.Failure
}

func (d *denial) Error() string { return d.Failure.Error }

// ask asks the API as the visitor and decodes the answer into out, which may be
// nil. parameters are NAME, VALUE and so on; those that are empty are left out.
func (v *visit) ask(path string, out any, parameters ...string) error {
	query := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			query.Set(parameters[i], parameters[i+1])
		}
	}
	_, err := v.call(http.MethodGet, &url.URL{Path: path, RawQuery: query.Encode()}, nil, nil, out)
	return err
}

// order sends a document to the API as the visitor.
func (v *visit) order(path string, doc, out any) error {
	_, err := v.call(http.MethodPost, &url.URL{Path: path}, nil, doc, out)
	return err
}

// call is one call of the API. What the visitor may not see is a page that is
// missing.
func (v *visit) call(method string, where *url.URL, header http.Header, doc, out any) (http.Header, error) {
	var body []byte
	if doc != nil {
		var err error
		if body, err = json.Marshal(doc); err != nil {
			return nil, fmt.Errorf("encoding a document for the API: %w", err)
		}
	}
	reply := v.API.Do(v.r.Context(), v.user.Name, method, where, header, body)
	switch {
	case reply.Status == http.StatusNotFound, reply.Status/100 == 3: // a key such as ../x is no object's
		return nil, missing()
	case reply.Status >= http.StatusInternalServerError:
		return nil, fmt.Errorf("%s %s: %d %s", method, where, reply.Status, reply.Body)
	case reply.Status >= http.StatusMultipleChoices:
		return nil, &denial{reply.Status, reply.Failure()}
	}
	if out == nil {
		return reply.Header, nil
	}
	return reply.Header, decode(reply.Body, where, out)
}

// know reads what everybody may know out of what this program knows: the caller
// must leave out what is not for everybody.
func (v *visit) know(path string, out any, query url.Values) error {
	where := &url.URL{Path: path, RawQuery: query.Encode()}
	reply := v.API.Read(v.r.Context(), where)
	if reply.Status != http.StatusOK {
		return fmt.Errorf("reading %s: %d %s", where, reply.Status, reply.Body)
	}
	return decode(reply.Body, where, out)
}

// decode decodes an answer of the API.
func decode(body []byte, where *url.URL, out any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // large numbers stay what they are
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("decoding the API's answer to %s: %w", where, err)
	}
	return nil
}

// objectPath returns where the API has an object; with an empty key, all of its kind.
func objectPath(kind registry.Kind, key string) string {
	if key == "" {
		return "/v1/" + string(kind)
	}
	return "/v1/" + string(kind) + "/" + key
}

// A listed is an object in the API's list.
type listed[T registry.Object] struct {
	Key      string
	Revision int64
	Object   T
}

// list returns the objects of a kind that the visitor sees, sorted by key.
func list[T registry.Object](v *visit, parameters ...string) ([]T, error) {
	var zero T
	var answer struct{ Objects []listed[T] }
	if err := v.ask(objectPath(zero.Kind(), ""), &answer, parameters...); err != nil {
		return nil, err
	}
	all := make([]T, len(answer.Objects))
	for i, o := range answer.Objects {
		all[i] = o.Object
	}
	return all, nil
}

// get reads an object into out and returns its revision.
func (v *visit) get(kind registry.Kind, key string, out any) (revision string, err error) {
	if key == "" {
		return "", missing() // /host/ names none; the API would list all
	}
	h, err := v.call(http.MethodGet, &url.URL{Path: objectPath(kind, key)}, nil, nil, out)
	if err != nil {
		return "", err
	}
	return strconv.Unquote(h.Get("ETag"))
}

// patch changes an object, or makes it where revision is "".
func (v *visit) patch(kind registry.Kind, key, revision string, doc any) error {
	h := http.Header{}
	if revision == "" {
		h.Set("If-None-Match", "*")
	} else {
		h.Set("If-Match", strconv.Quote(revision))
	}
	_, err := v.call(http.MethodPatch, &url.URL{Path: objectPath(kind, key)}, h, doc, nil)
	return err
}

// remove deletes an object.
func (v *visit) remove(kind registry.Kind, key string) error {
	_, err := v.call(http.MethodDelete, &url.URL{Path: objectPath(kind, key)}, nil, nil, nil)
	return err
}

// key returns the key in the request's path.
func (v *visit) key() string { return v.r.PathValue("key") }

// kind returns the kind in the request's path, "" if there is no such kind.
func (v *visit) kind() registry.Kind {
	kind := registry.Kind(v.r.PathValue("kind"))
	if registry.New(kind) == nil {
		return ""
	}
	return kind
}
