package web_test

import (
	"testing"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// TestCountries types countries that are none. Those that were imported stay.
func TestCountries(t *testing.T) {
	a := start(t, world(), nil)
	for _, tt := range []struct {
		path, body string
		want       []string // nothing: it is taken
	}{
		{"/v1/host/uni-x/de1", `{"country":"UK"}`, []string{`"country"`, `(GB?), got \"UK\"`}},
		{
			"/v1/host/uni-x/de1", `{"country":"XQ","countries_allowed":["DE","XX"],"countries_excluded":["ZZ"],"tier":-1}`,
			[]string{`"country"`, `such as DE, got \"XQ\"`, "countries_allowed[1]", "countries_excluded[0]", `"tier"`},
		},
		{"/v1/host/uni-x/de1", `{"country":"EU"}`, []string{`got \"EU\"`}},                        // no mirror stands in all of it
		{"/v1/host/uni-x/de1", `{"country":"XK","countries_allowed":["EU","AP","GB","TW"]}`, nil}, // but databases place clients there
		{"/v1/override/uk", `{"country":"UK","embargoed":true}`, []string{"(GB?)"}},
		{"/v1/override/n", `{"country":"XQ","netblock":"192.0.2.0/24"}`, []string{`got \"XQ\"`}},
		{"/v1/override/ir", `{"country":"IR","embargoed":true}`, nil},
	} {
		answer := a.ask("root", "PATCH", tt.path, tt.body)
		if tt.want != nil {
			answer.want(t, 422, tt.want...)
		} else if answer.status >= 300 {
			t.Errorf("%s %s: status %d: %s", tt.path, tt.body, answer.status, answer.body)
		}
	}

	odd := &registry.Host{Site: "uni-x", Name: "odd", Country: "XQ", Allowed: []string{"UK", "DE"}, State: registry.Approved}
	if _, err := a.store.Apply(t.Context(), "import", store.Put(odd, store.New)); err != nil {
		t.Fatal(err)
	}
	a.ask("root", "PATCH", "/v1/host/uni-x/odd", `{"bandwidth":1,"countries_allowed":["DE","UK"]}`).want(t, 200, `"XQ"`)
	a.ask("root", "PATCH", "/v1/host/uni-x/odd", `{"countries_excluded":["XQ"],"country":"UK"}`).want(t, 200)
	a.ask("root", "PATCH", "/v1/host/uni-x/odd", `{"country":"YY"}`).want(t, 422)
}
