//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/cluster"
)

// TestUpgradeMoves: an edge that an upgrade gives another address, and then another
// name, is a member anew at once, though its join names nobody. To nobody it is two
// edges.
func TestUpgradeMoves(t *testing.T) {
	l := newLineage(t, "")
	configure := func(name, at string) {
		l.configure(fmt.Sprintf("  cluster: {listen: %q}\n", at))
		text, err := os.ReadFile(l.file("edge.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, l.file("edge.yaml"), strings.Replace(string(text), "name: e2e", "name: "+name, 1))
	}
	from, to := freeAddr(t), freeAddr(t)
	configure("edge1", from)
	l.start()
	other := startEdge(t, "categories: [{name: os, path: pub/os}]\nhosts: [{name: a, country: DE, urls: {os: [\"http://a.test/os\"]}}]\n",
		fmt.Sprintf("  cluster: {listen: %q, join: [%q]}\n", freeAddr(t), from))
	isMember := func(name, at string) func() bool {
		return func() bool {
			var s cluster.Status
			if err := json.Unmarshal([]byte(get(t, "http://"+other.admin+"/cluster")), &s); err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(s.Members, func(m cluster.Member) bool {
				return m.Name == name && m.Alive && m.Address == netip.MustParseAddrPort(at)
			})
		}
	}
	eventually(t, "both are members", isMember("edge1", from))
	for _, name := range []string{"edge1", "edge2"} {
		configure(name, to)
		if _, _, err := l.upgrade(); err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is a member at its new address", isMember(name, to))
	}
	for _, e := range []*edge{other, {admin: l.admin}} {
		if n := e.metric(t, `waypost_cluster_refused_total{reason="name_taken"}`); n != "0" {
			t.Errorf("%s times an edge with the name of another was refused", n)
		}
	}
}
