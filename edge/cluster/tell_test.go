package cluster

import (
	"testing"
	"time"
)

// TestNews: that an edge leaves is told at once, also while the news of a
// snapshot waits for its time.
func TestNews(t *testing.T) {
	var n news
	come := func(what string, m Meta, soon, set bool) {
		t.Helper()
		wait, ok := n.come(m, 1<<30)
		if ok != set || ok && (wait == 0) != soon {
			t.Errorf("%s: told after %v, %v", what, wait, ok)
		}
	}
	come("the first time", Meta{Region: "r"}, true, true)
	n.left = 0
	come("a snapshot", Meta{Region: "r", Snapshot: 1}, false, true)
	come("another one", Meta{Region: "r", Snapshot: 2}, false, false)
	come("leaving meanwhile", Meta{Region: "r", Snapshot: 2, Leaving: true}, true, true)
	if n.left != 1+repeats {
		t.Errorf("told %d times", n.left)
	}
	come("a snapshot between repeats", Meta{Region: "r", Snapshot: 3, Data: time.Unix(9, 0), Leaving: true}, false, false)
}
