package http

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/statistics"
)

// counted makes an engine's answers be counted anew, and returns where.
func counted(e *answer.Engine) *statistics.Collector {
	c := &statistics.Collector{}
	e.Counter = c.Counter
	e.Swap(e.View().Index, func(ix *index.Index) *health.State { return health.New(ix, nil) })
	return c
}

// sums returns what was counted, by "CATEGORY DIMENSION NAME".
func sums(counts []statistics.Count) map[string]uint64 {
	sum := map[string]uint64{}
	for _, c := range counts {
		sum[c.Category+" "+c.Dimension+" "+c.Name] = c.Count
	}
	return sum
}

func TestTally(t *testing.T) {
	tests := []struct {
		name   string
		peer   string
		uri    string
		header []string
		want   []string
	}{
		{"redirect", german, "/pub/os/f.iso", nil, []string{"os country DE", "os host de1", "os kind redirect"}},
		{"by secure proxy", proxy, "/pub/os/f.iso", []string{"X-Forwarded-For", german, "X-Forwarded-Proto", "https"}, []string{"os country DE", "os host de1", "os kind redirect"}},
		{"no country", nobody, "/lone/l.iso", nil, []string{"lone country ", "lone kind unserved"}},
		{"not modified", german, "/pub/os/f.iso", []string{"If-None-Match", "*"}, []string{"os country DE", "os kind not_modified"}},
		{"hash", american, "/pub/os/f.iso.sha256", nil, []string{"os country US", "os kind hash"}},
		{"page", german, "/pub/os/f.iso?mirrorlist", nil, []string{"os country DE", "os kind page"}},
		{"metalink 4", german, "/pub/os/f.iso.meta4", nil, []string{"os country DE", "os host de1", "os kind metalink4"}},
		{"metalink 3", german, "/pub/os/f.iso", []string{"Accept", "application/metalink+xml"}, []string{"os country DE", "os host de1", "os kind metalink3"}},
		{"metalink 4 of the origin alone", german, "/pub/os/new.iso.meta4", nil, []string{"os country DE", "os kind metalink4"}},
		{"metalink 3 of the origin alone", german, "/pub/os/new.iso.metalink", nil, []string{"os country DE", "os kind metalink3"}},
		{"metalink of nothing", nobody, "/lone/l.iso.meta4", nil, []string{"lone country ", "lone kind unserved"}},
		{"list by path", german, "/mirrorlist?path=pub/os", nil, []string{"os country DE", "os host de1", "os kind mirrorlist"}},
		{"no such list", german, "/mirrorlist?path=none", nil, nil},
		{"start page", german, "/", nil, nil},
		{"unknown", german, "/none", nil, nil},
		{"no such hash", german, "/pub/os/complete/g.iso.md5", nil, nil},
		{"bad path", german, "/%", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFixture()
			c := counted(s.config.Engine)
			get(t, s, test.peer, test.uri, test.header...)
			want := map[string]uint64{}
			for _, key := range test.want {
				want[key] = 1
			}
			if diff := cmp.Diff(want, sums(c.Drain())); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// Random requests for lists are counted as a plain reading of question and
// answer says: the first URL is that of the host.
func TestTallyTwin(t *testing.T) {
	s := newListFixture()
	c := counted(s.config.Engine)
	countries := map[string]string{german: "DE", austrian: "AT", american: "US", partner: "US", campus: "DE", nobody: ""}
	peers := []string{german, austrian, american, partner, campus, nobody}
	asked := []struct{ query, repository, arch string }{
		{"repo=fedora-43&arch=x86_64", "fedora-43", "x86_64"},
		{"repo=core-43&arch=x86_64", "fedora-43", "x86_64"},
		{"repo=fedora-source-43&arch=source", "fedora-source-43", "source"},
		{"path=pub/fedora/os", "fedora-43", "x86_64"},
		{"path=pub/fedora/os/x%20y", "fedora-43", "x86_64"},
		{"path=pub/fedora/os/repodata", "direct", "x86_64"},
		{"path=pub/fedora", "", ""},
		{"repo=old&arch=x86_64", "", ""}, // disabled
		{"repo=none&arch=x86_64", "", ""},
	}
	want := map[string]uint64{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		peer, ask := peers[r.IntN(len(peers))], asked[r.IntN(len(asked))]
		res := get(t, s, peer, "/mirrorlist?"+ask.query)
		urls := urlsOf(t, string(res.Body()))
		if res.StatusCode() != fasthttp.StatusOK || ask.repository == "" && !strings.HasPrefix(ask.query, "path=") {
			continue
		}
		want["fedora country "+countries[peer]]++
		if len(urls) == 0 {
			want["fedora kind unserved"]++
		} else {
			host, _, _ := strings.Cut(strings.SplitN(urls[0], "/", 4)[2], ".")
			want["fedora host "+host]++
			want["fedora kind mirrorlist"]++
		}
		if ask.repository != "" {
			want["fedora repository "+ask.repository]++
			want["fedora arch "+ask.arch]++
		}
	}
	if diff := cmp.Diff(want, sums(c.Drain())); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
