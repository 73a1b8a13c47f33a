package node

import (
	"fmt"
	"testing"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// How long is it from a decision of the cluster until requests go by it? The
// issue wants 1 ms.
func BenchmarkDecided(b *testing.B) {
	s := &snapshot.Snapshot{Categories: []snapshot.Category{{Name: "os", Path: "pub"}}}
	var down []health.Target
	for h := range 1000 {
		name := fmt.Sprintf("mirror%d.example.org", h)
		s.Hosts = append(s.Hosts, snapshot.Host{Name: name, Mounts: []snapshot.Mount{{URLs: []string{"https://" + name + "/pub"}}}})
		if h%4 == 0 {
			for k := range health.Kind(health.Kinds) {
				down = append(down, k.Of(name))
			}
		}
	}
	n := &Node{config: &Config{}}
	n.engine.Swap(index.Compile(index.Inputs{Snapshot: s}), nil)
	b.Run("1000 hosts, 1000 targets down", func(b *testing.B) {
		for b.Loop() {
			n.decided(&vote.Decision{Down: down})
		}
	})
}
