package node_test

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/waypost/waypost/edge/node"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// snapshotCommand runs waypost snapshot with arguments.
func snapshotCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var c node.SnapshotCommand
	var out strings.Builder
	k, err := kong.New(&c, kong.BindTo(t.Context(), (*context.Context)(nil)), kong.BindTo(&out, (*io.Writer)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := k.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	err = parsed.Run()
	return out.String(), err
}

// inspectControl looks at what a control plane publishes and at what an edge
// in dir has kept of it.
func inspectControl(t *testing.T, url, dir string) {
	t.Helper()
	token := "--token-file=" + filepath.Join(dir, "token")
	folder := filepath.Join(dir, "data", "snapshots")
	for _, where := range []string{url, folder, filepath.Join(folder, "manifest")} {
		text, err := snapshotCommand(t, "inspect", "--check", "--sections", token, where)
		if err != nil {
			t.Errorf("inspect %s: %v", where, err)
		}
		for _, want := range []string{"version", "not verified without --key", "all are there and good", "availability two.test", "directories   1         2"} {
			if !strings.Contains(text, want) {
				t.Errorf("inspect %s: no %q in\n%s", where, want, text)
			}
		}
	}
	if text, err := snapshotCommand(t, "diff", token, url, folder); err != nil || !strings.HasSuffix(text, "\nno difference\n") {
		t.Errorf("diff: %v\n%s", err, text)
	}
	if _, err := snapshotCommand(t, "inspect", url); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("without a token: %v", err)
	}
}

// folder writes what a control plane publishes into a folder, as an edge
// keeps it.
func (c *control) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	store, err := wire.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range c.sections {
		h, bad := wire.ParseHash(name)
		if bad != nil {
			t.Fatal(bad)
		}
		if err = store.Put(h, b); err != nil {
			t.Fatal(err)
		}
	}
	if err = store.Commit(c.manifest); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSnapshotCommand(t *testing.T) {
	c, _, _ := controlled(t, t.TempDir())
	c.publish(t, time.Time{}, "one.test", "two.test")
	old := c.folder(t)
	c.publish(t, time.Unix(2_000_000_000, 0), "two.test", "three.test")
	now := c.folder(t)
	key := "--key=" + publicKey(c)

	text, err := snapshotCommand(t, "diff", key, old, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+ host three.test", "- host one.test", "~ embargo pub/os/44"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	text, err = snapshotCommand(t, "diff", "--json", old, now)
	if d := (struct {
		Added []string `json:"hosts_added"`
	}{}); err != nil || json.Unmarshal([]byte(text), &d) != nil || len(d.Added) != 1 {
		t.Errorf("diff --json: %v\n%s", err, text)
	}
	text, err = snapshotCommand(t, "inspect", "--json", key, now)
	x := struct {
		Verified bool     `json:"verified"`
		SignedBy []string `json:"signed_by"`
	}{}
	if err != nil || json.Unmarshal([]byte(text), &x) != nil || !x.Verified || len(x.SignedBy) != 1 {
		t.Errorf("inspect --json: %v\n%s", err, text)
	}
	for name, args := range map[string][]string{
		"want a public key": {"inspect", "--key=abc", now}, "signed by the key": {"inspect", "--key=" + strings.Repeat("A", 43) + "=", now},
		"no such file": {"inspect", filepath.Join(now, "missing")}, "want a folder with a manifest": {"inspect", t.TempDir()},
	} {
		if _, err := snapshotCommand(t, args...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: got %v, want %s", args, err, name)
		}
	}
}
