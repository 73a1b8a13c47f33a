package probe

import (
	"testing"
	"time"
)

// TestCertificateOnce: of a host that sends http to https, its certificate is
// told of once.
func TestCertificateOnce(t *testing.T) {
	for _, x := range []struct {
		name string
		urls []string
		want int
	}{
		{"http and https", []string{"http://a.test/os", "https://a.test/os"}, 1},
		{"http only", []string{"http://a.test/os"}, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := newProber(Config{}.WithDefaults(), nil)
			p.Update(compile(t, mirror{name: "a", urls: x.urls, addresses: []string{"192.0.2.1"}}))
			now := time.Now()
			for _, of := range p.targets {
				p.take(of)
				p.settle(outcome{of, Result{Verdict: OK, Expires: now, Expiring: true}}, now)
			}
			if len(p.targets) != len(x.urls) || len(p.notes) != x.want {
				t.Errorf("%d notes on %d targets", len(p.notes), len(p.targets))
			}
		})
	}
}
