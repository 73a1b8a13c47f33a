//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A lineage is an edge whose processes take the place of one another. They run
// a binary of their own, so that it can be replaced.
type lineage struct {
	t           *testing.T
	dir         string
	http, dns   [2]string // addresses over IPv4 and IPv6
	admin       string
	environment []string
	command     []string   // what starts the first process; none: nothing
	extra       []*os.File // that it inherits
}

// newLineage writes the files of an edge and does not start it. more is added to
// its configuration.
func newLineage(t *testing.T, more string) *lineage {
	t.Helper()
	l := &lineage{t: t, dir: t.TempDir(), environment: environment()}
	for i, at := range []string{"127.0.0.1", "::1"} {
		l.http[i], l.dns[i] = freeAddrOf(t, at), freeAddrOf(t, at)
	}
	l.admin = freeAddr(t)
	write(t, l.file("catalog.yaml"), `categories: [{name: os, path: pub/os}]
hosts: [{name: a, country: DE, addresses: [192.0.2.1, "2001:db8::1"], urls: {os: ["http://a.test/os"]}}]
`)
	l.configure(more)
	l.replaceBinary()
	t.Cleanup(l.kill)
	return l
}

func (l *lineage) configure(more string) {
	write(l.t, l.file("edge.yaml"), fmt.Sprintf(`edge:
  name: e2e
  source: {catalog: catalog.yaml}
  http: {listen: [%q, %q]}
  dns:
    listen: [%q, %q]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
  admin: {listen: %q}
%s`, l.http[0], l.http[1], l.dns[0], l.dns[1], l.admin, more))
}

func (l *lineage) file(name string) string { return filepath.Join(l.dir, name) }

// replaceBinary puts another copy of the binary in the place of the present one,
// as packages do.
func (l *lineage) replaceBinary() {
	l.t.Helper()
	fresh := l.file("waypost.new")
	run(l.t, "cp", built(l.t), fresh)
	if err := os.Rename(fresh, l.file("waypost")); err != nil {
		l.t.Fatal(err)
	}
}

