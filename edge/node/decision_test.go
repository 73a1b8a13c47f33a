package node

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/health/probe"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// decidedOn returns an edge of a cluster with four mirrors, of which one is
// down, one kept up and one drained.
func decidedOn() *Node {
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "os", Policy: snapshot.Policy{Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "os"}},
	}
	for _, name := range []string{"down", "drained", "kept", "up"} {
		h := snapshot.Host{Name: name, Mounts: []snapshot.Mount{{URLs: []string{"http://" + name + ".test/os"}}}}
		h.Has.Add(0)
		s.Hosts = append(s.Hosts, h)
	}
	n := &Node{config: &Config{Cluster: &cluster.Config{}}}
	n.engine.Swap(index.Compile(index.Inputs{Snapshot: s}), nil)
	n.decided(&vote.Decision{
		Down: []health.Target{health.Kind(0).Of("down")}, Kept: []health.Target{health.Kind(0).Of("kept")}, Drained: []string{"drained", "gone"},
	})
	return n
}

// TestDecidedAnswers: requests go by what was decided.
func TestDecidedAnswers(t *testing.T) {
	v := decidedOn().engine.View()
	var a answer.Answer
	v.Answer(&answer.Query{Client: netip.MustParseAddr("192.0.2.1"), Schemes: index.Web}, &a)
	got := map[string]bool{}
	for _, h := range a.Hosts() {
		got[v.Index.Registered(h).Name] = true
	}
	if diff := cmp.Diff(map[string]bool{"kept": true, "up": true}, got); diff != "" {
		t.Error(diff)
	}
}

// TestOverrule: where there is a cluster, it is said what that decided.
func TestOverrule(t *testing.T) {
	n := decidedOn()
	for name, want := range map[string]probe.Status{
		"down": {Down: true}, "drained": {Down: true}, "kept": {Kept: true}, "up": {},
	} {
		want.Target = health.Kind(0).Of(name)
		got := probe.Status{Target: want.Target, Down: !want.Down, Kept: !want.Kept}
		n.overrule(&got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if !n.hasHost("up") || n.hasHost("gone") || (&Node{}).hasHost("up") {
		t.Error("hosts are those of the catalogue")
	}
}

// TestBequeathDecision: the next process answers by what this one has decided,
// until it decides itself.
func TestBequeathDecision(t *testing.T) {
	n := decidedOn()
	text, err := n.bequeath()
	var l legacy
	if bad := json.Unmarshal(text, &l); bad != nil || err != nil {
		t.Fatal(err, bad)
	}
	if diff := cmp.Diff(n.decision().Down, l.Down) + cmp.Diff(n.decision().Drained, l.Drained); diff != "" {
		t.Error(diff)
	}
}
