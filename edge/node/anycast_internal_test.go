package node

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/anycast/speaker"
)

// TestSelfCheckKnowsNoProxy has a proxy in the environment, which an operator
// set for other reasons.
func TestSelfCheckKnowsNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1")
	t.Setenv("http_proxy", "http://192.0.2.1:1")
	service := httptest.NewServer(http.NotFoundHandler())
	defer service.Close()
	at, ok := service.Listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(service.Listener.Addr())
	}
	n := &Node{}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := n.checkHTTP(ctx, at.AddrPort()); err != nil {
		t.Error(err)
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
