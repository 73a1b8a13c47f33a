package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
)

// FuzzDocument reads what strangers send as a host: it is an object with known
// keys, or an error that they are told; what was read is read again the same.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		`{"name":"de1","site":"uni-x","state":"approved","admin_active":true}`,
		`{"carries":[{"category":"os","urls":[{"url":"https://x.example.org","Url":1}]}]}`,
		`{"location":{"lat":1e400}}`, `{"addresses":["192.0.2.1","x"]}`, `{"maintenance":[{"from":"2026-01-01T00:00:00Z"}]}`,
		`{"location":[1]}`, `{"carries":{"a":1}}`, `{"number":9223372036854775808}`, `null`, `[`, `{} {}`, `{"NAME":"x"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := (&call{Request: r}).document()
		var h registry.Host
		if err == nil {
			err = decode("host", doc, &h)
		}
		if err != nil {
			if failure, ours := failed(err); ours || failure.Error == "" {
				t.Errorf("nobody is told %v", err)
			}
			return
		}
		again, err := asDocument(&h)
		if err != nil {
			t.Fatal(err)
		}
		var second registry.Host
		if err := decode("host", merge(again, nil), &second); err != nil {
			t.Fatal(err)
		}
		one, _ := json.Marshal(h)
		two, _ := json.Marshal(second)
		if diff := cmp.Diff(string(one), string(two)); diff != "" {
			t.Errorf("read again (-first +second): %s", diff)
		}
	})
}

// TestMerge tries the examples of RFC 7396, appendix A, that are about objects.
func TestMerge(t *testing.T) {
	for _, tt := range []struct{ doc, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		var doc, patch map[string]any
		if err := json.Unmarshal([]byte(tt.doc), &doc); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(tt.patch), &patch); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(merge(doc, patch)); string(got) != tt.want {
			t.Errorf("%s with %s is %s, want %s", tt.doc, tt.patch, got, tt.want)
		}
	}
}
