//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUpgradeBothHalves upgrades an edge and its control plane in one process,
// and a cluster of one: what the edge answers is counted once, whoever of the
// processes had counted it.
func TestUpgradeBothHalves(t *testing.T) {
	l := newLineage(t, "")
	at := freeAddr(t)
	token := filepath.Join(l.dir, "control", "admin.token")
	ctl := func(args ...string) string {
		t.Helper()
		return run(t, "env", append([]string{"WAYPOST_URL=http://" + at, "WAYPOST_TOKEN_FILE=" + token, built(t), "ctl"}, args...)...)
	}
	write(t, l.file("master/f"), "x")
	control := fmt.Sprintf("control: {data_dir: control, listen: %q, masters: [{category: os, type: directory, path: master}]}\n", at)
	write(t, l.file("edge.yaml"), control)
	first := startWaypost(t, "run", "-c", l.file("edge.yaml"))
	eventually(t, "the control plane listens", func() bool { _, err := os.Stat(token); return err == nil && first.log.String() != "" })
	eventually(t, "it answers", func() bool { r, err := http.Get("http://" + at + "/"); return err == nil && r.Body.Close() == nil })
	ctl("category", "set", "os", "path=pub/os")
	ctl("scan", "os", "--wait")
	ctl("publish", "--wait")
	write(t, l.file("edge.token"), ctl("token", "make", "edge1", "--edge=edge1"))
	write(t, l.file("gossip.key"), run(t, built(t), "cluster", "keys", "generate"))
	_, key, _ := strings.Cut(first.log.String(), "public_key=\"")
	key, _, _ = strings.Cut(key, "\"")
	first.terminate(t)
	write(t, l.file("edge.yaml"), control+fmt.Sprintf(`edge:
  name: edge1
  data_dir: data
  source: {control: {url: "http://%s", token_file: edge.token, public_keys: [%q]}}
  http: {listen: [%q]}
  admin: {listen: %q}
  statistics: {every: 1s}
  cluster: {listen: %q, key_files: [gossip.key]}
`, at, key, l.http[0], l.admin, freeAddr(t)))
	l.start()
	asking := newLoad(t)
	asking.start("edge, whatever it answers", 4, 5*time.Millisecond, func(k *clients, wait func() bool) {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for wait() {
			asking.once(k, func() error {
				r, err := client.Get("http://" + l.http[0] + "/pub/os/f")
				if err != nil {
					return err
				}
				return r.Body.Close()
			})
		}
	})
	asking.start("control plane, new connections", 2, 10*time.Millisecond, func(k *clients, wait func() bool) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		for wait() {
			asking.once(k, func() error {
				r, err := client.Get("http://" + at + "/openapi.json")
				if err == nil && r.StatusCode != http.StatusOK {
					err = fmt.Errorf("status %s", r.Status)
				}
				if err != nil {
					return err
				}
				return r.Body.Close()
			})
		}
	})
	for range 5 {
		if _, _, err := l.upgrade(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the cluster has come over", func() bool {
			out, err := try(t, built(t), "cluster", "members", "--admin", l.admin)
			return err == nil && strings.Contains(out, "edge1")
		})
	}
	asking.end()
	asked := fmt.Sprint(asking.kinds[0].asked.Load())
	eventually(t, "all is counted", func() bool { return strings.Contains(ctl("statistics", "--by", "kind"), " "+asked+" ") })
}

// TestStopAfter ends an edge behind a load balancer: it says that it leaves, and
// answers on for a while, with connections that end after the answer.
func TestStopAfter(t *testing.T) {
	const after = 3 * time.Second
	l := newLineage(t, "  stop: {after: 3s}\n")
	cmd := l.start()
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready any more", func() bool { return !l.ready() })
	if err := visitOnce(l.http[0]); !errors.Is(err, errCloses) {
		t.Errorf("%v, want %v", err, errCloses)
	}
	eventually(t, "no process is left", func() bool { return len(l.processes()) == 0 })
	if took := time.Since(began); took < after || took > after+10*time.Second {
		t.Errorf("it took %s, want a little more than %s", took, after)
	}
}
