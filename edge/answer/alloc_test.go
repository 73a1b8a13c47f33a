//go:build !race

package answer_test

import (
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
)

// TestAllocs keeps answers free of allocations once their memory has grown.
func TestAllocs(t *testing.T) {
	in, view := small(synth.Small(2))
	all := draw(in, view.Index, 100)
	for name, query := range map[string]func(*asked) answer.Query{
		"redirect": redirect,
		"DNS":      dns,
		"metalink": func(x *asked) answer.Query {
			return answer.Query{Client: x.client, Target: x.target, List: true, Older: true}
		},
		"list": func(x *asked) answer.Query { return answer.Query{Client: x.client, Target: x.target, List: true} },
	} {
		var a answer.Answer
		n := 0
		run := func() {
			for i := range all {
				q := query(&all[i])
				view.Answer(&q, &a)
				for _, h := range a.Hosts() {
					if a.URL(h, index.AnyScheme, index.V4) != nil {
						n++
					}
				}
				n += a.Scope()
			}
		}
		run()
		if allocs := testing.AllocsPerRun(5, run); allocs != 0 {
			t.Errorf("%s: %v allocations, want 0", name, allocs)
		}
	}
}
