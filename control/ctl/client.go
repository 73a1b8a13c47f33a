package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// Limits of what the client takes.
const (
	askFor    = 2 * time.Minute // one request and its answer
	maxToken  = 4096            // bytes
	maxAnswer = 256 << 20       // bytes
)

// A client asks the API.
type client struct {
	base  string
	token string
	http  *http.Client
}

// newClient returns a client. It follows no redirects, which could lead the
// token elsewhere.
func newClient(base, tokenFile string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("--url: want a URL such as https://control.example.org, got %q", base)
	}
	if tokenFile == "" {
		return nil, errors.New("want a token: name its file by --token-file or WAYPOST_TOKEN_FILE")
	}
	token, err := readWord(tokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	return &client{strings.TrimRight(base, "/"), token, &http.Client{
		Timeout:       askFor,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// read returns the first bytes of a file; "-" is the standard input.
func read(path string, most int64) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the user names the file
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	return io.ReadAll(io.LimitReader(in, most))
}

// readWord returns the one word in a file; "-" is the standard input.
func readWord(path string) (string, error) {
	b, err := read(path, maxToken)
	if err != nil {
		return "", err
	}
	word := strings.TrimSpace(string(b))
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if word == "" || len(b) == maxToken || strings.ContainsFunc(word, odd) {
		return "", fmt.Errorf("%s: want one word of less than %d ASCII characters", path, maxToken)
	}
	return word, nil
}

// An answer is what the API said.
type answer struct {
	status int
	etag   string
	body   []byte
}

// refused is an error that the API answered with.
type refused struct {
	web.Failure

	status int
}

// Error returns the server's words, with a line for each problem.
func (r refused) Error() string {
	if len(r.Problems) < 2 {
		return r.Failure.Error
	}
	var b strings.Builder
	b.WriteString(r.Failure.Error)
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "\n  %s", strings.TrimPrefix(p.Key+": "+p.Text, ": "))
	}
	return b.String()
}

// ask sends a request with a document, nil for none, and headers NAME, VALUE.
func (c *client) ask(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, fmt.Errorf("encoding a request: %w", err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, fmt.Errorf("asking the control plane: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("reading the control plane's answer: %w", err)
	}
	a := answer{response.StatusCode, response.Header.Get("ETag"), text}
	if a.status >= http.StatusMultipleChoices {
		return a, refusal(response, text)
	}
	return a, nil
}

// refusal returns the error of an answer that is not good.
func refusal(response *http.Response, text []byte) error {
	no := refused{status: response.StatusCode}
	if err := json.Unmarshal(text, &no.Failure); err != nil || no.Failure.Error == "" {
		line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		return fmt.Errorf("%s answered %s: %.200s; is it a control plane?", response.Request.URL.Redacted(), response.Status, line)
	}
	return no
}

// into asks and decodes the answer.
func (c *client) into(ctx context.Context, method, path string, body, v any) (answer, error) {
	a, err := c.ask(ctx, method, path, body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return a, fmt.Errorf("reading the control plane's answer: %w", err)
	}
	return a, nil
}

// pathOf returns the path of an object.
func pathOf(kind registry.Kind, key string) string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/v1/" + string(kind) + "/" + strings.Join(parts, "/")
}

// query returns a path with parameters, NAME and VALUE in turn, those that are not empty.
func query(path string, parameters ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			values.Set(parameters[i], parameters[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
