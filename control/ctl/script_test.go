package ctl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waypost/waypost/control/ctl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"waypost": waypost}) }

// waypost is the command with nothing but ctl.
func waypost() {
	var c struct {
		Ctl ctl.Command `cmd:""`
	}
	k := kong.Parse(&c, kong.Name("waypost"), kong.Exit(func(code int) { os.Exit(min(code, 2)) }),
		kong.BindTo(context.Background(), (*context.Context)(nil)), kong.BindTo(os.Stdout, (*io.Writer)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "waypost:", err)
		os.Exit(1)
	}
}

// TestScripts runs the transcripts in testdata, each against a control plane of
// its own. With UPDATE=1 they are rewritten as it answers now.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE") == "1",
		Setup:         control,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"work": work, "published": published, "counted": counted, "crawled": crawled, "scanned": scanned},
	})
}

type storeKey struct{}

// control starts the API for a script, which finds it and a token by its environment.
func control(env *testscript.Env) error {
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	var ticks atomic.Int64 // of two jobs that are over one is the newer
	later := func() time.Time { return now().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
	s, err := store.Open(context.Background(), store.Config{Database: "sqlite:" + filepath.Join(env.WorkDir, ".control.db"), Now: later})
	if err != nil {
		return err
	}
	token, _, err := web.EnsureAdmin(context.Background(), s)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	server := httptest.NewServer(web.New(web.Config{Store: s, Now: now}))
	env.Defer(func() { server.Close(); _ = s.Close() })
	env.Values[storeKey{}] = s
	env.Setenv("WAYPOST_URL", server.URL)
	env.Setenv("WAYPOST_TOKEN_FILE", filepath.Join(env.WorkDir, "admin.token"))
	return os.WriteFile(filepath.Join(env.WorkDir, "admin.token"), []byte(token+"\n"), 0o600)
}

// work KIND RESULT does the next job of a kind, or fails to.
func work(ts *testscript.TestScript, neg bool, args []string) {
	s, ctx := ts.Value(storeKey{}).(*store.Store), context.Background()
	var j store.Job
	ready := false
	for tick, end := time.NewTicker(10*time.Millisecond), time.After(time.Minute); !ready; {
		var err error
		j, ready, err = s.Take(ctx, "test", args[:1], time.Minute)
		ts.Check(err)
		select {
		case <-tick.C:
		case <-end:
			ts.Fatalf("no %s is queued", args[0])
		}
	}
	if neg {
		ts.Check(s.Fail(ctx, j, errors.New(args[1])))
		return
	}
	ts.Check(s.Finish(ctx, j, args[1]))
}

// published publishes an empty manifest with a version.
func published(ts *testscript.TestScript, _ bool, _ []string) {
	s, ctx := ts.Value(storeKey{}).(*store.Store), context.Background()
	l, ok, err := s.Acquire(ctx, "publish", "test", time.Minute)
	if !ok {
		ts.Fatalf("somebody publishes")
	}
	ts.Check(errors.Join(err, s.PutManifest(ctx, l, store.Manifest{Version: 7, Created: time.Unix(60, 0), Data: []byte("signed")}), s.Release(ctx, l)))
}

// crawled HOST CATEGORY OUTCOME keeps a crawl that found a broken certificate and
// a problem, and took the host out of lists if it was not ok.
func crawled(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(storeKey{}).(*store.Store)
	at := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	standing := store.Standing{Crawled: [store.Modes]time.Time{at}}
	if args[2] != "ok" {
		standing.Failures, standing.Out, standing.Reason = 1, at, "no URL answers"
	}
	ts.Check(s.Settle(context.Background(), store.Settlement{
		Crawl: store.Crawl{
			Host: args[0], Category: args[1], At: at, Mode: "full", Outcome: args[2], Reason: standing.Reason,
			Method: "rsync", Took: 90 * time.Second, Holds: 5, Lacks: 1, Unknown: 2,
			Details: `{"files": {"right": 1}, "urls": [{"url": "https://de1.example.org/os", "works": false, "error": "no trust", "certificate": "for another name"}],
				"problems": [{"path": "43/a.iso", "text": "is missing"}], "dropped": 7, "leaks": ["44"]}`,
		},
		Standing: standing, Keep: 10,
	}))
}

// scanned CATEGORY DIRECTORY... keeps a tree with these directories.
func scanned(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(storeKey{}).(*store.Store)
	tree := &registry.Tree{Category: args[0], Scanned: time.Unix(60, 0)}
	for _, path := range args[1:] {
		tree.Directories = append(tree.Directories, registry.Directory{Path: path, Readable: true})
	}
	ts.Check(s.PutTree(context.Background(), tree))
}
