package node_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/node"
)

// An edge that is told to end while it still starts must end.
func TestEndWhileStarting(t *testing.T) {
	dir := t.TempDir()
	writeCountries(t, dir)
	write(t, filepath.Join(dir, "catalog.yaml"), `categories: [{name: os, path: pub/os}]
hosts: [{name: a, country: DE, addresses: [127.0.0.1], urls: {os: ["https://a.example.org/os"]}}]
`)
	write(t, filepath.Join(dir, "edge.yaml"), `edge:
  source: {catalog: catalog.yaml}
  geo: {country: country.mmdb}
  http: {listen: ["127.0.0.1:0"], statistics_log: log}
  dns:
    listen: ["127.0.0.1:0"]
    zones: [{name: m.test, ns: {ns.example.org: []}, mirrors: [{name: "@", path: pub/os}]}]
  health: {}
  admin: {listen: "127.0.0.1:0"}
`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		c, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := node.New(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the edge does not end")
		}
	}
}

// An edge that is told to stop says how long it goes on, and when it is over.
func TestStopIsLogged(t *testing.T) {
	dir := t.TempDir()
	writeCountries(t, dir)
	write(t, filepath.Join(dir, "catalog.yaml"), `categories: [{name: os, path: pub/os}]
hosts: [{name: a, country: DE, urls: {os: ["https://a.example.org/os"]}}]
`)
	write(t, filepath.Join(dir, "edge.yaml"), `edge:
  source: {catalog: catalog.yaml}
  geo: {country: country.mmdb}
  http: {listen: ["127.0.0.1:0"]}
  stop: {after: 20ms}
`)
	c, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	n, err := node.New(c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	select {
	case <-n.Listened():
	case err = <-done:
		t.Fatal(err)
	}
	cancel()
	if err = <-done; err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`level=INFO msg="told to stop" answers_for=20ms\n(.*\n)*.*level=INFO msg=stopped\n$`); !want.Match(log.Bytes()) {
		t.Errorf("logged\n%s", &log)
	}
}
