package service_test

import (
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/scan/mapping"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// A repository that a scan finds brings its version with it, so that the first
// one of a new version needs nobody; what has no name is said in the result.
func TestScanAddsRepositories(t *testing.T) {
	const metadata = "/x86_64/repodata/repomd.xml"
	p := newPlane(t, storetest.SQLite(t), scan.Config{
		Path: tree(t, "releases/43"+metadata, "releases/44"+metadata, "beta"+metadata, "images"+metadata),
		Mapping: mapping.Config{
			Skip:  []string{"/images/"},
			Rules: []mapping.Rule{{Regex: `^pub/os/releases/(?P<v>\d+)/`, Prefix: "os-${v}", Version: "${v}"}},
		},
	})
	_, err := p.db.Apply(t.Context(), "test",
		store.Put(&registry.Product{Name: "OS", Versions: []registry.Version{{Name: "43", Codename: "forty-three"}}}, store.New),
		store.Put(&registry.Category{Name: "os", Path: "pub/os", Product: "OS"}, store.New))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the first scan", func() bool { _, ok := p.job(); return ok })
	if j, _ := p.job(); !strings.HasSuffix(j.Result, "; 1 without a name (pub/os/beta/x86_64: no rule matches)") || strings.Contains(j.Result, "not added") {
		t.Error(j.Result)
	}
	world, _, err := p.db.World(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"os-43+x86_64", "os-44+x86_64"} {
		if _, ok := registry.Find[*registry.Repository](world, key); !ok {
			t.Errorf("there is no %s", key)
		}
	}
	if os, _ := registry.Find[*registry.Product](world, "OS"); len(os.Versions) != 2 || os.Versions[0].Codename == "" || os.Versions[1].Name != "44" {
		t.Errorf("versions %+v", os.Versions)
	}
}
