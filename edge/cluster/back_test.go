package cluster

import (
	"testing"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// TestBack: what an edge said before it was gone does not count when it is back,
// whoever remembers it, until it was asked anew.
func TestBack(t *testing.T) {
	a := start(t, "a", Config{})
	b := start(t, "b", Config{}, a)
	heard := func() bool {
		a.council.mu.Lock()
		defer a.council.mu.Unlock()
		return a.council.book.Sights("b", "h1")[0].State == vote.Failing
	}
	b.saw(vote.Failing)
	eventually(t, "a knows what b sees", heard)
	remembered := (&delegate{a.Cluster}).LocalState(false)
	at := b.Address()
	node := memberlist.Node{Name: "b", Addr: at.Addr().AsSlice(), Port: at.Port(), Meta: (&delegate{b.Cluster}).NodeMeta(512)}
	a.note(&node, false)
	a.hear(remembered, false)
	if heard() {
		t.Error("a counts what b said before it was gone")
	}
	a.note(&node, true)
	eventually(t, "a asked b", heard)
}
