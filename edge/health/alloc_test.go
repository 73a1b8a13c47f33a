//go:build !race

package health_test

import (
	"testing"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
)

func TestUpAllocatesNothing(t *testing.T) {
	ix := compile([]string{"http://a.test/os"}, []string{"https://b.test/os"})
	s := health.New(ix, []health.Target{{Host: "h0", Scheme: index.HTTP, Family: index.V4}})
	set := hostset.Make(ix.Hosts())
	if n := testing.AllocsPerRun(100, func() { s.Up(set, ix, 0, index.Web, index.V4) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
