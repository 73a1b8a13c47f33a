package cluster

import (
	"testing"

	"go.uber.org/goleak"
)

// The library's own probes of members outlive its shutdown by seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}
