package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

type checkins struct{}

func (checkins) ServeAPI(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

func (checkins) ServeXMLRPC(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

// TestOpenAPI asks each path of the document: everything that is described is
// there, and TestEveryRouteIsDescribed looks from the other side.
func TestOpenAPI(t *testing.T) {
	a := start(t, world(), func(c *web.Config) { c.Checkins = checkins{} })
	var doc struct {
		Paths map[string]map[string]struct {
			Summary string
			Scope   registry.Scope `json:"x-scope"`
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
				Required   []string
			}
		}
	}
	a.ask("", "GET", "/openapi.json", "").want(t, 200).into(t, &doc)
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			status := a.ask("", strings.ToUpper(method), strings.NewReplacer("{key}", "x/y", "{sha256}", "00", "{format}", "rsync-acl").Replace(path), "{}").status
			want := http.StatusOK
			switch {
			case operation.Scope != "", strings.HasPrefix(path, "/v1/exports/"): // some exports want a token
				want = http.StatusUnauthorized
			case method == "post":
				want = http.StatusTeapot
			}
			if status != want || operation.Summary == "" {
				t.Errorf("%s %s: status %d, want %d; %q", method, path, status, want, operation.Summary)
			}
		}
	}
	for _, kind := range registry.Kinds() {
		if doc.Paths["/v1/"+string(kind)] == nil || doc.Paths["/v1/"+string(kind)+"/{key}"]["patch"].Summary == "" {
			t.Errorf("the document lacks %s", kind)
		}
	}
	host := doc.Components.Schemas["Host"]
	required, err := json.Marshal(host.Required)
	if err != nil || string(required) != `["name","site","state","admin_active","user_active"]` || host.Properties["carries"].Description == "" ||
		host.Properties["user_active"].Description == "" {
		t.Errorf("a host's schema: %s, %+v", required, host)
	}
}
