package export_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// network is the snapshot of testdata/network.yaml, with an embargo.
func network(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	data, err := os.ReadFile("testdata/network.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := catalog.Decode("network.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	s.Version, s.Created = 7, now
	s.Embargoes = []snapshot.Embargo{
		{Path: "pub/secret", LiftAt: now.Add(time.Hour)}, {Path: "pub/os", LiftAt: now.Add(-time.Hour)},
	}
	return s
}

// lists writes all mirrorlists as one text.
func lists(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	for l := range export.Mirrorlists(s, now) {
		if _, err := fmt.Fprintf(w, "== %s\n%s", l.Path, l.Text); err != nil {
			return err
		}
	}
	return nil
}

// public are all exports that the world may see.
var public = map[string]func(io.Writer, *snapshot.Snapshot, time.Time) error{
	"nginx.conf": export.Nginx, "apache.map": export.Apache, "haproxy.map": export.HAProxy, "varnish.vcl": export.Varnish,
	"squid-refresh.conf": export.SquidRefresh, "squid-storeid.txt": export.SquidStoreID, "mirrors.json": export.JSON,
	"mirrors.txt": export.Text, "mirrors.html": export.HTML, "mirrorlists.txt": lists,
}

func write(t *testing.T, name string, s *snapshot.Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	if err := public[name](&b, s, now); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func TestGolden(t *testing.T) {
	for name := range public {
		t.Run(name, func(t *testing.T) { golden(t, name, write(t, name, network(t))) })
	}
}

// No public export names a private host, one that is down, or what is under
// embargo; after the lift that is there.
func TestPublic(t *testing.T) {
	for name := range public {
		t.Run(name, func(t *testing.T) {
			s := network(t)
			text := write(t, name, s)
			for _, bad := range []string{"hidden", "192.0.2", "broken", "secret"} {
				if strings.Contains(text, bad) {
					t.Errorf("%q is in it:\n%s", bad, text)
				}
			}
			s.Embargoes = nil
			if text = write(t, name, s); !strings.Contains(text, "secret") {
				t.Error("what is no longer under embargo is not in it")
			}
		})
	}
}

func TestWriterFails(t *testing.T) {
	broken := errors.New("disk full")
	for name, f := range public {
		if err := f(failing{broken}, network(t), now); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

func TestEmpty(t *testing.T) {
	for name := range public {
		write(t, name, &snapshot.Snapshot{})
	}
}

// Each URL gets its share of HAProxy's keys, by bandwidth, and no key is given
// twice or left out.
func TestShares(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := &snapshot.Snapshot{
			Categories: []snapshot.Category{{Name: "os"}}, Directories: []snapshot.Directory{{}},
		}
		total := 0.0
		for i := range 1 + rng.IntN(12) {
			h := snapshot.Host{Bandwidth: uint32(1 + rng.IntN(1000)), Has: snapshot.Bitmap{1}}
			h.Mounts = []snapshot.Mount{{URLs: []string{fmt.Sprintf("http://h%d", i)}}}
			s.Hosts = append(s.Hosts, h)
			total += float64(h.Bandwidth)
		}
		got, keys := map[string]int{}, map[string]bool{}
		for line := range strings.Lines(write(t, "haproxy.map", s)) {
			if key, url, ok := strings.Cut(strings.TrimSpace(line), " "); ok && key != "#" {
				got[url]++
				keys[key] = true
			}
		}
		if len(keys) != export.HAProxySlots {
			t.Fatalf("seed %d: %d keys", seed, len(keys))
		}
		for i, h := range s.Hosts {
			// one key for each first, then the rest in proportion
			want := 1 + float64(h.Bandwidth)/total*float64(export.HAProxySlots-len(s.Hosts))
			if n := float64(got[fmt.Sprintf("http://h%d", i)]); n < want-1 || n > want+1 {
				t.Errorf("seed %d: a share of %.2f got %v", seed, want, n)
			}
		}
	}
}

// A host leaves the lists for people, too, when crawls have taken all of it out:
// it holds nothing then.
func TestHoldsNothing(t *testing.T) {
	for _, name := range []string{"mirrors.json", "mirrors.txt", "mirrors.html"} {
		s := network(t)
		i := slices.IndexFunc(s.Hosts, func(h snapshot.Host) bool { return h.Name == "us1" })
		gone := s.Hosts[i].Name
		if !strings.Contains(write(t, name, s), gone) {
			t.Fatalf("%s: %s is not in it", name, gone)
		}
		s.Hosts[i].Has = nil
		if text := write(t, name, s); strings.Contains(text, gone) {
			t.Errorf("%s: %s holds nothing, and is in it:\n%s", name, gone, text)
		}
		s.Directories = nil // before the first scan nobody knows better
		if text := write(t, name, s); !strings.Contains(text, gone) {
			t.Errorf("%s: %s is not in it, though no directory is known:\n%s", name, gone, text)
		}
	}
}
