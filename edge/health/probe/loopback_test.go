package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/health/probe"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// indexOf is the index of one mirror that carries pub/os at url.
func indexOf(url string) *index.Index {
	host := snapshot.Host{Name: "mirror", Mounts: []snapshot.Mount{{Category: 0, URLs: []string{url}}}}
	host.Has.Add(0)
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os"}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
		Hosts:       []snapshot.Host{host},
	}
	var files snapshot.FileBuilder
	files.Add(0, "f.iso", []snapshot.Version{{Size: 5}}, nil)
	s.Files = files.Build(1)
	return index.Compile(index.Inputs{Snapshot: s})
}

// TestDownAndUp: a real server loses its file and gets it back, and an engine
// hears of it.
func TestDownAndUp(t *testing.T) {
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/os/f.iso" || broken.Load() {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("12345"))
	}))
	defer server.Close()
	var engine answer.Engine
	ix := indexOf(server.URL + "/os")
	changes := make(chan []health.Target, 1)
	var prober *probe.Prober
	prober, err := probe.New(probe.Config{
		Interval: time.Second, Timeout: time.Second, Rise: 2, Fall: 2,
		Publish: func(down []health.Target) { engine.SetHealth(prober.State); changes <- down },
	})
	if err != nil {
		t.Fatal(err)
	}
	prober.Update(ix)
	engine.Swap(ix, prober.State)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- prober.Run(ctx) }()
	defer func() {
		cancel()
		if end := <-over; end != nil {
			t.Error(end)
		}
	}()

	for len(prober.Statuses()) == 0 || prober.Statuses()[0].Result == (probe.Result{}) {
		<-time.After(time.Millisecond)
	}
	isDown := func() bool { return engine.View().Health.Down(0, index.HTTP, index.V4) }
	if s := prober.Statuses(); len(s) != 1 || s[0].Result.Verdict != probe.OK || isDown() {
		t.Fatalf("at first: %+v", s)
	}
	broken.Store(true)
	if down := <-changes; len(down) != 1 || !isDown() {
		t.Errorf("published %v, down %v", down, isDown())
	}
	if s := prober.Statuses()[0]; !s.Down || s.Result.Verdict != probe.Missing || s.URL != server.URL+"/os/f.iso" {
		t.Errorf("broken: %+v", s)
	}
	broken.Store(false)
	if down := <-changes; len(down) != 0 || isDown() {
		t.Errorf("published %v, down %v", down, isDown())
	}
}

// A mirror whose server answers, but not with the file that the catalogue says
// it has, is found out at its first probes.
func Example() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()

	ctx, cancel := context.WithCancel(context.Background())
	var prober *probe.Prober
	prober, err := probe.New(probe.Config{
		Interval: time.Second,
		Publish: func(down []health.Target) { // an edge: engine.SetHealth(prober.State)
			status := prober.Statuses()[0]
			fmt.Printf("down: %s, %v: %s\n", down[0].Host, status.Result.Verdict, status.Result.Detail)
			cancel()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	prober.Update(indexOf(server.URL + "/os"))
	fmt.Println(prober.Run(ctx))
	// Output:
	// down: mirror, missing: status 404
	// <nil>
}
