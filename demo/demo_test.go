package demo_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waypost/waypost/demo"
)

var quoted = regexp.MustCompile(`^curl -[a-zA-Z]+ '([^']+)'`)

// TestDemo fetches what the demo's curl lines name from both halves, as far as
// it is on this machine, and looks that nothing is left behind.
func TestDemo(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	any := netip.MustParseAddrPort("127.0.0.1:0")
	c := demo.Command{HTTP: any, DNS: any, Admin: any, Control: any}
	over := make(chan error, 1)
	go func() {
		err := c.Run(ctx, write)
		_ = write.CloseWithError(io.EOF)
		over <- err
	}()
	wants := map[string]string{
		"/pub/demo/releases/1/hello.txt":                   "Hello. This file came from a mirror",
		"/pub/demo/releases/1/demo.iso?mirrorlist":         `"name": "here/here-us"`,
		"/metalink?repo=demo-1":                            `<hash type="sha256">`,
		"/mirrorlist?repo=fedora-44":                       "# repo = fedora-44 arch = x86_64 country = BR",
		"/v1/exports/text":                                 "here/here-de",
		"/explain?":                                        "DE (141.30.0.0/15",
		"/pub/linux/kernel/?mirrorlist&json&ip=130.56.1.1": `"country": "AU"`,
	}
	lines := bufio.NewScanner(read)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Ctrl-C") {
		m := quoted.FindStringSubmatch(lines.Text())
		for what, want := range wants {
			if m != nil && strings.Contains(m[1], what) {
				delete(wants, what)
				if got := get(t, m[1]); !strings.Contains(got, want) {
					t.Errorf("%s: want %s in\n%s", m[1], want, got)
				}
			}
		}
	}
	for what := range wants {
		t.Errorf("no command with %s is printed", what)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(temporary, "waypost-demo-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
