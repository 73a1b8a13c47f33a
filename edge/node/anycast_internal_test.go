package node

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/anycast/speaker"
)

// TestSelfCheck asks a service that answers, one that fails, and none, whatever
// proxy is in the environment. (Go has none for loopback in any case.)
func TestSelfCheck(t *testing.T) {
	if newClient().Proxy != nil {
		t.Error("the service is asked by a proxy of the environment")
	}
	status := http.StatusNotFound
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	at, ok := service.Listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(service.Listener.Addr())
	}
	if err := checkHTTP(t.Context(), at.AddrPort()); err != nil {
		t.Error(err)
	}
	status = http.StatusInternalServerError
	if err := checkHTTP(t.Context(), at.AddrPort()); err == nil {
		t.Error("an answer of 500 is as good as any")
	}
	service.Close()
	if err := checkHTTP(t.Context(), at.AddrPort()); err == nil {
		t.Error("a service that is not there is as good as any")
	}
}

// TestNoDataIsNoService has an edge that listens, and has nothing to say.
func TestNoDataIsNoService(t *testing.T) {
	n := &Node{}
	if err := n.checkService(t.Context(), netip.MustParseAddr("198.18.0.1")); err == nil || !strings.Contains(err.Error(), "no data is loaded") {
		t.Errorf("%v", err)
	}
}

// TestPrintAnycast says why a session is not there.
func TestPrintAnycast(t *testing.T) {
	var out strings.Builder
	err := printAnycast(&out, &anycast.Status{
		Prefixes:   []anycast.PrefixStatus{{Prefix: netip.MustParsePrefix("198.18.0.0/24"), State: "up", Reason: "answers", Announced: true}},
		Peers:      []speaker.PeerReport{{Address: netip.MustParseAddr("192.0.2.2"), ASN: 64500, State: "active", Trouble: "no answer"}},
		Superseded: true, Error: "gone",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"198.18.0.0/24  up     yes", "\n192.0.2.2: no answer\n", "\nspeaker: gone\n", "same data_dir"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
}
