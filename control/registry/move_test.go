package registry_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
)

// mover returns a mover in a world with two categories, whose masters have the
// directories below.
func mover(objects ...registry.Object) registry.Mover {
	directories := []string{
		"pub/os/development/44/x86_64", "pub/os/development/44/x86_64/repodata",
		"pub/os/releases/44/x86_64", "pub/os/releases/44/x86_64/repodata",
		"pub/os/development/44/riscv64", "pub/os/development/44/riscv64/repodata",
		"pub/os/releases/44/riscv64", // no repodata yet
		"pub/archive/os/releases/30/x86_64", "pub/archive/30", "pub/archive/os/31",
	}
	objects = append(
		objects,
		&registry.Product{Name: "OS", Versions: []registry.Version{{Name: "44"}}},
		&registry.Category{Name: "os", Path: "pub/os", Product: "OS"},
		&registry.Category{Name: "archive", Path: "pub/archive"},
	)
	return registry.Mover{
		World: registry.NewWorld(slices.Values(objects)), Now: time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC),
		There: func(c *registry.Category, directory string) bool {
			return registry.Below(directory, c.Path) && slices.Contains(directories, directory)
		},
	}
}

func category(t *testing.T, m registry.Mover, name string) *registry.Category {
	t.Helper()
	c, ok := registry.Find[*registry.Category](m.World, name)
	if !ok {
		t.Fatal("no category", name)
	}
	return c
}

func repository(name, arch, path string) *registry.Repository {
	return &registry.Repository{Name: name, Arch: arch, Path: path, Category: "os"}
}

func TestMoveToRelease(t *testing.T) {
	m := mover(
		repository("os-44", "x86_64", "pub/os/development/44/x86_64"),
		repository("os-44", "riscv64", "pub/os/development/44/riscv64"),
		repository("os-44", "s390x", "pub/os/development/44/s390x"),
		repository("os-44-beta", "x86_64", "pub/os/releases/44/x86_64"),
		repository("os-443", "x86_64", "pub/os/development/443/x86_64"),
		&registry.Repository{Name: "os-devel", RedirectTo: "os-44"},
		&registry.Repository{Name: "other", Arch: "x86_64", Path: "pub/archive/development/44/x", Category: "archive"},
	)
	got := m.Release(category(t, m, "os"), "44", "development", "releases")
	want := []registry.Move{
		{
			Repository: "os-44+riscv64", From: "pub/os/development/44/riscv64", To: "pub/os/releases/44/riscv64", Category: "os", Version: "44",
			Problem: "the master does not have pub/os/releases/44/riscv64/repodata",
		},
		{
			Repository: "os-44+s390x", From: "pub/os/development/44/s390x", To: "pub/os/releases/44/s390x", Category: "os", Version: "44",
			Problem: "the master does not have pub/os/releases/44/s390x",
		},
		{Repository: "os-44+x86_64", From: "pub/os/development/44/x86_64", To: "pub/os/releases/44/x86_64", Category: "os", Version: "44"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	moved := repository("os-44", "x86_64", "pub/os/development/44/x86_64").Moved(got[2])
	if diff := cmp.Diff(&registry.Repository{Name: "os-44", Arch: "x86_64", Path: "pub/os/releases/44/x86_64", Category: "os", Version: "44"}, moved); diff != "" {
		t.Error(diff)
	}
}

func TestMoveUnderEmbargo(t *testing.T) {
	r := &registry.Release{Name: "os-44", Paths: []string{"pub/os/releases/44"}, LiftAt: time.Date(2026, 4, 1, 12, 0, 1, 0, time.UTC)}
	m := mover(repository("os-44", "x86_64", "pub/os/development/44/x86_64"), r)
	if got := m.Release(category(t, m, "os"), "44", "development", "releases"); !strings.Contains(got[0].Problem, "embargo of os-44 until 2026-04-01T12:00:01Z") {
		t.Errorf("%+v", got)
	}
	m.Now = r.LiftAt
	if got := m.Release(category(t, m, "os"), "44", "development", "releases"); got[0].Problem != "" {
		t.Errorf("%+v", got)
	}
}

func TestMoveToArchive(t *testing.T) {
	tests := []struct{ name, path, version, want string }{
		{"whole path below", "os/releases/30/x86_64", "30", "pub/archive/os/releases/30/x86_64"},
		{"without its first element", "pub/os/releases/30/x86_64", "30", "pub/archive/os/releases/30/x86_64"},
		{"the end alone", "pub/os/releases/30", "30", "pub/archive/30"},
		{"not a directory above the version", "pub/os/31/x86_64", "31", ""},
		{"not there", "pub/os/releases/29/x86_64", "29", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mover(repository("os", "x86_64", tt.path))
			got := m.Archive(category(t, m, "os"), tt.version, category(t, m, "archive"))
			if len(got) != 1 || got[0].To != tt.want || got[0].Category != "archive" || (got[0].Problem == "") != (tt.want != "") {
				t.Errorf("%+v, want it to %q", got, tt.want)
			}
		})
	}
}
