package node

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/health/probe"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// What an edge sees of mirrors, and how near they are, passes on from process to
// process, and is in use from the first index on.
func TestHeirSeesTheSame(t *testing.T) {
	kiel := geo.Point{Lat: 54.32, Lon: 10.13}
	ix := index.Compile(index.Inputs{Snapshot: &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "os"}},
		Directories: []snapshot.Directory{{Path: "os"}},
		Hosts:       []snapshot.Host{{Name: "a", Place: &kiel, Mounts: []snapshot.Mount{{URLs: []string{"http://192.0.2.1/os"}}}}},
	}})
	target := health.Target{Host: "a", Scheme: index.HTTP, Family: index.V4}
	told := legacy{
		Seen:  []vote.Seen{{Target: target, Sight: vote.Sight{State: vote.Good, Verdict: uint8(probe.OK), RoundTrip: 12}}},
		Trips: []distance.Time{{Edge: kiel, Host: "a", Family: index.V4, Time: 12 * time.Millisecond}},
	}
	for range 2 { // processes
		text, err := json.Marshal(&told)
		if err != nil {
			t.Fatal(err)
		}
		n := &Node{config: &Config{Name: "edge1", Health: &probe.Config{}, Cluster: &cluster.Config{RoundTrips: true}}, log: slog.New(slog.DiscardHandler)}
		if err = json.Unmarshal(text, &n.before); err != nil {
			t.Fatal(err)
		}
		n.newDistances()
		if err = n.newProber(); err != nil {
			t.Fatal(err)
		}
		n.prober.Update(ix)
		from := n.engine.Distances(ix).From(kiel.Vec(), index.V4)
		if _, measured := from.Ring(0, kiel.Vec()); !measured {
			t.Error("hosts are near by coordinates only")
		}
		if text, err = n.bequeath(); err != nil {
			t.Fatal(err)
		}
		next := legacy{}
		if err = json.Unmarshal(text, &next); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]any{told.Seen, told.Trips}, []any{next.Seen, next.Trips}); diff != "" {
			t.Error(diff)
		}
		told = next
	}
}
