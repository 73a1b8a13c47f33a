//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waypost/waypost/geo/bundled"
)

// oneHost is a catalogue with one mirror.
func oneHost(url string) string {
	return "categories: [{name: os, path: pub/os}]\nhosts: [{name: m, urls: {os: [\"" + url + "\"]}}]\n"
}

// TestBadData gives a running edge one bad catalogue after the other: it goes
// on with the last good one, says so, and takes the next good one.
func TestBadData(t *testing.T) {
	e := startEdge(t, oneHost("http://first.test/os"), "")
	for name, bad := range map[string]string{
		"garbage":     "\x00\xff}{",
		"no hosts":    "categories: [{name: os, path: pub/os}]\nhosts: []\n",
		"empty":       "",
		"cut off":     oneHost("http://first.test/os")[:60],
		"unknown key": oneHost("http://first.test/os") + "surprise: 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			e.setCatalog(t, bad)
			eventually(t, "it is refused", func() bool { return e.metric(t, "waypost_data_current") == "0" })
			if got := e.location(t, "/pub/os/x"); got != "http://first.test/os/x" {
				t.Errorf("sent to %s, want where the old data say", got)
			}
			if !e.ready() {
				t.Error("not ready, but there is data")
			}
			e.setCatalog(t, oneHost("http://first.test/os"))
			eventually(t, "the good one is in use", func() bool { return e.metric(t, "waypost_data_current") == "1" })
		})
	}
	wantAll(t, e.process.log.String(), "new data refused", "catalog.yaml", "surprise")
	e.setCatalog(t, oneHost("http://second.test/os"))
	eventually(t, "new data is in use", func() bool { return strings.HasPrefix(e.location(t, "/pub/os/x"), "http://second.test/") })
}

// TestBadDatabase does the same with the database of countries.
func TestBadDatabase(t *testing.T) {
	good, err := bundled.Country()
	if err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(t.TempDir(), "country.mmdb")
	write(t, database, string(good))
	e := startEdge(t, curlCatalog, fmt.Sprintf("  geo: {country: %q}\n", database))
	asBefore := func() bool {
		return strings.HasPrefix(e.location(t, "/pub/os/x?ip=141.30.1.1"), "https://de.") &&
			strings.HasPrefix(e.location(t, "/pub/os/x?ip=133.11.0.1"), "http://jp.")
	}
	if !asBefore() {
		t.Error("clients are not sent to mirrors of their countries")
	}
	write(t, database, string(good[:len(good)/2]))
	eventually(t, "it is refused", func() bool { return e.metric(t, "waypost_data_current") == "0" })
	if !asBefore() {
		t.Error("clients are not sent to mirrors of their countries any more")
	}
	wantAll(t, e.process.log.String(), "new data refused", database)
	write(t, database, string(good))
	eventually(t, "the good one is in use", func() bool { return e.metric(t, "waypost_data_current") == "1" })
}

// TestSignals reads new data at SIGHUP; each test checks SIGTERM at its end.
func TestSignals(t *testing.T) {
	e := startEdge(t, oneHost("http://first.test/os"), "")
	before := e.metric(t, `waypost_data_loads_total{result="good"}`)
	if err := e.process.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "data is read anew", func() bool { return e.metric(t, `waypost_data_loads_total{result="good"}`) != before })
	if e.process.exited() {
		t.Error("SIGHUP ended it")
	}
}

// TestPortInUse wants an error that names the listener.
func TestPortInUse(t *testing.T) {
	e := startEdge(t, oneHost("http://first.test/os"), "")
	_, err := try(t, built(t), "run", "-c", e.dir+"/edge.yaml")
	if exitCode(err) != 1 {
		t.Fatalf("got %v, want exit code 1", err)
	}
	wantAll(t, err.Error(), "HTTP", e.http, "address already in use")
}
