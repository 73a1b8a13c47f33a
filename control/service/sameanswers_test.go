package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	edgehttp "github.com/waypost/waypost/edge/http"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/geo"
)

// A mirrorlist_cache that was imported is answered from as before: by what is
// exported again, and by what is published. A cache of all shapes is made, and
// thousands of questions are asked of mirrorlist-servers over each of the three.
// Draws differ, so that hosts are compared as sets, band by band.
func TestImportedCacheGivesTheSameAnswers(t *testing.T) {
	cache := madeCache(t)
	want := decodeCache(t, cache)
	config := filepath.Join(t.TempDir(), "control.yaml")
	if err := os.WriteFile(config, []byte("control: {data_dir: data, listen: \"127.0.0.1:0\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cache.pb")
	if err := os.WriteFile(file, cache, 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	in := service.ImportCommand{What: "mirrormanager", From: file, Config: config, Site: "imported"}
	if err := in.Run(t.Context(), &said); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(said.String(), "left out") {
		t.Errorf("the import says\n%s", said.String())
	}
	var again bytes.Buffer
	out := service.ExportCommand{What: "mirrormanager", Config: config}
	if err := out.Run(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	questions := questions(want)
	for name, got := range map[string]*snapshot.Snapshot{
		"exported":  decodeCache(t, again.Bytes()),
		"published": published(t, config, want.Created),
	} {
		t.Run(name, func(t *testing.T) {
			sameBands(t, want, got)
			got.Created = want.Created // time= tells when the data was made, which is another time
			sameText(t, questions, want, got)
		})
	}
}

// madeCache returns a cache of what [synth] makes, with what only MirrorManager has.
func madeCache(t *testing.T) []byte {
	t.Helper()
	s := synth.Snapshot(synth.Small(7))
	s.ContinentOverrides = map[geo.Country]geo.Continent{{'I', 'L'}: {'E', 'U'}, {'U', 'S'}: {'A', 'S'}}
	s.RepositoryRedirects["nowhere"] = "none"
	for i := range s.Categories {
		// which host lacks which file, orders and the like are not in a cache
		s.Categories[i].Policy = snapshot.Policy{Minimum: snapshot.DefaultMinimum, Bands: snapshot.AllBands}
	}
	var files snapshot.FileBuilder
	for dir := range s.Directories {
		if dir%3 == 0 {
			files.Add(uint32(dir), "repomd.xml", madeVersions(dir), nil)
		}
	}
	s.Files = files.Build(len(s.Directories))
	var cache bytes.Buffer
	if _, err := mirrormanager.Encode(&cache, s, s.Created); err != nil {
		t.Fatal(err)
	}
	return cache.Bytes()
}

// madeVersions returns versions of a file, such as caches have: none, one
// without hashes, or several.
func madeVersions(n int) (out []snapshot.Version) {
	for i := range n / 3 % 4 {
		v := snapshot.Version{Size: int64(1000*n + i), MTime: int64(1_700_000_000 - 100*i)}
		v.Hashes[snapshot.SHA256] = bytes.Repeat([]byte{byte(n), byte(i)}, 16)
		if n%2 == 0 {
			v.Hashes[snapshot.MD5] = bytes.Repeat([]byte{byte(i), byte(n)}, 8)
		}
		out = append(out, v)
	}
	return out
}

func decodeCache(t *testing.T, cache []byte) *snapshot.Snapshot {
	t.Helper()
	s, _, err := mirrormanager.Decode("cache.pb", bytes.NewReader(cache))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// published returns what an edge gets when the database is published.
func published(t *testing.T, config string, now time.Time) *snapshot.Snapshot {
	t.Helper()
	c, err := service.ReadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{Database: c.Database})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read from here on
	key, err := wire.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	p := publish.Publisher{Store: db, Key: key, Holder: "test", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Keep: 3}
	version, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := db.Manifest(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := wire.OpenUnverified(stored.Data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wire.Decode(m, func(h wire.Hash) ([]byte, error) { return db.Section(context.Background(), h.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inputs are those of an index of a snapshot, with tables that are always the same.
func inputs(s *snapshot.Snapshot) index.Inputs {
	in := synth.Inputs(synth.Small(7))
	in.Snapshot, in.Now = s, s.Created
	return in
}

// sameBands compares who may serve whom, and in which band.
func sameBands(t *testing.T, want, got *snapshot.Snapshot) {
	t.Helper()
	a, b := index.Compile(inputs(want)), index.Compile(inputs(got))
	for i, client := range synth.Clients(inputs(want), 3, 2000) {
		path := want.Directories[i%len(want.Directories)].Path
		if d := cmp.Diff(bands(a, want, path, client), bands(b, got, path, client)); d != "" {
			t.Fatalf("%s for %s (-want +got):\n%s", path, client, d)
		}
	}
}

// bands returns a line for each band, with the URLs of its hosts.
func bands(ix *index.Index, s *snapshot.Snapshot, path string, client netip.Addr) (out []string) {
	target, ok := ix.Find([]byte(path))
	if !ok {
		return []string{"no such directory"}
	}
	var m match.Match
	m.Find(ix, &match.Query{Place: ix.Place(client, client.BitLen()), Directory: target.Directory, Category: target.Category})
	for _, b := range m.Bands() {
		var urls []string
		for h := range s.Hosts {
			if !b.Hosts.Has(uint32(h)) {
				continue
			}
			for _, mount := range s.Hosts[h].Mounts {
				if mount.Category == target.Category {
					urls = append(urls, fmt.Sprintf("%v %d", mount.URLs, s.Hosts[h].Bandwidth))
				}
			}
		}
		slices.Sort(urls)
		out = append(out, fmt.Sprint(b.Kind, b.Bits, urls))
	}
	return out
}

// questions returns requests to a mirrorlist-server, by random clients.
func questions(s *snapshot.Snapshot) (out []string) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for _, client := range synth.Clients(inputs(s), 5, 3000) {
		repository := s.Repositories[r.IntN(len(s.Repositories))]
		what := "repo=" + pick(repository.Name, repository.Name, "rawhide", "nowhere", "unknown") + "&arch=" + repository.Arch
		if r.IntN(2) == 0 {
			what = "path=" + s.Directories[r.IntN(len(s.Directories))].Path + pick("", "", "/repomd.xml", "/unknown")
		}
		out = append(out, "/"+pick("mirrorlist", "metalink")+"?"+what+"&ip="+client.String()+
			pick("", "", "&country=DE", "&country=us,JP", "&country=global", "&protocol=https", "&protocol=rsync,http", "&netblock=0", "&time=1"))
	}
	return out
}

// sameText asks two mirrorlist-servers the same.
func sameText(t *testing.T, questions []string, want, got *snapshot.Snapshot) {
	t.Helper()
	a, b := serve(t, want), serve(t, got)
	for _, q := range questions {
		if d := cmp.Diff(unordered(t, a+q), unordered(t, b+q)); d != "" {
			t.Fatalf("%s (-want +got):\n%s", q, d)
		}
	}
}

// serve starts a mirrorlist-server, and returns its URL.
func serve(t *testing.T, s *snapshot.Snapshot) string {
	t.Helper()
	e := &answer.Engine{Counter: new(statistics.Collector).Counter}
	e.Swap(index.Compile(inputs(s)), func(ix *index.Index) *health.State { return health.New(ix, nil) })
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan error, 1)
	go func() { over <- edgehttp.New(edgehttp.Config{Engine: e, MirrorlistServer: true}).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

var varies = regexp.MustCompile(`pubdate="[^"]*"| preference="\d+"`)

// unordered returns an answer without what varies, its lines with URLs sorted.
func unordered(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(varies.ReplaceAllString(string(body), ""), "\n")
	isURL := func(line string) bool { return strings.Contains(line, "://") && !strings.Contains(line, "<metalink") }
	first := slices.IndexFunc(lines, isURL)
	if first >= 0 {
		last := first
		for last < len(lines) && isURL(lines[last]) {
			last++
		}
		slices.Sort(lines[first:last])
	}
	return fmt.Sprint(response.StatusCode, response.Header["Content-Type"], "\n") + strings.Join(lines, "\n")
}
