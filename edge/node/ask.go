package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// adminFlag names the running edge that a subcommand asks.
type adminFlag struct {
	Admin string `help:"The running edge's admin listener, HOST:PORT." default:"127.0.0.1:9090" env:"WAYPOST_ADMIN"`
}

// send asks the edge for a page.
func (f *adminFlag) send(ctx context.Context, method, path string, q url.Values) (*http.Response, error) {
	at := strings.TrimSuffix(strings.TrimPrefix(f.Admin, "http://"), "/")
	if _, _, err := net.SplitHostPort(at); err != nil {
		return nil, fmt.Errorf("--admin or WAYPOST_ADMIN: want HOST:PORT, got %q", f.Admin)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+at+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Host = "localhost" // the edge may not know itself by the name that leads there
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the edge at --admin %s (is it running?): %w", at, err)
	}
	return response, nil
}

// askFlags are those of subcommands that ask a running edge.
type askFlags struct {
	adminFlag

	JSON bool `help:"Print JSON."`
}

// ask asks the edge for a page, into answer, or out where JSON is wanted.
func (f *askFlags) ask(ctx context.Context, out io.Writer, method, path string, q url.Values, answer any) error {
	response, err := f.send(ctx, method, path, q)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	part, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case err != nil:
		return err
	case response.StatusCode == http.StatusNotFound && strings.HasPrefix(string(text), "404"): // there is no such page
		return fmt.Errorf("the edge at %s has no %s section in its configuration", f.Admin, part)
	case response.StatusCode != http.StatusOK:
		return errors.New(strings.TrimSpace(string(text)))
	case f.JSON:
		_, err = out.Write(text)
		return err
	}
	if err = json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", f.Admin, err)
	}
	return nil
}
