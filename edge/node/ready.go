package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// readyWithin is how long /readyz may take to answer: it looks at memory only.
const readyWithin = 3 * time.Second

// ReadyCommand is waypost ready, which container engines and programs such as
// keepalived run where there is no curl.
type ReadyCommand struct {
	URL string `arg:"" optional:"" default:"http://127.0.0.1:9090/readyz" env:"WAYPOST_ADMIN" help:"Whom to ask: the admin listener of an edge, or a control plane, such as 127.0.0.1:9090 or https://control.example.org. Without a path, the page is /readyz. Default: ${default}."`
}

// Run prints what the page says. An answer other than 200 is an error.
func (c *ReadyCommand) Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	page, err := readyPage(c.URL)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking: %w", err) // which names the page
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", page, err)
	}
	said := strings.TrimSpace(string(text))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s: %s", response.Status, said)
	}
	_, err = fmt.Fprintln(out, said)
	return err
}

// readyPage returns the page to ask. That of a URL without a path is /readyz:
// the start page answers 200 whatever the state is.
func readyPage(text string) (string, error) {
	whole := text
	if !strings.Contains(text, "://") {
		whole = "http://" + text
	}
	u, err := url.Parse(whole)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("want HOST:PORT or a URL, got %q", text)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/readyz"
	}
	return u.String(), nil
}
