package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// UpgradeCommand is waypost upgrade.
type UpgradeCommand struct {
	adminFlag

	Within time.Duration `help:"How long the new process may take until it answers." default:"2m"`
	Force  bool          `help:"Also where the edge looks like one that a container ends with."`

	Notes io.Writer `kong:"-"` // gets what is waited for; nil: standard error
}

// Run asks a running edge, and prints which process has taken the place of which,
// and how long that took. If ctx ends before, only the waiting ends.
func (c *UpgradeCommand) Run(ctx context.Context, out io.Writer) error {
	if c.Notes == nil {
		c.Notes = os.Stderr
	}
	fmt.Fprintf(c.Notes, "waiting until a new process of the edge at %s answers, for %s at most; Ctrl-C ends the waiting, not the upgrade\n", c.Admin, c.Within)
	began := time.Now()
	text, status, err := c.askOften(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("not waiting any more, after %s: an upgrade that has begun goes on, and the edge's log says how it ends", since(began))
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("the old process goes on, after %s: %s", since(began), strings.TrimSpace(string(text)))
	}
	var u upgraded
	if err = json.Unmarshal(text, &u); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.Admin, err)
	}
	_, err = fmt.Fprintf(out, "process %d (%s) has taken the place of %d (%s), after %s\n", u.New.PID, u.New.Version, u.Old.PID, u.Old.Version, since(began))
	return err
}

// since returns the time since t, for people.
func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Millisecond) }

// askOften asks for an upgrade, again for a second where a process answers that has
// just been upgraded.
func (c *UpgradeCommand) askOften(ctx context.Context) (text []byte, status int, err error) {
	text, status, err = c.ask(ctx)
	for range 10 {
		if err != nil || status != http.StatusServiceUnavailable {
			break
		}
		<-time.After(100 * time.Millisecond)
		text, status, err = c.ask(ctx)
	}
	return text, status, err
}

// ask asks for an upgrade.
func (c *UpgradeCommand) ask(ctx context.Context) (text []byte, status int, err error) {
	q := url.Values{"within": {c.Within.String()}}
	if c.Force {
		q.Set("force", "1")
	}
	response, err := c.send(ctx, http.MethodPost, "/upgrade", q)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return text, response.StatusCode, err
}
