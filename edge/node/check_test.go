package node_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/node"
)

// TestCheckAsksControl: a snapshot on disk does not hide that nothing new will
// come.
func TestCheckAsksControl(t *testing.T) {
	dir := t.TempDir()
	c, _, text := controlled(t, dir)
	c.publish(t, time.Now().Add(-time.Hour), "a")
	config := filepath.Join(dir, "edge.yaml")
	write(t, config, text)
	check := func() (string, error) {
		var said strings.Builder
		err := (&node.CheckCommand{Config: config}).Run(&said)
		return said.String(), err
	}
	write(t, filepath.Join(dir, "token"), "wrong")
	if _, err := check(); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("with nothing on disk: %v", err)
	}
	write(t, filepath.Join(dir, "token"), "t0ken")
	if said, err := check(); err != nil || strings.Contains(said, "warning") {
		t.Errorf("all is well: %v\n%s", err, said)
	}
	write(t, filepath.Join(dir, "token"), "wrong")
	if said, err := check(); err != nil || !strings.Contains(said, "warning: what was on disk") || !strings.Contains(said, "403") {
		t.Errorf("a wrong token: %v\n%s", err, said)
	}
	write(t, filepath.Join(dir, "token"), "t0ken")
	write(t, config, away.ReplaceAllString(text, `url: "http://127.0.0.1:1"`))
	if said, err := check(); err != nil || !strings.Contains(said, "warning: what was on disk") || !strings.Contains(said, "refused") {
		t.Errorf("control is away: %v\n%s", err, said)
	}
}

var away = regexp.MustCompile(`url: "[^"]*"`)
