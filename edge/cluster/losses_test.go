package cluster

import "testing"

func TestLosses(t *testing.T) {
	tests := []struct {
		name  string
		steps [][2][]string // who is there, and who leaves
		want  bool          // at the last step
	}{
		{"alone", [][2][]string{{{"a"}}}, false},
		{"one of two is gone", [][2][]string{{{"a", "b"}}, {{"a"}}}, true},
		{"it is said once", [][2][]string{{{"a", "b"}}, {{"a"}}, {{"a"}}}, false},
		{"one of three is gone", [][2][]string{{{"a", "b", "c"}}, {{"a", "b"}}}, false},
		{"one of two leaves", [][2][]string{{{"a", "b"}}, {{"a"}, {"b"}}}, false},
		{"one leaves, is back, and gone", [][2][]string{{{"a", "b"}}, {{"a"}, {"b"}}, {{"a", "b"}}, {{"a"}}}, true},
		{"two of four leave, one of the others is gone", [][2][]string{{{"a", "b", "c", "d"}}, {{"a", "b"}, {"c", "d"}}, {{"a"}, {"c", "d"}}}, true},
		{"all are drained", [][2][]string{{{"a", "b"}}, {nil, {"a", "b"}}}, false},
		{"this edge is drained, and the other is gone", [][2][]string{{{"b"}, {"a"}}, {nil, {"a"}}}, true},
	}
	for _, x := range tests {
		var l losses
		got := false
		for _, step := range x.steps {
			got = l.see(step[0], step[1])
		}
		if got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}
