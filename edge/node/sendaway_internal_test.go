package node

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/waypost/waypost/edge/handover"
	edgehttp "github.com/waypost/waypost/edge/http"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// An edge that is told to stop ends the connections of its clients one by one, and
// says that it is not ready. One that goes on in another process does neither.
func TestSendAway(t *testing.T) {
	for _, x := range []struct {
		name  string
		cause error
		want  bool
	}{{"told to stop", context.Canceled, true}, {"taken over", handover.ErrTakenOver, false}} {
		t.Run(x.name, func(t *testing.T) {
			n := &Node{config: &Config{}, log: slog.New(slog.DiscardHandler), process: &handover.Process{}}
			n.engine.Swap(index.Compile(index.Inputs{Snapshot: &snapshot.Snapshot{}}), nil)
			n.http = edgehttp.New(edgehttp.Config{Engine: &n.engine})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			serving, end := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- n.http.Serve(serving, l) }()
			leave, told := context.WithCancelCause(t.Context())
			told(x.cause)
			n.sendAway(leave)
			r, err := http.Get("http://" + l.Addr().String() + "/")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			if r.Close != x.want || (n.unready() != "") != x.want {
				t.Errorf("connections are closed: %t, not ready: %q", r.Close, n.unready())
			}
			end()
			if err = <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
