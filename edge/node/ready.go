package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// readyWithin is how long /readyz may take to answer: it looks at memory only.
const readyWithin = 3 * time.Second

// ReadyCommand is waypost ready, which container engines and programs such as
// keepalived run where there is no curl.
type ReadyCommand struct {
	URL string `arg:"" optional:"" default:"http://127.0.0.1:9090/readyz" help:"The page to ask: of an edge's admin listener, or of a control plane."`
}

// Run prints what the page says. An answer other than 200 is an error.
func (c *ReadyCommand) Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking %s: %w", c.URL, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.URL, err)
	}
	said := strings.TrimSpace(string(text))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s: %s", response.Status, said)
	}
	_, err = fmt.Fprintln(out, said)
	return err
}
