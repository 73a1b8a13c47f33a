package web_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

// BenchmarkRequest asks what it costs to answer in a registry of 1,000 hosts
// and as many tokens, with authentication and SQLite.
func BenchmarkRequest(b *testing.B) {
	objects := world()
	for i := range 1000 {
		h := &registry.Host{Site: "uni-x", Name: fmt.Sprint("h", i), State: registry.Approved}
		objects = append(objects, h, token(fmt.Sprint("t", i), "", h.Key(), "", registry.ScopeCheckin))
	}
	a := start(b, objects, nil)
	handler := web.New(web.Config{Store: a.store})
	for _, path := range []string{"/v1/host/uni-x/de1", "/v1/host", "/v1/status"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
				r.Header.Set("Authorization", "Bearer root")
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// BenchmarkPropagation asks how far metadata has got on 1,000 hosts that carry
// 2 categories with 250 metadata files each: a tenth of what 20 have.
func BenchmarkPropagation(b *testing.B) {
	const hosts, categories, files = 1000, 2, 250
	var objects []registry.Object
	on := registry.Activity{AdminActive: true, UserActive: true}
	for c := range categories {
		objects = append(objects, &registry.Category{Name: fmt.Sprint("c", c), Path: fmt.Sprint("pub/", c)})
	}
	for i := range hosts {
		h := &registry.Host{Site: "uni-x", Name: fmt.Sprint("h", i), State: registry.Approved, Activity: on}
		for c := range categories {
			h.Carries = append(h.Carries, registry.Carry{Category: fmt.Sprint("c", c)})
		}
		objects = append(objects, h)
	}
	a := start(b, append(world(), objects...), nil)
	for c := range categories {
		sums := map[string]string{}
		for f := range files {
			path, sum := fmt.Sprintf("releases/%d/Everything/x86_64/os/repodata/repomd.xml", f), sha256.Sum256(fmt.Append(nil, f))
			sums[path] = hex.EncodeToString(sum[:])
			file := registry.File{Hashes: &registry.Hashes{snapshot.SHA256: sum[:]}}
			if err := a.store.NoteFile(b.Context(), fmt.Sprintf("pub/%d/%s", c, path), file, now); err != nil {
				b.Fatal(err)
			}
		}
		text, err := json.Marshal(sums)
		if err != nil {
			b.Fatal(err)
		}
		for i := range hosts {
			crawl := store.Crawl{Host: fmt.Sprint("uni-x/h", i), Category: fmt.Sprint("c", c), At: now, Sightings: string(text)}
			if err := a.store.Settle(b.Context(), store.Settlement{Keep: 1, Crawl: crawl}); err != nil {
				b.Fatal(err)
			}
		}
	}
	handler := web.New(web.Config{Store: a.store})
	for b.Loop() {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/propagation", nil)
		r.Header.Set("Authorization", "Bearer root")
		if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
