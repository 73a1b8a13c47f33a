package probe

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// bigIndex has 450 hosts of four targets, 60,000 directories and a file in each.
func bigIndex() *index.Index {
	const hosts, dirs = 450, 60_000
	s := &snapshot.Snapshot{Categories: []snapshot.Category{{Name: "os", Path: "pub"}}}
	var files snapshot.FileBuilder
	for d := range uint32(dirs) {
		s.Directories = append(s.Directories, snapshot.Directory{Path: fmt.Sprintf("pub/%06d", d)})
		files.Add(d, "repomd.xml", []snapshot.Version{{Size: 1000, MTime: int64(d) + 1}}, nil)
	}
	s.Files = files.Build(dirs)
	for h := range hosts {
		host := snapshot.Host{Name: fmt.Sprintf("mirror%d", h), Mounts: []snapshot.Mount{
			{URLs: []string{fmt.Sprintf("http://mirror%d.test/pub", h), fmt.Sprintf("https://mirror%d.test/pub", h)}},
		}}
		for d := range uint32(dirs) {
			if d%450 >= uint32(h) {
				host.Has.Add(d)
			}
		}
		s.Hosts = append(s.Hosts, host)
	}
	return index.Compile(index.Inputs{Snapshot: s})
}

// How long does a swap of the index hold the prober up, and how long is it
// from the result of a probe to what is published?
func BenchmarkProber(b *testing.B) {
	ix := bigIndex()
	b.Run("Update/450x60000", func(b *testing.B) {
		p := newProber(Config{}.WithDefaults(), nil)
		for b.Loop() {
			p.Update(ix)
		}
	})
	b.Run("State", func(b *testing.B) {
		p := newProber(Config{}.WithDefaults(), nil)
		for b.Loop() {
			p.State(ix)
		}
	})
	b.Run("Result/publish", func(b *testing.B) {
		p := newProber(Config{Fall: 1, Rise: 1}.WithDefaults(), func(context.Context, plan, index.Family) Result { return Result{} })
		p.Update(ix)
		tested := p.targets[newName("mirror7")]
		failed := false
		for b.Loop() {
			b.StopTimer()
			p.take(tested) // as if a probe were on it
			failed = !failed
			r := Result{Verdict: OK}
			if failed {
				r.Verdict = Refused
			}
			b.StartTimer()
			p.settle(outcome{tested, r}, time.Now())
			_ = p.State(ix)
		}
	})
}
