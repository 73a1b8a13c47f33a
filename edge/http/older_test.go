package http

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/geo"
)

const olderPath = "/pub/fedora/os/repodata/repomd.xml"

// newOlderFixture returns a server of the lists' fixture where the only host
// of DE for everybody has repomd.xml as the alternate, and fr1 has neither.
func newOlderFixture(down ...health.Target) *Server {
	s := listSnapshot()
	file, _ := s.Files.Find(listRepodata, []byte("repomd.xml"))
	current, _ := s.Files.Versions(file)
	de1, fr1 := uint32(0), uint32(1)
	s.Files = s.Files.WithHoles(map[uint32][]uint32{file: {de1, fr1}})
	s.Files = s.Files.WithOlder(map[uint32][]snapshot.Holder{file: {{Host: de1, Version: current + 1}}})
	continents := (&geo.Continents{}).With(map[geo.Country]geo.Continent{
		{'D', 'E'}: {'E', 'U'}, {'P', 'L'}: {'E', 'U'}, {'S', 'E'}: {'E', 'U'}, {'U', 'S'}: {'N', 'A'}, {'J', 'P'}: {'A', 'S'},
	})
	in := listEngine().View().Index.Inputs()
	in.Snapshot, in.Continents = s, continents
	e := &answer.Engine{Counter: new(statistics.Collector).Counter}
	e.Swap(index.Compile(in), func(ix *index.Index) *health.State { return health.New(ix, down) })
	server := New(Config{Engine: e})
	server.tick(tested)
	return server
}

// named returns the hosts that a body names, in order, each once.
func named(body string) (hosts []string) {
	for _, m := range regexp.MustCompile(`://(\w+)\.example\.org`).FindAllStringSubmatch(body, -1) {
		if !slices.Contains(hosts, m[1]) {
			hosts = append(hosts, m[1])
		}
	}
	return hosts
}

// Hosts with an older version are in metalinks of version 3, after all others,
// and nowhere else.
func TestOlderVersions(t *testing.T) {
	s := newOlderFixture()
	tests := []struct {
		name, uri string
		want      []string // sorted, but for the last
		last      bool     // de1 comes last
	}{
		{"metalink of the repository", "/metalink?repo=fedora-43&arch=x86_64", []string{"jp1", "net1", "se1", "us1", "de1"}, true},
		{"metalink of the path", "/metalink?path=" + olderPath, []string{"jp1", "net1", "se1", "us1", "de1"}, true},
		{"metalink beside the file", olderPath + ".metalink", []string{"jp1", "net1", "us1", "de1"}, true},
		{"its own country first", "/metalink?country=DE&path=" + olderPath, []string{"net1", "se1", "de1"}, true},
		{"metalink 4", olderPath + ".meta4", []string{"jp1", "net1", "us1"}, false},
		{"list of the path", "/mirrorlist?path=" + olderPath, []string{"jp1", "net1", "us1"}, false},
	}
	for _, tt := range tests {
		res := get(t, s, german, tt.uri)
		got := named(string(res.Body()))
		sorted := slices.Clone(got)
		if tt.last && len(sorted) > 0 {
			slices.Sort(sorted[:len(sorted)-1])
		} else {
			slices.Sort(sorted)
		}
		if diff := cmp.Diff(tt.want, sorted); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, got, diff)
		}
	}
	for range 50 {
		res := get(t, s, german, olderPath)
		text := peek(res, "Location") + peek(res, "Link")
		if res.StatusCode() != fasthttp.StatusFound || strings.Contains(text, "de1") || strings.Contains(text, "fr1") {
			t.Fatalf("%d: %s", res.StatusCode(), text)
		}
	}
	body := string(get(t, s, german, olderPath+"?mirrorlist&json").Body())
	for _, want := range []string{`"reason": "holds an older version (alternate 1)"`, `"reason": "does not hold the file"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

// Where all hosts with the current version are down, metadata of yesterday is
// better than none.
func TestOlderVersionsWhenOthersAreDown(t *testing.T) {
	var down []health.Target
	for _, host := range []string{"net1", "us1", "jp1"} {
		for _, f := range []index.Family{index.V4, index.V6} {
			down = append(down, health.Target{Host: host, Scheme: index.HTTPS, Family: f})
		}
	}
	s := newOlderFixture(down...)
	if got := named(string(get(t, s, german, olderPath+".metalink").Body())); !slices.Equal(got, []string{"de1"}) {
		t.Errorf("metalink names %v", got)
	}
	if location := peek(get(t, s, german, olderPath), "Location"); strings.Contains(location, "de1") {
		t.Errorf("a client was sent to %s", location)
	}
}
