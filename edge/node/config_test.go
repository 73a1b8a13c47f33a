package node_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/node"
	"github.com/waypost/waypost/geo/bundled"
)

// The example configurations are read as they are, and the one whose data are
// in this repository checks clean.
func TestExamples(t *testing.T) {
	configs := filepath.Join("..", "..", "configs")
	var out strings.Builder
	check := node.CheckCommand{Config: filepath.Join(configs, "edge.yaml")}
	if err := check.Run(&out); err != nil || !strings.Contains(out.String(), "is good") {
		t.Errorf("check edge.yaml: %v\n%s", err, out.String())
	}
	c, err := node.ReadConfig(filepath.Join(configs, "mirrorlist.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Source.MirrorManager == nil || len(c.Geo.Country) != 1 || c.ASN.File == "" || c.HTTP.StatisticsLog == "" {
		t.Errorf("mirrorlist.yaml: got %+v", c)
	}
}

func TestReadConfigPaths(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "edge.yaml"), `edge:
  name: here
  source: {mirrormanager: {cache: sub/cache.proto, continents: /etc/continents.csv}}
  geo: {country: [v4.mmdb, v6.mmdb], city: city.mmdb}
  asn: {file: asn.txt}
  http: {listen: ["127.0.0.1:0"], statistics_log: log}
`)
	c, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := append(append([]string{
		c.Source.MirrorManager.Cache, c.Source.MirrorManager.Continents, c.ASN.File, c.HTTP.StatisticsLog,
	}, c.Geo.Country...), c.Geo.City...)
	want := []string{
		dir + "/sub/cache.proto", "/etc/continents.csv", dir + "/asn.txt", dir + "/log", dir + "/v4.mmdb", dir + "/v6.mmdb", dir + "/city.mmdb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every problem of a configuration is found at once, with its line and key.
func TestReadConfigProblems(t *testing.T) {
	tests := []struct {
		name, config string
		want         []string // a line each, without the name of the file
	}{
		{"empty", "", []string{"1: want keys, got an empty file"}},
		{"no edge", "egde: {}\n", []string{"1: egde: unknown key"}},
		{"no source", "edge: {http: {listen: [\"127.0.0.1:1\"]}}\n", []string{"edge.source: want exactly one of"}},
		{"two sources", "edge:\n  source: {catalog: a, mirrormanager: {cache: b}}\n  http: {listen: [\"127.0.0.1:1\"]}\n", []string{
			"2: edge.source: want exactly one of",
		}},
		{"nobody to answer", "edge: {source: {catalog: a}}\n", []string{"edge: want http or dns"}},
		{"all over the place", `edge:
  colour: x
  source: {mirrormanager: {}}
  geo: {country: {a: b}}
  http: {listen: [localhost, "127.0.0.1:99999"], trusted_proxies: [10.0.0.0/33]}
  dns: {listen: [], max_nocookie: -1, zones: []}
  health: {interval: 1ms, rise: -1}
  admin: {}
`, []string{
			"2: edge.colour: unknown key", "3: edge.source.mirrormanager.cache: want", "4: edge.geo.country",
			"5: edge.http.listen[0]: want", "5: edge.http.listen[1]: want", "5: edge.http.trusted_proxies[0]: want",
			"6: edge.dns.listen: want", "6: edge.dns.max_nocookie: want", "6: edge.dns.zones: want",
			"7: edge.health.interval: want 1s to 1h, got 1ms", "7: edge.health.rise: want 1 to 100, got -1", "8: edge.admin.listen: want",
		}},
		{"stopping", `edge:
  source: {catalog: a}
  http: {listen: ["127.0.0.1:1"]}
  stop: {after: 2h, within: 1s}
`, []string{"4: edge.stop.after: want a time from 0s to 1h, got 2h0m0s"}},
		{"stopping too soon", `edge:
  source: {catalog: a}
  http: {listen: ["127.0.0.1:1"]}
  stop: {after: 20s, within: 10s}
`, []string{"4: edge.stop.within: want a time from 20s, which is stop.after, to 2h, got 10s"}},
		{"ports", `edge:
  source: {control: {url: "https://control.test"}}
  http: {listen: ["0.0.0.0:7956", "[::]:80", "127.0.0.1:0", "127.0.0.1:0"]}
  admin: {listen: "[::1]:80"}
  cluster: {listen: "127.0.0.1:7946", key_files: [gossip.key]}
`, []string{
			"4: edge.admin.listen: want a port of its own: edge.http.listen[1] listens at [::]:80",
			"5: edge.cluster.share: want a port of its own: edge.http.listen[0] listens at 0.0.0.0:7956",
		}},
		{"zones", `edge:
  source: {catalog: a}
  dns:
    listen: ["127.0.0.1:1"]
    zones:
      - name: m..test
      - name: m.test
        ns: {ns1.m.test: []}
        records: "x IN A nonsense"
        mirrors: [{name: "@", path: pub/os, answer: cname}, {name: b, path: pub/os, count: 99}, {name: c, path: pub/os, types: [mx]}]
      - {name: m.test, ns: {ns.example.org: []}}
`, []string{"edge.dns.zones", "m..test", "ns1.m.test", "nonsense", "cname", "count", "mx", "m.test"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edge.yaml")
			write(t, path, tt.config)
			_, err := node.ReadConfig(path)
			wantProblems(t, err, append(tt.want, "edge.yaml")...)
		})
	}
}

// Files that are missing or damaged: check names each of them, and why.
func TestCheckData(t *testing.T) {
	dir := t.TempDir()
	database, err := bundled.Country()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut.mmdb":      string(database[:len(database)/2]),
		"spoilt.mmdb":   strings.Repeat("\xff", len(database)/2) + string(database[len(database)/2:]),
		"catalog.yaml":  "categories: [{name: os, path: pub/os}]\nhosts: [{name: a, country: DE, urls: {os: [\"http://a.test\"]}}]\n",
		"bad.yaml":      "categories: [{name: os, path: pub/os}]\nhosts:\n  - {name: a, netblocks: [10.0.0.1/8], urls: {os: [\"http://a.test\"]}}\n  - {name: a, urls: {}}\n",
		"no-hosts.yaml": "categories: [{name: os, path: pub/os}]\nhosts: []\n",
		"garbage":       "\xff\x00{[garbage",
		"cut.proto":     "\x0a\xff\x01\x0a\x10",
		"empty":         "",
		"asn.txt":       "192.0.2.0/24 64500\nnonsense\n",
		"continents":    "DE,Europe\n",
		"key":           "not a key\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	writeCountries(t, dir)
	const (
		listen = "\n  http: {listen: [\"127.0.0.1:0\"]}\n"
		serve  = "\n  geo: {country: country.mmdb}" + listen
	)
	tests := []struct {
		name, config string
		want         []string
	}{
		{"catalogue", "source: {catalog: bad.yaml}" + serve, []string{"bad.yaml:3: hosts[0].netblocks[0]", `bad.yaml:4: hosts[1].name: "a" is already`, "bad.yaml:4: hosts[1].urls"}},
		{"catalogue without hosts", "source: {catalog: no-hosts.yaml}" + serve, []string{"no-hosts.yaml", "hosts"}},
		{"garbage for a catalogue", "source: {catalog: garbage}" + serve, []string{"garbage"}},
		{"empty catalogue", "source: {catalog: empty}" + serve, []string{"empty"}},
		{"a folder", "source: {catalog: .}" + serve, []string{dir, "directory"}},
		{"truncated protobuf", "source: {mirrormanager: {cache: cut.proto}}" + serve, []string{"cut.proto"}},
		{"garbage for a protobuf", "source: {mirrormanager: {cache: garbage}}" + serve, []string{"garbage"}},
		{"empty protobuf", "source: {mirrormanager: {cache: empty}}" + serve, []string{"empty"}},
		{"corrupt databases", "source: {catalog: catalog.yaml}\n  geo: {country: garbage, city: [empty]}" + listen, []string{"garbage", "empty"}},
		{"truncated and spoilt databases", "source: {catalog: catalog.yaml}\n  geo: {country: [cut.mmdb, spoilt.mmdb]}" + listen, []string{"cut.mmdb"}},
		{"spoilt database", "source: {catalog: catalog.yaml}\n  geo: {country: spoilt.mmdb}" + listen, []string{"spoilt.mmdb"}},
		{
			"nothing is there", "source: {mirrormanager: {cache: x.proto, continents: x.csv}}\n  geo: {country: x.mmdb}\n  asn: {file: x.txt}" + listen,
			[]string{"x.proto: no such file", "x.csv: no such file", "x.mmdb: no such file", "x.txt: no such file"},
		},
		{
			"continents", "source: {mirrormanager: {cache: cut.proto, continents: continents}}" + serve,
			[]string{"cut.proto", "continents"},
		},
		{
			"the configuration and its data", "source: {catalog: bad.yaml}\n  surprise: 1\n  geo: {country: x.mmdb}" + listen,
			[]string{"edge.yaml:3: edge.surprise", "bad.yaml:3: hosts[0].netblocks[0]", "x.mmdb: no such file"},
		},
		{
			"secrets of cookies", "source: {catalog: catalog.yaml}\n  geo: {country: country.mmdb}\n  dns: {cookie_secret_file: key, listen: [\"127.0.0.1:0\"], zones: [{name: m.test, ns: {ns.example.org: []}}]}\n",
			[]string{"key"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "edge.yaml")
			write(t, path, "edge:\n  "+tt.config)
			check := node.CheckCommand{Config: path}
			wantProblems(t, check.Run(io.Discard), tt.want...)
		})
	}
}

// wantProblems wants an error with all these texts in it.
func wantProblems(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in:\n%v", text, err)
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Logf("all of it:\n%v", err)
	}
}

// The example of anycast has all that it needs but its data.
func TestAnycastExample(t *testing.T) {
	c, err := node.ReadConfig(filepath.Join("..", "..", "configs", "anycast.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Anycast == nil || len(c.Anycast.Prefixes) != 2 || len(c.Anycast.Peers) != 2 {
		t.Errorf("got %+v", c.Anycast)
	}
}
