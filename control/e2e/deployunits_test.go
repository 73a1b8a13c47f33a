//go:build e2e

package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDeployUnits has systemd check the units, and say how exposed the services
// would be, from 0 to 10.
func TestDeployUnits(t *testing.T) {
	t.Parallel()
	need(t, "systemd-analyze", "systemd")
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
	need(t, "systemd-socket-activate", "systemd")
	need(t, "dig", "bind9-dnsutils")
	dir, http, dns, admin := t.TempDir(), port(t), port(t), port(t)
	config := file(t, strings.NewReplacer("HTTP", http, "DNS", dns, "ADMIN", admin).Replace(`edge:
  name: edge1
  source: {catalog: catalog.yaml}
  http: {listen: ["HTTP"]}
  dns:
    listen: ["DNS"]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
  admin: {listen: "ADMIN"}
`), dir, "edge.yaml")
	file(t, `categories: [{name: os, path: pub/os}]
hosts: [{name: a, addresses: [192.0.2.7], urls: {os: ["https://a.example.org/os"]}}]
`, dir, "catalog.yaml")
	names := ""
	for _, unit := range []string{"http", "dns"} { // of what systemd-socket-activate can listen to: streams
		name := regexp.MustCompile(`(?m)^FileDescriptorName=(\S+)$`).FindStringSubmatch(deployed(t, "systemd", "waypost-edge-"+unit+".socket"))
		names += ":" + name[1]
	}
	start(t, "systemd-socket-activate", "--listen="+http, "--listen="+dns, "--fdname="+names[1:], waypost, "run", "-c", config)
	until(t, 20*time.Second, "the edge answers", func() bool { return answers(http) && status("http://"+admin+"/readyz") == 200 })
	host, dnsPort, _ := strings.Cut(dns, ":")
	for _, transport := range []string{"+tcp", "+notcp"} {
		wantText(t, output(t, "dig", "@"+host, "-p", dnsPort, "m.test", "A", "+short", transport), "192.0.2.7")
	}
}
