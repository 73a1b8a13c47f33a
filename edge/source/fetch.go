package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// Limits of requests.
const (
	answerWithin = 30 * time.Second // from the request to all of a small answer, and from one piece of a section to the next
	slowest      = 1 << 10          // bytes a second that each of some sections must come with that are fetched at a time
	maxToken     = 4096             // bytes
)

// A SectionSource has sections of snapshots. What it returns is verified by who
// asks.
type SectionSource interface {
	Section(ctx context.Context, s *wire.Section) ([]byte, error)
}

// HTTPSections are the sections that are served below a base URL, at
// /v1/snapshot/sections/SHA256.
type HTTPSections struct {
	Base   string // without a slash at its end
	Client *http.Client
	Token  func() (string, error) // nil: none is sent
}

var _ SectionSource = HTTPSections{}

var errStalled = errors.New("nothing comes any more")

// Section returns the bytes of a section; it reads no more than it should have.
// It gives up when nothing comes for half a minute, and waits long for one that
// comes slowly: many edges may share the control plane's uplink.
func (h HTTPSections) Section(ctx context.Context, s *wire.Section) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin+time.Duration(s.Size/slowest)*time.Second)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stall := time.AfterFunc(answerWithin, func() { stop(errStalled) })
	defer stall.Stop()
	response, err := ask(ctx, h.Client, http.MethodGet, h.Base+"/v1/snapshot/sections/"+s.Hash.String(), "", h.Token)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return nil, answered(response)
	}
	b, err := io.ReadAll(io.LimitReader(&lively{response.Body, stall}, int64(s.Size)+1))
	if err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	return b, nil
}

// piece is how much of a section is read at a time: the reader of a body in
// chunks does not return before it has all it is asked for.
const piece = 4 << 10

// lively puts a timer back whenever something is read.
type lively struct {
	io.Reader

	stall *time.Timer
}

func (l *lively) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b[:min(len(b), piece)])
	l.stall.Reset(answerWithin)
	return n, err
}

// fetchManifest returns the published manifest, or no bytes if it is the one that
// came last. It waits for news if the control plane does.
func (r *Remote) fetchManifest(ctx context.Context, wait time.Duration) (news, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+answerWithin)
	defer cancel()
	response, err := r.request(ctx, http.MethodGet, wait)
	if err != nil {
		return news{}, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	switch {
	case response.StatusCode == http.StatusNotModified && r.etag != "":
		return news{}, nil
	case response.StatusCode != http.StatusOK:
		return news{}, answered(response)
	}
	b, err := io.ReadAll(io.LimitReader(response.Body, wire.MaxManifest+1))
	if err != nil {
		return news{}, fmt.Errorf("fetching the manifest: %w", err)
	}
	return news{b, response.Header.Get("ETag"), true}, nil
}

// fetchTag returns the ETag of the published manifest, "" if it cannot be asked
// for alone; it waits for news if the control plane does.
func (r *Remote) fetchTag(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longPoll+answerWithin)
	defer cancel()
	response, err := r.request(ctx, http.MethodHead, longPoll)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // there is none
	switch {
	case response.StatusCode == http.StatusNotModified && r.etag != "":
		return r.etag, nil
	case response.StatusCode == http.StatusMethodNotAllowed:
		return "", nil
	case response.StatusCode != http.StatusOK:
		return "", answered(response)
	}
	return response.Header.Get("ETag"), nil
}

// request asks for the published manifest.
func (r *Remote) request(ctx context.Context, method string, wait time.Duration) (*http.Response, error) {
	url := fmt.Sprintf("%s/v1/snapshot/manifest?wait=%s", r.config.URL, wait)
	return ask(ctx, r.client, method, url, r.etag, r.token)
}

// control is the control plane as a source of sections.
func (r *Remote) control() HTTPSections { return HTTPSections{r.config.URL, r.client, r.token} }

// token returns the token of this edge.
func (r *Remote) token() (string, error) {
	if r.config.TokenFile == "" {
		return "", nil
	}
	return ReadToken(r.config.TokenFile)
}

// ReadToken returns the token in a file: one word.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if token == "" || len(b) == maxToken || strings.ContainsFunc(token, odd) {
		return "", fmt.Errorf("reading the token: %s: want one word of less than %d ASCII characters", path, maxToken)
	}
	return token, nil
}

// ask sends one request.
func ask(ctx context.Context, client *http.Client, method, url, etag string, token func() (string, error)) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	if token != nil {
		t, err := token()
		if err != nil {
			return nil, err
		}
		if t != "" {
			request.Header.Set("Authorization", "Bearer "+t)
		}
	}
	return client.Do(request)
}

// answered says what an answer means that is not the one that was wanted.
func answered(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	url := response.Request.URL.Redacted()
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: %s: the token of this edge does not count there: %.200q", url, response.Status, line)
	case http.StatusNotFound:
		return fmt.Errorf("%s: %s: nothing is published there: %.200q", url, response.Status, line)
	}
	if to := response.Header.Get("Location"); to != "" {
		return fmt.Errorf("%s: %s: want the snapshot itself, not a redirect to %.200q", url, response.Status, to)
	}
	return fmt.Errorf("%s: %s: %.200q", url, response.Status, line)
}

// newTransport returns a transport that gives up on who does not answer.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    atOnce,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// newClient returns a client that follows no redirects: they could lead the
// token elsewhere.
func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

var errNoSnapshot = errors.New("no snapshot yet: nothing on disk, and nothing came from the control plane")

// Published asks the control plane at url once, and returns the bytes of what
// it publishes, not verified, and where its sections are. TokenFile may be "".
func Published(ctx context.Context, url, tokenFile string) ([]byte, SectionSource, error) {
	r := &Remote{config: RemoteConfig{URL: strings.TrimRight(url, "/"), TokenFile: tokenFile}, client: newClient(newTransport())}
	n, err := r.fetchManifest(ctx, 0)
	return n.manifest, r.control(), err
}
