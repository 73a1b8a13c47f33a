//go:build e2e && linux && amd64

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/waypost/waypost/control/internal/needs"
)

// TestDeploySyscalls traces both halves from start to end, and wants that the
// units allow each system call that was made.
func TestDeploySyscalls(t *testing.T) {
	t.Parallel()
	needs.Program(t, "strace", "strace")
	needs.Program(t, "systemd-analyze", "systemd")
	sets := syscallSets(t)
	at := map[string]string{"http": port(t), "dns": port(t), "admin": port(t)}
	master, control := t.TempDir(), port(t)
	file(t, "a disc", master, "43/iso/disc.iso")
	for unit, half := range map[string]struct{ config, ready string }{
		"waypost-edge.service": {socketEdge(t, at), "http://" + at["admin"] + "/readyz"},
		"waypost-control.service": {
			file(t, "control: {data_dir: data, listen: '"+control+"', masters: [{category: os, type: directory, path: "+master+"}]}\n", t.TempDir(), "control.yaml"),
			"http://" + control + "/readyz",
		},
	} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			allowed := map[string]bool{}
			for _, line := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(deployed(t, "systemd", unit), -1) {
				for set := range strings.FieldsSeq(line[2]) {
					sets.each(set, func(name string) { allowed[name] = line[1] == "" })
				}
			}
			trace := filepath.Join(t.TempDir(), "trace")
			e := start(t, "strace", "-f", "-qq", "-o", trace, waypost, "run", "-c", half.config)
			until(t, soon, "it is ready", func() bool { return status(half.ready) == http.StatusOK })
			_ = status("http://" + at["http"] + "/pub/os/43/iso/disc.iso")
			pid, err := strconv.Atoi(regexp.MustCompile(`^\d+`).FindString(word(t, trace))) // the first line is of the process itself
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGTERM)
			}
			if err != nil {
				t.Fatal(err)
			}
			until(t, soon, "it has ended", func() bool { return !e.running() })
			text, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			made := map[string]bool{}
			for _, call := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(string(text), -1) {
				made[call[1]] = true
			}
			delete(made, "fchown") // of SQLite, and only where it runs as root, as here
			for name := range made {
				if !allowed[name] {
					t.Errorf("%s does not allow %s", unit, name)
				}
			}
			if len(made) < 30 {
				t.Errorf("%d system calls", len(made))
			}
		})
	}
}

// A syscallSet is what a name that begins with @ stands for.
type syscallSet map[string][]string

// syscallSets asks systemd.
func syscallSets(t *testing.T) syscallSet {
	t.Helper()
	out, err := command(t, "systemd-analyze", "--no-pager", "syscall-filter").Output()
	if err != nil {
		t.Fatal(err)
	}
	sets, name := syscallSet{}, ""
	for line := range strings.Lines(string(out)) {
		is := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			name = is
		case is != "" && is[0] != '#':
			sets[name] = append(sets[name], is)
		}
	}
	return sets
}

// each does something with each system call of a set, or with the one.
func (s syscallSet) each(name string, do func(name string)) {
	if !strings.HasPrefix(name, "@") {
		do(name)
		return
	}
	for _, member := range s[name] {
		s.each(member, do)
	}
}
