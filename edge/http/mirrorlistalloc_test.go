//go:build !race

package http

import (
	"testing"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

func TestListAllocs(t *testing.T) {
	s, older := newListFixture(), newOlderFixture()
	older.config.MirrorlistServer = true
	tests := []struct{ name, uri string }{
		{"path", "/mirrorlist?path=pub/fedora/os&ip=192.0.2.7"},
		{"metalink", "/metalink?path=pub/fedora/os/repodata/repomd.xml&ip=192.0.2.7"},
		{"repository", "/mirrorlist?repo=fedora-43&arch=x86_64&ip=192.0.2.7"},
		{"metalink of a repository", "/metalink?repo=fedora-43&arch=x86_64&ip=192.0.2.7"},
		{"countries", "/mirrorlist?path=pub/fedora/os&country=US,DE,global&protocol=https,http&time"},
		{"redirect", "/mirrorlist?path=pub/fedora/os&redirect"},
		{"unknown path", "/mirrorlist?path=none"},
		{"no metalink", "/metalink?path=pub/fedora/os"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			handle := reused(s, german, test.uri)
			handleOlder := reused(older, german, test.uri) // one host has an older version of repomd.xml
			// The client's address as it was given, and the name of the repository.
			for _, f := range []func(){func() { handle() }, func() { handleOlder() }} {
				if n := testing.AllocsPerRun(100, f); n > 2 {
					t.Errorf("%v allocations", n)
				}
			}
		})
	}
}

// BenchmarkList asks what lists cost at the size of Fedora's mirror network.
func BenchmarkList(b *testing.B) {
	in := synth.Inputs(synth.Fedora())
	e := &answer.Engine{}
	e.Swap(index.Compile(in), nil)
	s := New(Config{Engine: e, MirrorlistServer: true})
	s.tick(time.Unix(1_800_000_000, 0))
	clients := synth.Clients(in, 1, 1024)
	for _, bench := range []struct {
		name, endpoint string
		paths          []string
	}{
		{"mirrorlist", "/mirrorlist?path=", listDirectories(in.Snapshot)},
		{"metalink", "/metalink?path=", listFiles(in.Snapshot)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var uris []string
			for i, c := range clients {
				uris = append(uris, bench.endpoint+bench.paths[i*7919%len(bench.paths)]+"&ip="+c.String())
			}
			ctx := reused(s, german, uris[0])()
			size := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ctx.Request.Header.SetRequestURI(uris[i%len(uris)])
				ctx.Response.Reset()
				s.Handle(ctx)
				size += len(ctx.Response.Body())
			}
			b.ReportMetric(float64(size)/float64(b.N), "B/answer")
		})
	}
}

func listDirectories(s *snapshot.Snapshot) (paths []string) {
	for i := range s.Directories {
		paths = append(paths, s.Directories[i].Path)
	}
	return paths
}

func listFiles(s *snapshot.Snapshot) (paths []string) {
	for i := range s.Directories {
		from, to := s.Files.In(uint32(i))
		for file := from; file < to; file++ {
			paths = append(paths, s.Directories[i].Path+"/"+string(s.Files.Name(file)))
		}
	}
	return paths
}
