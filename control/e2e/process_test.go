//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
)

// waypost is the binary that make e2e builds.
const waypost = "../../bin/waypost"

// command prepares a program that ends with the test, or after three minutes.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environment()
	cmd.WaitDelay = 3 * time.Second
	return cmd
}

// environment is that of the test, in English and without proxies.
func environment() (env []string) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C.UTF-8", "TZ=UTC")
}

// output runs a program that must succeed, and returns all that it printed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := command(t, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// A daemon is a program that runs until it is killed, at the latest when its
// test ends.
type daemon struct {
	name string
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended

	mu   sync.Mutex
	said bytes.Buffer // guarded by mu
}

// start starts a daemon. What it said is logged if the test fails.
func start(t *testing.T, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{name: filepath.Base(name), cmd: exec.Command(name, args...), over: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env = d, d, environment()
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.watch(t)
	return d
}

// watch waits for the end of a daemon that has started, and kills it when the
// test ends.
func (d *daemon) watch(t *testing.T) {
	t.Helper()
	go func() {
		_ = d.cmd.Wait() // how it ended is of no interest
		close(d.over)
	}()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s, process %d:\n%s", d.name, d.cmd.Process.Pid, d.text())
		}
	})
}

// Write keeps what the daemon says.
func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Write(p)
}

// text returns what it has said.
func (d *daemon) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

// kill ends it and its children at once, as a power cut would, and waits for
// that.
func (d *daemon) kill() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL) // they may have ended already
	_ = d.cmd.Process.Kill()                              // one that leads no group
	<-d.over
}

// running reports whether it has not ended.
func (d *daemon) running() bool {
	select {
	case <-d.over:
		return false
	default:
		return true
	}
}

// until waits until so returns true, for some time.
func until(t *testing.T, within time.Duration, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// port returns an address of loopback whose port is free over TCP and UDP.
func port(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(needs.Port(t)))
}

// answers reports whether somebody listens at an address.
func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close() // nothing was said
	return true
}

// file writes a file, which was last changed an hour ago: a scan believes it.
func file(t *testing.T, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	age(t, name, time.Hour)
	return name
}

// age makes a file, or all files of a tree, older.
func age(t *testing.T, top string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by).Truncate(time.Second)
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copyTree copies a tree as a mirror does, and returns the copy.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "tree")
	output(t, "cp", "-a", from, to)
	return to
}

// remove deletes what is at a path.
func remove(t *testing.T, path ...string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

// wantText fails the test where got lacks one of the texts.
func wantText(t *testing.T, got string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("want %q in:\n%s", text, got)
		}
	}
}