// start starts the first process, and waits until it is ready.
func (l *lineage) start() *exec.Cmd {
	l.t.Helper()
	out, err := os.OpenFile(l.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the process has it
	args := append(slices.Clone(l.command), l.file("waypost"), "run", "-c", l.file("edge.yaml"))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.ExtraFiles = out, out, l.environment, l.extra
	if err = cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	eventually(l.t, "the edge is ready", l.ready)
	return cmd
}

func (l *lineage) ready() bool { return (&edge{admin: l.admin}).ready() }

// processes returns those that run, by the binary they were started from.
func (l *lineage) processes() (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, l.dir+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// kill ends all processes, at the end of the test.
func (l *lineage) kill() {
	for _, pid := range l.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if l.t.Failed() {
		log, _ := os.ReadFile(l.file("log"))
		l.t.Logf("%s", log[max(0, len(log)-8000):])
	}
}

// upgrade asks the edge for an upgrade, and returns the processes' IDs.
func (l *lineage) upgrade() (before, after int, err error) {
	request, err := http.NewRequest(http.MethodPost, "http://"+l.admin+"/upgrade", nil)
	if err != nil {
		return 0, 0, err
	}
	request.Close = true // connections of the admin pages do not move
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer r.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(r.Body)
	if r.StatusCode == http.StatusServiceUnavailable { // one that has just ended
		return l.upgrade()
	}
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	if err != nil {
		return 0, 0, err
	}
	var u struct{ Old, New struct{ PID int } }
	err = json.Unmarshal(text, &u)
	return u.Old.PID, u.New.PID, err
}

// TestUpgrades upgrades again and again while clients ask in all ways.
func TestUpgrades(t *testing.T) {
	const upgrades = 50
	l := newLineage(t, "")
	last := l.start().Process.Pid
	clients := newLoad(t)
	for i, family := range []string{"IPv4", "IPv6"} {
		clients.clientsOf(l.http[i], l.dns[i], family)
	}
	began, slowest := time.Now(), time.Duration(0)
	for i := range upgrades {
		if i%10 == 0 {
			l.replaceBinary()
		}
		start := time.Now()
		before, after, err := l.upgrade()
		if err != nil || before != last || after == last {
			t.Fatalf("upgrade %d: process %d was followed by %d, want %d and another: %v", i+1, before, after, last, err)
		}
		last, slowest = after, max(slowest, time.Since(start))
		if t.Failed() {
			break
		}
	}
	took := time.Since(began)
	clients.end()
	t.Logf("%d upgrades took %s, the slowest %s", upgrades, took.Round(time.Millisecond), slowest.Round(time.Millisecond))
	eventually(t, "one process is left", func() bool { return len(l.processes()) == 1 })
	t.Run("the command", func(t *testing.T) {
		out := run(t, l.file("waypost"), "upgrade", "--admin", l.admin)
		wantAll(t, out, fmt.Sprintf(" has taken the place of %d (", last))
	})
	t.Run("SIGUSR2", func(t *testing.T) {
		eventually(t, "one process is left", func() bool { return len(l.processes()) == 1 })
		before := l.processes()[0]
		if err := syscall.Kill(before, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another process is left", func() bool { now := l.processes(); return len(now) == 1 && now[0] != before })
	})
	t.Run("SIGTERM", func(t *testing.T) {
		if err := syscall.Kill(l.processes()[0], syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "no process is left", func() bool { return len(l.processes()) == 0 })
	})
}

// TestUpgradeFails has the new process fail in all ways; the old one goes on.
func TestUpgradeFails(t *testing.T) {
	l := newLineage(t, "")
	pid := l.start().Process.Pid
	good, err := os.ReadFile(l.file("edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		write(t, l.file("edge.yaml"), string(good))
		l.replaceBinary()
	}
	script := func(text string) func() {
		return func() {
			write(t, l.file("waypost.new"), text)
			if bad := errors.Join(os.Chmod(l.file("waypost.new"), 0o755), os.Rename(l.file("waypost.new"), l.file("waypost"))); bad != nil {
				t.Fatal(bad)
			}
		}
	}
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close() //nolint:errcheck // nobody speaks to it
	taken := holder.Addr().String()
	clients := newLoad(t)
	clients.clientsOf(l.http[0], l.dns[0], "IPv4")
	for _, x := range []struct {
		name  string
		spoil func()
		want  []string
	}{
		{"bad configuration", func() { write(t, l.file("edge.yaml"), string(good)+"  nonsense: 1\n") }, []string{"cannot start", "edge.yaml:", "nonsense"}},
		{"no configuration", func() { _ = os.Remove(l.file("edge.yaml")) }, []string{"cannot start", "edge.yaml"}},
		{
			"a port is taken", func() {
				write(t, l.file("edge.yaml"), strings.Replace(string(good), "http: {listen: [", "http: {listen: [\""+taken+"\", ", 1))
			},
			[]string{"cannot start", "address already in use"},
		},
		{"a binary that is none", script("this is no program"), []string{"exec format error"}},
		{"no binary", func() { _ = os.Remove(l.file("waypost")) }, []string{"no such file"}},
		{"a binary that crashes", script("#!/bin/sh\nexit 3\n"), []string{"ended before it was ready", "exit status 3"}},
		{"a binary that hangs", script("#!/bin/sh\nexec sleep 600\n"), []string{"not ready in time"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			defer restore()
			client := l.file("client")
			run(t, "cp", built(t), client)
			x.spoil()
			within := "1m"
			if x.name == "a binary that hangs" { // and needs no time for what it does
				within = "3s"
			}
			_, err := try(t, client, "upgrade", "--admin", l.admin, "--within", within)
			if err == nil || exitCode(errors.Unwrap(err)) != 1 {
				t.Fatalf("%v, want exit code 1", err)
			}
			wantAll(t, err.Error(), append(x.want, "the old process goes on")...)
			if !l.ready() || syscall.Kill(pid, 0) != nil {
				t.Error("the old process does not go on")
			}
		})
	}
	clients.end()
	if _, after, err := l.upgrade(); err != nil || after == pid {
		t.Errorf("an upgrade after all that: %v", err)
	}
}

// TestUpgradeKilled kills processes at random moments of upgrades, in turn the
// old one and the new one: what is left answers, or starts again. While the new
// one has not taken over, the old one goes on.
func TestUpgradeKilled(t *testing.T) {
	l := newLineage(t, "")
	survived, restarted := 0, 0
	old := l.start().Process.Pid
	for i := range 12 {
		upgraded := make(chan error, 1)
		go func() { _, _, err := l.upgrade(); upgraded <- err }()
		victim := old
		if i%2 == 1 {
			victim = l.successor(old)
		}
		<-time.After(rand.N(300 * time.Millisecond))
		killed := syscall.Kill(victim, syscall.SIGKILL) == nil
		if err := <-upgraded; err != nil && victim != old && !slices.Contains(l.processes(), old) {
			t.Fatalf("neither process is left after a failed upgrade: %v", err)
		}
		answers := func() bool { return visitOnce(l.http[0]) == nil && askTCPOnce(l.dns[1]) == nil }
		eventually(t, "it answers, or nothing is left", func() bool { return answers() || len(l.processes()) == 0 })
		if len(l.processes()) == 0 {
			restarted++
			l.start()
			if !answers() {
				t.Fatal("it does not answer")
			}
		} else if killed {
			survived++
		}
		eventually(t, "one process is left", func() bool { return len(l.processes()) == 1 && l.ready() })
		old = l.processes()[0]
	}
	t.Logf("of 12 upgrades in which a process was killed, the other one went on after %d, and none was left after %d", survived, restarted)
	if survived == 0 {
		t.Error("the other process never went on")
	}
}

// successor waits for the process that an upgrade starts, and returns its ID.
func (l *lineage) successor(old int) (pid int) {
	l.t.Helper()
	eventually(l.t, "there is a new process", func() bool {
		for _, pid = range l.processes() {
			if pid != old {
				return true
			}
		}
		return false
	})
	return pid
}
