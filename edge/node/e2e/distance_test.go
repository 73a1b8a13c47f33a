//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waypost/waypost/edge/cluster"
)

// TestDistances has an edge in Frankfurt and one in Warsaw, and a mirror beside
// each. But the mirror in Frankfurt is on the other side of a link that takes
// 60 ms each way: by coordinates it is the nearer one, by round-trip times not, nor
// after an upgrade.
func TestDistances(t *testing.T) {
	hub, far := newNamespace(t, "hub"), newNamespace(t, "far")
	delayed(t, hub, far, 60*time.Millisecond)
	hub.address(t, "lo", "10.9.1.1/32")
	far.address(t, "lo", "10.9.3.1/32")
	hub.run(t, "ip", "route", "add", "10.9.3.1/32", "dev", "slow")
	far.run(t, "ip", "route", "add", "default", "dev", "slow")
	for at, in := range map[string]namespace{"10.9.1.1": hub, "10.9.3.1": far} {
		m := &smallMirror{t: t, hub: in, address: at + ":80", serve: goodMirror}
		m.up()
		t.Cleanup(m.down)
	}

	dir := t.TempDir()
	write(t, filepath.Join(dir, "gossip.key"), cluster.GenerateKey()+"\n")
	write(t, filepath.Join(dir, "catalog.yaml"), fmt.Sprintf(`categories: [{name: os, path: pub/os, policy: {order: nearest}}]
hosts:
  - {name: frankfurt, country: DE, location: {lat: 50.11, lon: 8.68}, addresses: [10.9.3.1], urls: {os: ["http://10.9.3.1/os"]}}
  - {name: warsaw, country: PL, location: {lat: 52.23, lon: 21.01}, addresses: [10.9.1.1], urls: {os: ["http://10.9.1.1/os"]}}
files: [{path: pub/os/f.iso, size: %d}]
`, isoSize))
	for i, place := range []string{"lat: 50.11, lon: 8.68", "lat: 52.23, lon: 21.01"} {
		at := fmt.Sprintf("10.9.0.%d", i+1)
		hub.address(t, "lo", at+"/32")
		config := filepath.Join(dir, at, "edge.yaml")
		write(t, config, fmt.Sprintf(`edge:
  name: edge%d
  source: {catalog: ../catalog.yaml}
  http: {listen: ["%s:8080"], trusted_proxies: [10.9.0.0/16]}
  admin: {listen: "%[2]s:9090"}
  health: {interval: 3s}
  cluster: {listen: "%[2]s:7946", join: [10.9.0.1], key_files: [../gossip.key], location: {%[3]s}, round_trips: true}
`, i+1, at, place))
		hub.start(t, built(t), "run", "-c", config)
	}
	// A client in Austria: the database that comes with Waypost knows where it is,
	// and no mirror stands in its country.
	const client = "193.171.23.163"
	sentTo := func(host string) func() bool {
		return func() bool {
			out, _ := hub.try(t, "curl", "-s", "-o", "/dev/null", "-w", "%{redirect_url}", "http://10.9.0.1:8080/pub/os/f.iso?ip="+client)
			return strings.HasPrefix(out, "http://"+host+"/")
		}
	}
	eventually(t, "by coordinates, Frankfurt is nearer", sentTo("10.9.3.1"))
	for end := time.Now().Add(2 * time.Minute); !sentTo("10.9.1.1")(); <-time.After(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("by round-trip times, Warsaw is not nearer")
		}
	}
	out := hub.run(t, built(t), "explain", "--admin", "10.9.0.1:9090", client, "pub/os/f.iso")
	wantAll(t, out, "1  warsaw", "by round-trip times")
	t.Log(out)
	pid := 0
	if _, err := fmt.Sscanf(hub.run(t, built(t), "upgrade", "--admin", "10.9.0.1:9090"), "process %d ", &pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGKILL) })
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		if !sentTo("10.9.1.1")() {
			t.Fatal("after an upgrade, Warsaw is not nearer any more")
		}
	}
}

// delayed links two namespaces by devices called slow, over which each packet
// takes as long as given, in each direction.
func delayed(t *testing.T, a, b namespace, delay time.Duration) {
	t.Helper()
	left, right := tunnel(t, a), tunnel(t, b)
	carry(left, right, delay)
	carry(right, left, delay)
	t.Cleanup(func() {
		_ = left.Close()
		_ = right.Close()
	})
}

// tunnel makes a TUN device that is called slow.
func tunnel(t *testing.T, n namespace) *os.File {
	t.Helper()
	var file *os.File
	var err error
	n.in(t, func() {
		var fd int
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
			return
		}
		request, bad := unix.NewIfreq("slow")
		if err = bad; err != nil {
			return
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err == nil {
			file = os.NewFile(uintptr(fd), "slow")
		}
	})
	if err != nil {
		t.Fatal("making a TUN device: ", err)
	}
	n.run(t, "ip", "link", "set", "slow", "up")
	return file
}

// carry passes packets on, each after the delay, until a device is closed.
func carry(from, to *os.File, delay time.Duration) {
	type packet struct {
		data []byte
		due  time.Time
	}
	queue := make(chan packet, 10_000)
	go func() {
		defer close(queue)
		b := make([]byte, 1<<16)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			queue <- packet{append([]byte(nil), b[:n]...), time.Now().Add(delay)}
		}
	}()
	go func() {
		for p := range queue {
			<-time.After(time.Until(p.due))
			_, _ = to.Write(p.data) // what is lost is sent again
		}
	}()
}
