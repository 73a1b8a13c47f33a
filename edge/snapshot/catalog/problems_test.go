package catalog_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/snapshot/catalog"
)

var update = flag.Bool("update", false, "write the golden files")

// TestProblems finds everything wrong with testdata/bad.yaml at once.
func TestProblems(t *testing.T) {
	in, err := os.ReadFile("testdata/bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = catalog.Decode("catalog.yaml", in)
	if err == nil {
		t.Fatal("no error")
	}
	got := err.Error() + "\n"
	if *update {
		if failed := os.WriteFile("testdata/bad.txt", []byte(got), 0o600); failed != nil {
			t.Fatal(failed)
		}
	}
	want, err := os.ReadFile("testdata/bad.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWholeFileProblems(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "catalog.yaml:1: want keys, got an empty file"},
		{"comment only", "# nothing here\n", "catalog.yaml:1: want keys, got an empty file"},
		{"list", "- a\n", "catalog.yaml:1: want keys and values, got a list\n" +
			"catalog.yaml:1: categories: want at least one category\n" +
			"catalog.yaml:1: hosts: want at least one host"},
		{"no hosts", "categories: [{name: a, path: a}]\n", "catalog.yaml:1: hosts: want at least one host"},
		{"empty hosts", "\ncategories: [{name: a, path: a}]\nhosts: []\n", "catalog.yaml:3: hosts: want at least one host"},
		{"no categories", "hosts: [{name: h, urls: {a: http://h}}]\n", "catalog.yaml:1: categories: want at least one category"},
		{"no YAML", "hosts: [\n", "catalog.yaml:1: no valid YAML: sequence end token ']' not found"},
		{"alias", "hosts: &h [{name: a}]\ncategories: *h\n", "catalog.yaml:1: hosts[0].urls: want the URLs of at least one category\n" +
			"catalog.yaml:2: categories[0]: want keys and values, got an alias (*), which is not supported\n" +
			"catalog.yaml:2: categories[0].name: want a name, got nothing\n" +
			"catalog.yaml:2: categories[0].path: want a path (\"\" is the root), got nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := catalog.Decode("catalog.yaml", []byte(tt.in))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}
