//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/statistics/outbox"
)

// TestStatistics asks an edge by HTTP and DNS while its control plane is there,
// while it is killed, and after both were: each answer is counted once.
func TestStatistics(t *testing.T) {
	t.Parallel()
	master := t.TempDir()
	file(t, "content", master, "43/f.iso")
	file(t, `<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision></repomd>`, master, "43/repodata/repomd.xml")
	m := serve(t, copyTree(t, master), nil)
	p := newPlane(t, master, "")
	p.world(t)
	p.host(t, "m1", []string{m.url}, "country=DE", "addresses+=192.0.2.1", "dns=true")
	p.scan(t)
	p.crawl(t, "m1")
	p.settled(t)

	names := port(t)
	e := p.edgeWith(t, fmt.Sprintf(`  statistics: {every: 1s}
  dns:
    listen: [%q]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
`, names))
	want := map[string]int64{}
	ask := func(times int) {
		t.Helper()
		for range times {
			if code, to, _, err := e.ask("/pub/os/43/f.iso", outside); err != nil || code != 302 {
				t.Fatalf("answer %d, %s, %v", code, to, err)
			}
			if e.body("/mirrorlist?repo=os-43&arch=x86_64", outside) == "" {
				t.Fatal("no list")
			}
			q := new(dns.Msg).SetQuestion("m.test.", dns.TypeA)
			if a, _, err := (&dns.Client{Timeout: 20 * time.Second}).Exchange(q, names); err != nil || len(a.Answer) != 1 {
				t.Fatalf("DNS: %v, %v", a, err)
			}
			want["redirect"]++
			want["mirrorlist"]++
			want["dns"]++
		}
	}
	counts := func(by string) map[string]int64 {
		t.Helper()
		got := map[string]int64{}
		var all web.Counts
		decode(t, p.ctl(t, "--json", "statistics", "--by", by), &all)
		for _, n := range all.Counts {
			got[n.Name] = n.Count
		}
		return got
	}

	ask(5)
	until(t, soon, "the first counts arrive", func() bool { return cmp.Equal(counts("kind"), want) })

	p.process.kill()
	ask(7)
	box := filepath.Join(e.dir, "data", "statistics")
	until(t, soon, "what was counted meanwhile is on disk", func() bool {
		return cmp.Equal(waiting(t, box), map[string]int64{"redirect": 7, "mirrorlist": 7, "dns": 7})
	})
	e.process.kill()
	e.start(t)
	ask(2)
	p.start(t)
	until(t, 2*time.Minute, "all counts arrive", func() bool { return cmp.Equal(counts("kind"), want) })
	ask(1)
	until(t, soon, "new counts arrive", func() bool { return cmp.Equal(counts("kind"), want) })
	until(t, soon, "nothing waits", func() bool { return len(waiting(t, box)) == 0 })

	if got := counts("host"); !cmp.Equal(got, map[string]int64{"s/m1": 45}) {
		t.Errorf("by host: %v", got)
	}
	if got := counts("repository"); !cmp.Equal(got, map[string]int64{"os-43": 30}) { // DNS asks for what is above
		t.Errorf("by repository: %v", got)
	}
	if got := counts("country"); !cmp.Equal(got, map[string]int64{"": 45}) {
		t.Errorf("by country: %v", got)
	}
	wantText(t, p.ctl(t, "statistics", "--by", "arch"), "CATEGORY  ARCH    COUNT  SHARE", "os        x86_64  30     100.0 %")
	wantText(t, p.ctl(t, "statistics", "--by", "host", "--csv"), "category,host,count\n", "os,s/m1,45\n")
}

// waiting returns what is in an edge's outbox, by kind.
func waiting(t *testing.T, box string) map[string]int64 {
	t.Helper()
	sums := map[string]int64{}
	paths, err := filepath.Glob(filepath.Join(box, "*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it was just sent
		}
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var b outbox.Batch
		if err := json.NewDecoder(z).Decode(&b); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.Counts {
			if c.Dimension == "kind" {
				sums[c.Name] += c.Count
			}
		}
	}
	return sums
}
