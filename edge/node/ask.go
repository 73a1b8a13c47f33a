package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// askFlags are those of subcommands that ask a running edge.
type askFlags struct {
	Admin string `help:"The edge's admin listener." default:"127.0.0.1:9090"`
	JSON  bool   `help:"Print JSON."`
}

// ask asks the edge for a page, into answer, or out where JSON is wanted.
func (f *askFlags) ask(ctx context.Context, out io.Writer, method, path string, q url.Values, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+f.Admin+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the edge at --admin %s (is it running?): %w", f.Admin, err)
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
