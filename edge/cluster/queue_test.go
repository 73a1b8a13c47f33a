package cluster

import (
	"testing"

	"github.com/hashicorp/memberlist"
)

// TestAnchor queues messages of one length, each about something else, of which
// the first one has just taken the place of an older one.
func TestAnchor(t *testing.T) {
	for _, anchored := range []bool{false, true} {
		q := memberlist.TransmitLimitedQueue{NumNodes: func() int { return 2 }, RetransmitMult: retransmit}
		if anchored {
			q.QueueBroadcast(anchor())
		}
		for _, about := range []string{"a", "a", "b"} {
			q.QueueBroadcast(&broadcast{about, []byte(about)})
		}
		got := len(q.GetBroadcasts(2, 1400))
		if anchored && got != 2 {
			t.Errorf("%d of 2 messages are sent", got)
		}
		if !anchored && got == 2 {
			t.Log("the library has been mended: the anchor can go")
		}
	}
}
