package report

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/internal/needs"
)

// all returns the sections of a file, resolved.
func all(f *iniFile) map[string]map[string]string {
	sections := map[string]map[string]string{}
	for _, s := range f.sections {
		values := map[string]string{}
		for key := range s.values {
			values[key], _ = s.get(key)
		}
		for key := range s.defaults.values {
			values[key], _ = s.get(key)
		}
		sections[s.name] = values
	}
	return sections
}

const sample = `; a comment
[DEFAULT]
base = /srv/100%% mirror

[Fedora Linux]
Enabled=1
path: %(base)s/fedora = linux
  # a comment inside
list = one
	two
    three

[site]
password=a=b:c;d#e [f]
empty=
`

func TestINI(t *testing.T) {
	f, err := parseINI("x.conf", sample)
	if err != nil {
		t.Fatal(err)
	}
	base := "/srv/100% mirror"
	want := map[string]map[string]string{
		"Fedora Linux": {"base": base, "enabled": "1", "path": base + "/fedora = linux", "list": "one\ntwo\nthree"},
		"site":         {"base": base, "password": "a=b:c;d#e [f]", "empty": ""},
	}
	if diff := cmp.Diff(want, all(f)); diff != "" {
		t.Error("want -, got +:\n" + diff)
	}
}

// TestINITwin: Python's configparser, which report_mirror uses, reads the same.
func TestINITwin(t *testing.T) {
	python := needs.Program(t, "python3", "python3")
	path := filepath.Join(t.TempDir(), "x.conf")
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `import configparser, json, sys
c = configparser.ConfigParser()
c.read(sys.argv[1])
print(json.dumps({s: dict(c.items(s)) for s in c.sections()}))`
	out, err := exec.CommandContext(t.Context(), python, "-c", script, path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]string
	if err = json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	f, err := parseINI("x.conf", sample)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, all(f)); diff != "" {
		t.Error("want -, got +:\n" + diff)
	}
}

func TestINIErrors(t *testing.T) {
	for in, want := range map[string]string{
		"\na=b":           `x.conf:2: want a [SECTION] before the first key, got "a=b"`,
		"[a]\nb":          `x.conf:2: want KEY = VALUE, got "b"`,
		"[a]\n=b":         `x.conf:2: want KEY = VALUE, got "=b"`,
		"[a":              `x.conf:1: want [SECTION], got "[a"`,
		"[]":              `x.conf:1: want [SECTION], got "[]"`,
		"[a]\n[b]\n[a]":   `x.conf:3: the section [a] stands in line 1 already`,
		"[a]\nb=1\n\nB=2": `x.conf:4: b stands in line 2 already`,
	} {
		_, err := parseINI("x.conf", in)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
}

func FuzzINI(f *testing.F) {
	f.Add(sample)
	f.Add("[a]\nb=%(b)s%(b)s\nc=%(\n")
	f.Add("[a]\r\nb=1\r\n c\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseINI("x.conf", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.conf:") {
				t.Error(err)
			}
			return
		}
		all(file)
	})
}
