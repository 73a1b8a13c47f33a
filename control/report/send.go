package report

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/checkin"
)

const (
	firstPause = 2 * time.Second
	maxPause   = 10 * time.Minute
	maxAnswer  = 1 << 20 // bytes
)

// A trouble is why a try failed that may be made again.
type trouble struct {
	err   error
	after time.Duration // as the server said; 0: it did not
}

func (t *trouble) Error() string { return t.err.Error() }

func (t *trouble) Unwrap() error { return t.err }

// send sends the document until it is accepted or refused, and returns what the
// server said.
func (c *Command) send(ctx context.Context, d *document) (said string, err error) {
	b, err := d.body()
	if err != nil {
		return "", err
	}
	if u, bad := url.Parse(d.server); bad == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		fmt.Fprintf(c.Notes, "waypost: the secret goes unencrypted: %s is not https\n", d.server)
	}
	client := &http.Client{
		Timeout: c.Timeout,
		// a redirect would turn the POST into a GET, or carry the secret elsewhere
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	wait := firstPause
	for try := 0; ; try++ {
		c.debug("POST %s, %d bytes, try %d", d.server, len(b.data), try+1)
		said, err = once(ctx, client, d, b)
		var again *trouble
		if !errors.As(err, &again) || ctx.Err() != nil {
			return said, err
		}
		if try == c.Retries {
			return "", fmt.Errorf("%w (tried %d times)", err, try+1)
		}
		next := wait + time.Duration(rand.Int64N(int64(wait/2))) //nolint:gosec // G404: nobody gains by guessing it
		next = min(max(next, again.after), maxPause)
		fmt.Fprintf(c.Notes, "waypost: %v; next try in %v\n", err, next.Round(time.Second))
		if err := c.Pause(ctx, next); err != nil {
			return "", err
		}
		wait *= 2
	}
}

// isLoopback reports whether host is this machine.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// once makes one try.
func once(ctx context.Context, client *http.Client, d *document, b *body) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.server, bytes.NewReader(b.data))
	if err != nil {
		return "", fmt.Errorf("making the request: %w", err)
	}
	r.Header.Set("User-Agent", "waypost-report")
	for key, value := range b.header {
		r.Header.Set(key, value)
	}
	res, err := client.Do(r)
	if err != nil {
		return "", &trouble{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return "", &trouble{err: fmt.Errorf("reading the answer of %s: %w", d.server, err)}
	}
	said, ignored, good := understand(d.protocol, res.StatusCode, answer)
	switch {
	case good && len(ignored) > 0:
		return said, fmt.Errorf("%s has no word that this host carries %s: add it there, or take it out of the configuration",
			d.server, strings.Join(ignored, ", "))
	case good:
		return said, nil
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // 0 where it is none
		return "", &trouble{fmt.Errorf("%s has trouble: %s: %s", d.server, res.Status, said), time.Duration(seconds) * time.Second}
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return "", fmt.Errorf("%s sends elsewhere, to %s: if that is right, make it the server", d.server, res.Header.Get("Location"))
	}
	return "", fmt.Errorf("%s refused: %s: %s", d.server, res.Status, said)
}

// understand returns what an answer says, whether it accepts, and which
// categories it ignores; of XML-RPC nobody learns these.
func understand(protocol string, status int, answer []byte) (said string, ignored []string, good bool) {
	if protocol == protocolXMLRPC {
		text, fault := xmlText(answer)
		return text, nil, status == http.StatusOK && !fault && strings.Contains(strings.ToLower(text), "successful")
	}
	if status != http.StatusOK {
		var no checkin.Refused
		if err := json.Unmarshal(answer, &no); err != nil || no.Error == "" {
			return short(string(answer)), nil, false
		}
		return no.Error, nil, false
	}
	var yes checkin.Answer
	if err := json.Unmarshal(answer, &yes); err != nil || yes.Host == "" {
		return "this is no answer of a control plane: " + short(string(answer)), nil, false
	}
	return lines(yes), yes.Ignored, true
}

// lines says what an answer counts.
func lines(a checkin.Answer) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Categories)) {
		n := a.Categories[name]
		fmt.Fprintf(&b, "Category %s directories updated: %d  added: %d  deleted: %d  to crawl: %d  under embargo: %d  unknown: %d  files lacking: %d\n",
			name, n.Updated, n.Added, n.Deleted, n.Crawl, n.Embargoed, n.Unknown, n.Lacking)
	}
	for _, name := range a.Ignored {
		fmt.Fprintf(&b, "Category %s ignored: the registry does not say that this host carries it\n", name)
	}
	if len(a.Ignored) > 0 {
		return b.String() + "checked in, but for what is ignored"
	}
	return b.String() + "checked in successfully"
}

// xmlText returns the texts of an XML-RPC response, and whether it is a fault.
func xmlText(answer []byte) (said string, fault bool) {
	var b strings.Builder
	d := xml.NewDecoder(bytes.NewReader(answer))
	inText := false
	for {
		t, err := d.Token()
		if err != nil {
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			fault = fault || t.Name.Local == "fault"
			inText = t.Name.Local == "string" || t.Name.Local == "value"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				b.Write(t)
			}
		}
	}
	if said = strings.TrimSpace(b.String()); said == "" {
		said = short(string(answer))
	}
	return said, fault
}

// short returns the beginning of what a server said that may be anything.
func short(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
