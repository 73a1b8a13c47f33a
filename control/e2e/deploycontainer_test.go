//go:build e2e && linux

package e2e

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waypost/waypost/control/internal/needs"
)

// A containerfile is what the test understands of deploy/Containerfile.
type containerfile struct {
	stages map[string][]instruction
	order  []string
}

type instruction struct{ word, rest string }

// readContainerfile reads instructions, one a line, as deploy has them.
func readContainerfile(t *testing.T) (c containerfile) {
	t.Helper()
	c.stages = map[string][]instruction{}
	known := []string{"FROM", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
	for i, line := range strings.Split(deployed(t, "Containerfile"), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if !slices.Contains(known, word) || rest == "" || strings.HasSuffix(rest, `\`) {
			t.Fatalf("Containerfile:%d: want an instruction in one line, got %q", i+1, line)
		}
		if word == "FROM" {
			_, name, ok := strings.Cut(rest, " AS ")
			if !ok {
				t.Fatalf("Containerfile:%d: want a stage with a name", i+1)
			}
			c.order = append(c.order, name)
		}
		stage := c.order[len(c.order)-1]
		c.stages[stage] = append(c.stages[stage], instruction{word, rest})
	}
	return c
}

// last returns the last instruction of a word, "" if there is none.
func (c containerfile) last(stage, word string) (rest string) {
	for _, i := range c.stages[stage] {
		if i.word == word {
			rest = i.rest
		}
	}
	return rest
}

// made returns what a stage makes below /out.
func (c containerfile) made(stage string) map[string]bool {
	output, paths := regexp.MustCompile(`(?:go build .*-o|cp \S+|mkdir) (/out/\S+)`), map[string]bool{}
	for _, i := range c.stages[stage] {
		for _, is := range output.FindAllStringSubmatch(i.rest, -1) {
			paths[is[1]] = true
		}
	}
	return paths
}

// copied returns the paths that a stage copies to. What it copies from is built,
// or the certificates, which the image of the build has.
func (c containerfile) copied(t *testing.T, stage string, built map[string]bool) map[string]bool {
	t.Helper()
	paths := map[string]bool{}
	for _, i := range c.stages[stage] {
		if i.word != "COPY" {
			continue
		}
		words := slices.DeleteFunc(strings.Fields(i.rest), func(word string) bool { return strings.HasPrefix(word, "--") })
		to := words[len(words)-1]
		for _, from := range words[:len(words)-1] {
			if !built[from] && from != "/etc/ssl/certs/ca-certificates.crt" || !strings.HasPrefix(i.rest, "--from=build ") {
				t.Errorf("%s copies %s, which is not in %v", stage, from, built)
			}
			if strings.HasSuffix(to, "/") {
				paths[to+filepath.Base(from)] = true
			} else {
				paths[to] = true
			}
		}
	}
	return paths
}

// TestDeployContainerfile looks for what an image must have: a user who is a
// number and not root, a health check and a command of files that it has, which
// the stage before made; and that it builds as the Makefile does.
func TestDeployContainerfile(t *testing.T) {
	t.Parallel()
	c := readContainerfile(t)
	if want := []string{"build", "control", "edge"}; !slices.Equal(c.order, want) {
		t.Fatalf("stages %v, want %v", c.order, want)
	}
	if from := c.stages["edge"][0].rest; from != "scratch AS edge" {
		t.Errorf("edges are FROM %s", from)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`CGO_ENABLED=0 (?:\$\(GO\)|go) build (-\S+)`)
	ours, theirs := flags.FindStringSubmatch(deployed(t, "Containerfile")), flags.FindStringSubmatch(string(makefile))
	if ours == nil || theirs == nil || ours[1] != theirs[1] {
		t.Errorf("built by %q, and by make: %q", ours, theirs)
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))[1]
	wantText(t, c.stages["build"][0].rest, "golang:"+version+"-")
	built := c.made("build")
	for _, stage := range []string{"control", "edge"} {
		has := c.copied(t, stage, built)
		if user := c.last(stage, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
			t.Errorf("%s runs as %q", stage, user)
		}
		var entry, run, check []string
		decode(t, c.last(stage, "ENTRYPOINT"), &entry)
		decode(t, c.last(stage, "CMD"), &run)
		_, health, _ := strings.Cut(c.last(stage, "HEALTHCHECK"), " CMD ")
		decode(t, health, &check)
		if entry[0] != "/usr/local/bin/waypost" || run[0] != "run" || check[1] != "ready" || !has[entry[0]] || !has[check[0]] {
			t.Errorf("%s, with %v: %v %v, %v", stage, has, entry, run, check)
		}
	}
}

// TestDeployStatic runs bin/waypost as an image of nothing does: its root folder
// has the binary, a configuration and certificates; the user is nobody, with no
// right but to bind low ports, in a network of its own.
func TestDeployStatic(t *testing.T) {
	t.Parallel()
	program, err := elf.Open(waypost)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close() //nolint:errcheck // only read
	if libraries, bad := program.ImportedLibraries(); bad == nil && len(libraries) > 0 {
		t.Fatalf("bin/waypost is not static: it wants %v", libraries)
	}
	for _, p := range []struct {
		name, web, dns, has string
		capabilities        []uintptr
	}{
		{"ports below 1024 by a capability", "80", "53", "0000000000000400", []uintptr{unix.CAP_NET_BIND_SERVICE}},
		{"ports above 1024 by none", "8080", "5353", "0000000000000000", nil},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			network := newNetwork(t)
			e := startIsolated(t, network, emptyRoot(t, p.web, p.dns), p.capabilities)
			inside := func(args ...string) string {
				out, _ := command(t, "ip", append([]string{"netns", "exec", network}, args...)...).CombinedOutput() // what it says is looked at
				return string(out)
			}
			until(t, soon, "the edge is ready", func() bool {
				if !e.running() {
					t.Fatalf("it ended:\n%s", e.text())
				}
				return strings.HasPrefix(inside(waypost, "ready"), "ready")
			})
			wantText(t, inside("dig", "+short", "@127.0.0.1", "-p", p.dns, "m.test", "A"), "192.0.2.7")
			wantText(t, inside("curl", "-si", "http://127.0.0.1:"+p.web+"/pub/os/f"), "https://a.example.org/os/f")
			about, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, string(about), "Uid:\t65532\t65532\t65532\t65532\n", "CapEff:\t"+p.has+"\n")
		})
	}
}

// newNetwork makes a network namespace with a loopback.
func newNetwork(t *testing.T) (name string) {
	t.Helper()
	needs.Program(t, "ip", "iproute2")
	needs.Program(t, "dig", "bind9-dnsutils")
	needs.Root(t)
	name = fmt.Sprintf("waypost-deploy-%d-%d", os.Getpid(), time.Now().UnixNano())
	output(t, "ip", "netns", "add", name)
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Errorf("deleting %s: %v: %s", name, err, out)
		}
	})
	output(t, "ip", "-n", name, "link", "set", "lo", "up")
	return name
}

// emptyRoot makes a root folder as the image has it.
func emptyRoot(t *testing.T, web, dns string) (root string) {
	t.Helper()
	root = t.TempDir()
	for path, from := range map[string]string{
		"usr/local/bin/waypost": waypost, "etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt",
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		chmod(t, file(t, string(text), root, path), 0o755)
	}
	file(t, strings.NewReplacer("WEB", web, "DNS", dns).Replace(`edge:
  name: edge1
  data_dir: /var/lib/waypost
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:WEB"]}
  dns:
    listen: ["127.0.0.1:DNS"]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
  health: {}
  admin: {listen: "127.0.0.1:9090"}
`), root, "etc", "waypost", "waypost.yaml")
	file(t, `categories: [{name: os, path: pub/os}]
hosts: [{name: a, addresses: [192.0.2.7], urls: {os: ["https://a.example.org/os"]}}]
`, root, "etc", "waypost", "catalog.yaml")
	data := filepath.Join(root, "var", "lib", "waypost")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join(root, "proc") // engines have it in each container
	err := errors.Join(os.Chown(data, nobody, nobody), os.Mkdir(proc, 0o755))
	if err == nil {
		err = unix.Mount("proc", proc, "proc", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(proc, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", proc, err)
		}
	})
	return root
}

// nobody is the user of the image.
const nobody = 65532

// startIsolated starts an edge in a network and below a root folder, as nobody.
func startIsolated(t *testing.T, network, root string, capabilities []uintptr) *daemon {
	t.Helper()
	d := &daemon{name: "waypost", cmd: exec.Command("/usr/local/bin/waypost", "run", "-c", "/etc/waypost/waypost.yaml"), over: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env, d.cmd.Dir = d, d, []string{"TZ=UTC"}, "/"
	d.cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: capabilities,
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine, for it is in the other network
		ns, err := os.Open("/run/netns/" + network)
		if err == nil {
			defer ns.Close() //nolint:errcheck // only read
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = d.cmd.Start()
		}
		started <- err
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	d.watch(t)
	return d
}
