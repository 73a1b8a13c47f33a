package publish_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/answer"
	edgehttp "github.com/waypost/waypost/edge/http"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/statistics"
)

// sum is the SHA-256 of version v in these tests.
func sum(v byte) []byte { return bytes.Repeat([]byte{v}, 32) }

// version has the size and hash v.
func version(v byte) snapshot.Version {
	out := snapshot.Version{Size: int64(v)}
	out.Hashes[snapshot.SHA256] = sum(v)
	return out
}

// olderInputs has a repository of which version 3 is current and 2 is live, and
// a host with each version from 1 to 4.
func olderInputs() publish.Inputs {
	in := inputs(
		&registry.Repository{Name: "os-43", Arch: "x86_64", Path: "pub/os"},
		host("v1", nil), host("v2", nil), host("v3", nil), host("v4", nil),
	)
	in.Number = func(path string) (uint32, bool) {
		n := slices.Index([]string{"pub/os", "pub/os/repodata", "pub/other"}, path)
		return uint32(n) + 10, n >= 0
	}
	in.Trees[0].Directories = []registry.Directory{{Path: "", Readable: true}, {Path: "repodata", Readable: true, Files: []registry.File{
		{Name: "repomd.xml", Size: 3, Hashes: &registry.Hashes{snapshot.SHA256: sum(3)}},
	}}}
	in.Older = func(string) []snapshot.Version { return []snapshot.Version{version(3), version(2)} }
	for v := range byte(5) {
		l := listing(fmt.Sprintf("v%d", v), 10, 11)
		if v != 3 { // which the crawler saw as the current one
			old := registry.OlderFile{FileRef: registry.FileRef{Directory: 11, Name: "repomd.xml"}}
			copy(old.SHA256[:], sum(v))
			l.Older = []registry.OlderFile{old}
		}
		in.Listings = append(in.Listings, l)
	}
	return in
}

// serve starts an edge for a snapshot, which goes over the wire to it, and
// returns its address.
func serve(t *testing.T, s *snapshot.Snapshot) string {
	t.Helper()
	sections := map[wire.Hash][]byte{}
	m, err := wire.Encode(s, func(h wire.Hash, b []byte) error { sections[h] = b; return nil })
	if err != nil {
		t.Fatal(err)
	}
	back, err := wire.Decode(m, func(h wire.Hash) ([]byte, error) { return sections[h], nil })
	if err != nil {
		t.Fatal(err)
	}
	e := &answer.Engine{Counter: new(statistics.Collector).Counter}
	e.Swap(index.Compile(index.Inputs{Snapshot: back}), nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- edgehttp.New(edgehttp.Config{Engine: e}).Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// fetch returns a body, and where an answer sends the client.
func fetch(t *testing.T, url string) (body, location string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), response.Header.Get("Location")
}

// lines returns what a metalink says of versions and hosts, in its order.
func lines(metalink string) (out []string) {
	for _, m := range regexp.MustCompile(`<size>(\d+)<|<mm0:(alternates)>|preference="(\d+)">https://(\w+)\.`).FindAllStringSubmatch(metalink, -1) {
		switch {
		case m[1] != "":
			out = append(out, "size "+m[1])
		case m[2] != "":
			out = append(out, m[2])
		default:
			out = append(out, m[3]+" "+m[4])
		}
	}
	return out
}

// A host with a live older version of the metadata is in the metalink, behind
// the one with the current version, and nowhere else: from what a crawler saw to
// what dnf reads.
func TestMetalinkNamesOlder(t *testing.T) {
	const repomd = "/pub/os/repodata/repomd.xml"
	in := olderInputs()
	edge := "http://" + serve(t, build(t, in))
	body, _ := fetch(t, edge+"/metalink?repo=os-43&arch=x86_64")
	if d := cmp.Diff([]string{"size 3", "alternates", "size 2", "100 v3", "99 v2"}, lines(body)); d != "" {
		t.Errorf("metalink (-want +got):\n%s\n%s", d, body)
	}
	for range 20 {
		if _, location := fetch(t, edge+repomd); location != "https://v3.example.org/os/repodata/repomd.xml" {
			t.Errorf("sent to %s", location)
		}
	}

	t.Log("the master goes back to version 2; 3 is an alternate now, of which nobody has seen a copy")
	in.Trees[0].Directories[1].Files[0] = registry.File{Name: "repomd.xml", Size: 2, Hashes: &registry.Hashes{snapshot.SHA256: sum(2)}}
	in.Listings[3].Lacks = []registry.FileRef{{Directory: 11, Name: "repomd.xml"}}
	edge = "http://" + serve(t, build(t, in))
	body, _ = fetch(t, edge+"/metalink?repo=os-43&arch=x86_64")
	if d := cmp.Diff([]string{"size 2", "alternates", "size 3", "100 v2"}, lines(body)); d != "" {
		t.Errorf("metalink (-want +got):\n%s\n%s", d, body)
	}

	t.Log("no alternate is live: an emergency expiry")
	in.Older = nil
	s := build(t, in)
	if older := s.Files.AllOlder(); len(older) > 0 {
		t.Errorf("holders of %v", older)
	}
}
