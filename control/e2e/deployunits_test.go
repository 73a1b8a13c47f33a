//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
)

// TestDeployUnits has systemd check the units, and say how exposed the services
// would be, from 0 to 10.
func TestDeployUnits(t *testing.T) {
	t.Parallel()
	needs.Program(t, "systemd-analyze", "systemd")
	units, err := filepath.Glob(filepath.Join(deploy, "systemd", "waypost-*"))
	if err != nil || len(units) < 5 {
		t.Fatalf("%v, %v", units, err)
	}
	dir := t.TempDir()
	program, err := filepath.Abs(waypost)
	if err != nil {
		t.Fatal(err)
	}
	// the users and the binary of this machine: the real ones are not there
	here := strings.NewReplacer("/usr/local/bin/waypost", program, "User=waypost-control", "User=daemon", "Group=waypost-control",
		"Group=daemon", "User=waypost", "User=daemon", "Group=waypost", "Group=daemon")
	for i, unit := range units {
		units[i] = file(t, here.Replace(deployed(t, "systemd", filepath.Base(unit))), dir, filepath.Base(unit))
	}
	out, err := command(t, "systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil || text != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, text)
	}
	for _, service := range []string{"waypost-edge.service", "waypost-control.service"} {
		args := []string{"security", "--offline=true", "--no-pager", "--threshold=25", filepath.Join(dir, service)}
		if out, err = command(t, "systemd-analyze", args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", service, err, out)
		}
	}
}

// TestDeployUnitsBelong checks that units, users and kernel settings agree with
// one another.
func TestDeployUnitsBelong(t *testing.T) {
	t.Parallel()
	edge := deployed(t, "systemd", "waypost-edge.service")
	wantText(t, edge, "Type=notify\n", "NotifyAccess=all\n", "KillMode=mixed\n", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n")
	users := deployed(t, "systemd", "waypost.sysusers")
	for _, service := range []string{edge, deployed(t, "systemd", "waypost-control.service")} {
		user := regexp.MustCompile(`(?m)^User=(\S+)$`).FindStringSubmatch(service)
		if user == nil || !regexp.MustCompile(`(?m)^u `+user[1]+` `).MatchString(users) {
			t.Errorf("user %v is not in waypost.sysusers", user)
		}
	}
	sockets, _ := filepath.Glob(filepath.Join(deploy, "systemd", "*.socket"))
	for _, path := range sockets {
		wantText(t, deployed(t, "systemd", filepath.Base(path)), "Service=waypost-edge.service\n", "FileDescriptorName=", "BindIPv6Only=ipv6-only\n")
	}
}

// TestDeploySockets has systemd's own program listen, with the names that the
// socket units give, at other ports. The edge answers there: had it not taken
// these sockets, their addresses would be in use.
func TestDeploySockets(t *testing.T) {
	t.Parallel()
	needs.Program(t, "systemd-socket-activate", "systemd")
	needs.Program(t, "dig", "bind9-dnsutils")
	for name, units := range map[string][]string{"streams": {"http", "dns"}, "packets": {"dns-udp"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := map[string]string{"http": port(t), "dns": port(t), "admin": port(t)}
			at["dns-udp"] = at["dns"]
			args, names := []string{"--datagram"}, ""
			if name == "streams" {
				args = nil
			}
			for _, unit := range units {
				is := regexp.MustCompile(`(?m)^FileDescriptorName=(\S+)$`).FindStringSubmatch(deployed(t, "systemd", "waypost-edge-"+unit+".socket"))
				names += ":" + is[1]
				args = append(args, "--listen="+at[unit])
			}
			args = append(args, "--fdname="+names[1:], waypost, "run", "-c", socketEdge(t, at))
			e := start(t, "systemd-socket-activate", args...)
			host, dns, _ := strings.Cut(at["dns"], ":")
			ask := func(transport string) string {
				out, _ := command(t, "dig", "@"+host, "-p", dns, "m.test", "A", "+short", "+tries=1", "+time=5", transport).Output()
				return string(out)
			}
			until(t, soon, "the edge answers, which systemd starts at the first packet or connection", func() bool {
				return strings.Contains(ask("+notcp"), "192.0.2.7") || answers(at["http"]) && status("http://"+at["admin"]+"/readyz") == http.StatusOK
			})
			wantText(t, ask("+tcp"), "192.0.2.7")
			wantText(t, ask("+notcp"), "192.0.2.7")
			if !e.running() {
				t.Errorf("it ended:\n%s", e.text())
			}
		})
	}
}

// TestDeployNotify listens as systemd does for services of Type=notify: both
// halves say when they are ready, and when they stop.
func TestDeployNotify(t *testing.T) {
	t.Parallel()
	control := file(t, fmt.Sprintf("control: {data_dir: data, listen: %q}\n", port(t)), t.TempDir(), "control.yaml")
	edge := socketEdge(t, map[string]string{"http": port(t), "dns": port(t), "admin": port(t)})
	for unit, config := range map[string]string{"waypost-control.service": control, "waypost-edge.service": edge} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			wantText(t, deployed(t, "systemd", unit), "Type=notify\n", "ExecStart=/usr/local/bin/waypost run -c ")
			socket := filepath.Join(t.TempDir(), "notify")
			systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer systemd.Close() //nolint:errcheck // the test is over
			e := start(t, "env", "NOTIFY_SOCKET="+socket, waypost, "run", "-c", config)
			for _, want := range []string{"READY=1", "STOPPING=1"} {
				said := make([]byte, 4096)
				for !strings.Contains(string(said), want) {
					n, err := 0, systemd.SetReadDeadline(time.Now().Add(time.Minute))
					if err == nil {
						n, err = systemd.Read(said[:cap(said)])
					}
					if err != nil {
						t.Fatalf("waiting for %s: %v\n%s", want, err, e.text())
					}
					said = said[:n]
				}
				_ = e.cmd.Process.Signal(syscall.SIGTERM) // after READY; then it has ended
			}
		})
	}
}

// socketEdge writes the configuration of an edge that listens at addresses.
func socketEdge(t *testing.T, at map[string]string) (config string) {
	t.Helper()
	dir := t.TempDir()
	file(t, `categories: [{name: os, path: pub/os}]
hosts: [{name: a, addresses: [192.0.2.7], urls: {os: ["https://a.example.org/os"]}}]
`, dir, "catalog.yaml")
	return file(t, strings.NewReplacer("HTTP", at["http"], "DNS", at["dns"], "ADMIN", at["admin"]).Replace(`edge:
  name: edge1
  source: {catalog: catalog.yaml}
  http: {listen: ["HTTP"]}
  dns:
    listen: ["DNS"]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
  admin: {listen: "ADMIN"}
`), dir, "edge.yaml")
}
