package health_test

import (
	"testing"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

func TestKind(t *testing.T) {
	names := map[health.Kind]string{0: "http over ipv4", 1: "https over ipv4", 2: "http over ipv6", 3: "https over ipv6"}
	for k := range health.Kind(health.Kinds) {
		target := k.Of("a")
		want := health.Target{Host: "a", Scheme: k.Scheme(), Family: k.Family()}
		if target != want || target.Kind() != k || k.String() != names[k] {
			t.Errorf("kind %d: %+v, %q", k, target, k)
		}
	}
	if k := health.KindOf(index.HTTPS, index.V6); k != 3 {
		t.Errorf("https over IPv6 is %d", k)
	}
}
