package node_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A statistics log on a full disk must show, and must cost no answer.
func TestStatisticsLogOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	writeCountries(t, dir)
	write(t, filepath.Join(dir, "catalog.yaml"), `categories: [{name: os, path: pub/os}]
hosts: [{name: a, country: DE, urls: {os: ["https://a.example.org/os"]}}]
repositories: [{name: os-43, arch: x86_64, path: pub/os}]
`)
	at := start(t, dir, `edge:
  source: {catalog: catalog.yaml}
  geo: {country: country.mmdb}
  http: {listen: ["127.0.0.1:0"], statistics_log: /dev/full}
  admin: {listen: "127.0.0.1:0"}
`)
	client := newClient(t)
	get := func(url string) string {
		t.Helper()
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if list := get("http://" + at["http"][0].String() + "/mirrorlist?repo=os-43&arch=x86_64"); !strings.Contains(list, "https://a.example.org/os/") {
		t.Errorf("list: %s", list)
	}
	for began := time.Now(); !strings.Contains(get("http://"+at["admin"][0].String()+"/metrics"), "\nwaypost_statistics_write_errors_total 1\n"); {
		if time.Since(began) > time.Minute {
			t.Fatal("no metric of the line that was not written")
		}
	}
}
