package mapping_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/control/scan/mapping"
)

// treeOf returns the tree that holds the files, and their directories.
func treeOf(files ...string) *registry.Tree {
	dirs := map[string][]registry.File{"": nil}
	for _, file := range files {
		dir, name := listing.Split(file)
		if name != "" {
			dirs[dir] = append(dirs[dir], registry.File{Name: name})
		}
		for dir != "" {
			dirs[dir] = append(dirs[dir], []registry.File{}...)
			dir, _ = listing.Split(dir)
		}
	}
	tree := &registry.Tree{Category: "c"}
	for path, files := range dirs {
		slices.SortFunc(files, func(a, b registry.File) int { return strings.Compare(a.Name, b.Name) })
		tree.Directories = append(tree.Directories, registry.Directory{Path: path, Files: files})
	}
	slices.SortFunc(tree.Directories, func(a, b registry.Directory) int { return strings.Compare(a.Path, b.Path) })
	return tree
}

func fedora(t *testing.T) *mapping.Mapper {
	t.Helper()
	text, err := os.ReadFile("testdata/fedora.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c mapping.Config
	if err = yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	m, err := mapping.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ExampleMapper_Find() {
	m, err := mapping.New(mapping.Config{Rules: []mapping.Rule{
		{Regex: `^pub/os/releases/(?P<v>\d+)/`, Prefix: "os${suffix}-${v}", Version: "${v}"},
	}})
	if err != nil {
		fmt.Println(err)
	}
	found := m.Find(treeOf("releases/43/x86_64/repodata/repomd.xml", "beta/x86_64/repodata/repomd.xml"), "pub/os")
	for _, r := range found.Repositories {
		fmt.Println(r.Name, r.Arch, r.Path)
	}
	for _, u := range found.Unmapped {
		fmt.Println(u.Path, u.Kind, u.Why)
	}
	// Output:
	// os-43 x86_64 pub/os/releases/43/x86_64
	// pub/os/beta/x86_64 yum no rule matches
}

func TestFind(t *testing.T) {
	found := fedora(t).Find(treeOf(
		"fedora/linux/releases/43/Everything/x86_64/os/repodata/repomd.xml",
		"fedora/linux/releases/43/Everything/x86_64/debug/tree/repodata/repomd.xml",
		"fedora/linux/releases/43/Everything/source/tree/repodata/repomd.xml",
		"fedora/linux/releases/43/Server/x86_64/os/repodata/repomd.xml",
		"fedora/linux/releases/test/44/Everything/x86_64/os/repodata/repomd.xml",
		"fedora/linux/development/43/Everything/x86_64/os/repodata/repomd.xml",
		"fedora/linux/development/rawhide/Everything/source/tree/repodata/repomd.xml",
		"fedora/linux/updates/43/Everything/aarch64/repodata/repomd.xml",
		"fedora/linux/updates/testing/43/Everything/SRPMS/repodata/repomd.xml",
		"fedora/linux/updates/44/Everything/repodata/repomd.xml",
		"fedora/linux/updates/45/Everything/x86_64/repodata/other.xml",
		"fedora/linux/atomic/repo/summary", "fedora/linux/atomic/repo/objects/00/x",
		"epel/10/Everything/x86_64/repodata/repomd.xml",
		"debian/dists/bookworm/Release", "debian/dists/bookworm/main/binary-amd64/Packages",
		"debian/dists/bookworm/main/source/Sources", "debian/dists/bookworm/main/debian-installer/binary-arm64/Packages",
		"security/dists/bookworm/updates/InRelease", "security/dists/bookworm/updates/main/binary-amd64/Packages",
		"debian/dists/none/main/binary-amd64/Packages", "debian/binary-amd64/x",
		"arch/core/os/x86_64/core.db", "arch/core/os/x86_64/core.db.tar.gz", "windows/x86_64/Thumbs.db",
		"images/43/a.iso", "images/latest/a.iso",
	), "pub")
	want := []string{
		"arch-core x86_64 arch/core/os/x86_64",
		"debian-bookworm-main amd64 debian/dists/bookworm/main/binary-amd64",
		"debian-bookworm-main-debian-installer arm64 debian/dists/bookworm/main/debian-installer/binary-arm64",
		"debian-bookworm-main source debian/dists/bookworm/main/source",
		"epel-10 x86_64 epel/10/Everything/x86_64",
		"atomic x86_64 fedora/linux/atomic/repo",
		"fedora-43 x86_64 fedora/linux/development/43/Everything/x86_64/os",
		"raw-src source fedora/linux/development/rawhide/Everything/source/tree",
		"fedora-source-43 source fedora/linux/releases/43/Everything/source/tree",
		"fedora-debug-43 x86_64 fedora/linux/releases/43/Everything/x86_64/debug/tree",
		"updates-f43 aarch64 fedora/linux/updates/43/Everything/aarch64",
		"updates-testing-source-f43 source fedora/linux/updates/testing/43/Everything/SRPMS",
		"images-43 all images/43",
		"debian-bookworm-updates-main amd64 security/dists/bookworm/updates/main/binary-amd64",
	}
	var got []string
	for _, r := range found.Repositories {
		if r.Category != "c" {
			t.Errorf("%s is of category %q", r.Path, r.Category)
		}
		got = append(got, r.Name+" "+r.Arch+" "+strings.TrimPrefix(r.Path, "pub/"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want = []string{
		"fedora/linux/releases/43/Everything/x86_64/os: rules[1]: fedora-43 x86_64 is pub/fedora/linux/development/43/Everything/x86_64/os already",
		"fedora/linux/releases/43/Server/x86_64/os: skip[0]",
		"fedora/linux/releases/test/44/Everything/x86_64/os: skip[1]",
		"fedora/linux/updates/44/Everything: rules[2]: no architecture in the path",
	}
	got = nil
	for _, u := range found.Unmapped {
		got = append(got, strings.TrimPrefix(u.Path, "pub/")+": "+u.Why)
		if u.Meant != strings.HasPrefix(u.Why, "skip") {
			t.Errorf("%s: %s: meant %t", u.Path, u.Why, u.Meant)
		}
	}
	want[0] = strings.Replace(want[0], "rules[1]: ", "", 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   mapping.Config
		want string
	}{
		{"a bad expression", mapping.Config{Skip: []string{"("}}, "skip[0]: error parsing"},
		{"an empty rule", mapping.Config{Rules: []mapping.Rule{{}}}, "rules[0].regex: want"},
		{"a bad rule", mapping.Config{Rules: []mapping.Rule{{Regex: "a"}, {Regex: "["}}}, "rules[1].regex: want"},
		{"an unknown group", mapping.Config{Rules: []mapping.Rule{{Regex: "(?P<w>a)", Prefix: "x-${v}"}}}, `rules[0].prefix: "x-${v}": no group`},
		{"an open group", mapping.Config{Rules: []mapping.Rule{{Regex: "(?P<w>a)", Version: "${w"}}}, "rules[0].version"},
		{"an empty alias", mapping.Config{Aliases: []mapping.Alias{{From: "a"}}}, "aliases[0]: want from and to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mapping.New(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	f.Add("dists/a/Release\ndists/a/main/binary-x/P")
	f.Add("dists/binary-x/P\ndists/source/P\nx/dists/dists/a/dists/b/source/P")
	f.Add("a/a.db\nsummary\nobjects/x")
	m, err := mapping.New(mapping.Config{Rules: []mapping.Rule{{Regex: "(?P<all>.*)", Prefix: "${all}${suffix}"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var files []string
		for file := range strings.SplitSeq(text, "\n") {
			if listing.Flaw(file) == "" && file != "" {
				files = append(files, file)
			}
		}
		for _, r := range m.Find(treeOf(files...), "pub").Repositories {
			if r.Name == "" || r.Arch == "" {
				t.Errorf("%+v", r)
			}
		}
	})
}
