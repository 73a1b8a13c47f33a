package node_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/waypost/waypost/"

// imports returns what the Go files of dir, a folder of this module, import.
// It reads the sources itself: go test runs a test again when a file that it
// opened changes, but not when the output of a command would.
func imports(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no Go files in %s (%v)", dir, err)
	}
	var all []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, path)
		}
	}
	return all
}

// reach adds to seen what dir imports, directly or through this module's
// packages, each with a package on the way.
func reach(t *testing.T, dir string, seen map[string]string) {
	t.Helper()
	for _, path := range imports(t, dir) {
		pkg, ours := strings.CutPrefix(path, module)
		if _, ok := seen[pkg]; ok {
			continue
		}
		seen[pkg] = dir
		if ours {
			reach(t, pkg, seen)
		}
	}
}

// below returns root and every folder under it that holds Go files.
func below(t *testing.T, root string) (dirs []string) {
	t.Helper()
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(filepath.Join(top, root), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		names, _ := filepath.Glob(filepath.Join(path, "*.go"))
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				rel, err := filepath.Rel(top, path)
				dirs = append(dirs, filepath.ToSlash(rel))
				return err
			}
		}
		return nil
	})
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no packages below %s (%v)", root, err)
	}
	return dirs
}

func under(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }

// TestImportDirection keeps the request path free of what is slow and the two
// halves of the program apart.
func TestImportDirection(t *testing.T) {
	requestPath := []string{"edge/hostset", "edge/index", "edge/match", "edge/distance", "edge/pick", "edge/answer"}
	type rule struct{ from, bad, why string }
	rules := []rule{
		{"edge", "control", "edges run while control is down"},
		{"netblock", "edge", "netblock is a leaf"},
		{"netblock", "geo", "netblock is a leaf"},
		{"geo", "edge", "geo is a leaf"},
		{"geo", "netblock", "geo is a leaf"},
		{"edge/snapshot", "edge/index", "snapshot is the contract of both halves"},
		{"edge/cluster/vote", "github.com/hashicorp/memberlist", "votes are values, whatever carries them"},
		{"edge/cluster", "edge/health/probe", "edges agree on what is seen, whoever looks"},
		{"edge/source", "edge/cluster", "sections come from whoever has them"},
		{"edge/cluster/share", "edge/source", "it shares what it is given to hold"},
		{"edge/dns", "edge/http", "two mouths that know nothing of one another"},
		{"edge/http", "edge/dns", "two mouths that know nothing of one another"},
	}
	for _, from := range requestPath {
		rules = append(rules,
			rule{from, "geo/mmdb", "places are compiled into the index"},
			rule{from, "edge/cluster", "health arrives as data, not as gossip"},
			rule{from, "edge/health/probe", "health arrives as data, not as probes"},
			rule{from, "edge/source", "data arrives compiled"},
			rule{from, "log", "the request path counts; it does not log"},
			rule{from, "log/slog", "the request path counts; it does not log"},
			rule{from, "net/http", "transports live in edge/dns and edge/http"},
			rule{from, "encoding/json", "bytes are decoded in edge/snapshot"},
			rule{from, "os", "the request path opens no file"},
		)
	}
	for _, r := range rules {
		for _, from := range below(t, r.from) {
			seen := map[string]string{}
			reach(t, from, seen)
			for pkg, by := range seen {
				if under(pkg, r.bad) {
					t.Errorf("%s reaches %s by way of %s: %s", from, pkg, by, r.why)
				}
			}
		}
	}
}

// TestHomes keeps each library in its one folder.
func TestHomes(t *testing.T) {
	homes := map[string][]string{
		"github.com/miekg/dns":                 {"edge/dns"},
		"github.com/valyala/fasthttp":          {"edge/http"},
		"github.com/oschwald/maxminddb-golang": {"geo/mmdb"},
		"github.com/goccy/go-yaml":             {"edge/snapshot/strict"},
		"github.com/prometheus/client_golang":  {"edge/node"},
		"google.golang.org/protobuf":           {"edge/snapshot/mirrormanager", "edge/anycast/speaker"},
		"github.com/osrg/gobgp":                {"edge/anycast", "netblock/bgp"},
		"github.com/hashicorp/memberlist":      {"edge/cluster"},
		"github.com/maxmind/mmdbwriter":        {"(tests)"},
		"github.com/gaissmai/bart":             {"(tests)"},
	}
	for _, root := range []string{"edge", "netblock", "geo"} {
		for _, dir := range below(t, root) {
			for _, path := range imports(t, dir) {
				for lib, in := range homes {
					if under(path, lib) && !slices.ContainsFunc(in, func(home string) bool { return under(dir, home) }) {
						t.Errorf("%s imports %s, whose home is %s", dir, path, in)
					}
				}
			}
		}
	}
}
