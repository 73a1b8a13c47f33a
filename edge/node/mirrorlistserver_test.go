package node_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waypost/waypost/edge/node"
	"github.com/waypost/waypost/geo/bundled"
)

// message appends fields in turn: a number, then what it holds.
func message(fields ...any) (b []byte) {
	for i := 0; i < len(fields); i += 2 {
		n := protowire.Number(fields[i].(int))
		switch v := fields[i+1].(type) {
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
		}
	}
	return b
}

// mirrorlistFiles writes the files of a mirrorlist-server with one mirror, and
// returns the flags that name them.
func mirrorlistFiles(t *testing.T, dir string) []string {
	t.Helper()
	cache := message(
		1, 1_753_776_000,
		4, message(1, 11, 2, "https://mirror.example.org/fedora"),
		9, message(1, "fedora-43+x86_64", 2, "pub/fedora/os"),
		12, message(1, 7, 2, "DE"),
		13, message(1, 7, 2, 100),
		16, message(1, "pub/fedora/os", 2, 7, 3, "os", 4, message(1, "DE", 2, 7), 6, message(1, 7, 2, 11)),
	)
	country, err := bundled.Country()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cache.pb"), string(cache))
	write(t, filepath.Join(dir, "country.mmdb"), string(country))
	write(t, filepath.Join(dir, "asn.txt"), "192.0.2.0/24 64500\n")
	write(t, filepath.Join(dir, "continents.csv"), "DE,EU\nFR,EU\n")
	return []string{
		"-c", filepath.Join(dir, "cache.pb"), "--geoip", filepath.Join(dir, "country.mmdb"), "-g", filepath.Join(dir, "asn.txt"),
		"--cccsv", filepath.Join(dir, "continents.csv"), "-l", filepath.Join(dir, "mirrorlist.log"),
	}
}

func parseMirrorlist(t *testing.T, flags ...string) *node.MirrorlistServerCommand {
	t.Helper()
	c := &node.MirrorlistServerCommand{}
	k, err := kong.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = k.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMirrorlistServer starts one as Fedora does, asks it, and rotates its log.
func TestMirrorlistServer(t *testing.T) {
	dir := t.TempDir()
	c := parseMirrorlist(t, append(mirrorlistFiles(t, dir), "--port", "1", "--port", "0", "-m", "9", "-i", "any")...)
	ctx, stop := context.WithCancel(t.Context())
	said, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, out) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "Listening on http://127.0.0.1:") {
		t.Fatalf("said %q (%v)", line, err)
	}
	base := strings.TrimSpace(strings.TrimPrefix(line, "Listening on "))
	ask := func() {
		want := "# repo = fedora-43 arch = x86_64 country = DE country = global \nhttps://mirror.example.org/fedora/os/\n"
		if got := fetch(t, base+"/mirrorlist?repo=fedora-43&arch=x86_64&ip=141.30.1.1"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	ask()
	logged := regexp.MustCompile(`^IP: 141\.30\.1\.1; DATE: \d{4}-\d\d-\d\d; COUNTRY: DE; REPO: fedora-43; ARCH: x86_64\n$`)
	log := filepath.Join(dir, "mirrorlist.log")
	if b, err := os.ReadFile(log); err != nil || !logged.Match(b) {
		t.Errorf("logged %q (%v)", b, err)
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		if _, err := os.Stat(log); err == nil {
			break
		} else if !errors.Is(err, os.ErrNotExist) || time.Now().After(end) {
			t.Fatal("no new log after SIGHUP: ", err)
		}
	}
	ask()
	if b, err := os.ReadFile(log); err != nil || !logged.Match(b) {
		t.Errorf("logged after rotation %q (%v)", b, err)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMirrorlistServerFlags asks that what cannot work is said, and that a port
// that is none is passed over, as Fedora's does.
func TestMirrorlistServerFlags(t *testing.T) {
	files := mirrorlistFiles(t, t.TempDir())
	tests := []struct {
		name  string
		flags []string
		said  string // on standard output
		want  string // of the error
	}{
		{"listen", []string{"--listen", "localhost"}, "", `--listen "localhost": want an IP address`},
		{"admin", []string{"--admin", "9090"}, "", `--admin "9090": want an address and port`},
		{"log", []string{"-l", "/none/log"}, "", "opening statistics log: open /none/log"},
		{"cache", []string{"-c", "/none/cache"}, "", "open /none/cache"},
		{"cache that is none", []string{"-c", files[7]}, "", files[7]},
		{"netblocks", []string{"-g", "/none/asn"}, "", "open /none/asn"},
		{"continents", []string{"--cccsv", "/none/csv"}, "", "open /none/csv"},
		{"country", []string{"--geoip", "/none/mmdb"}, "", "open /none/mmdb"},
		{"port", []string{"--port", "x", "-c", "/none/cache"}, "--port \"x\" is no TCP port; using 3000\n", "open /none/cache"},
		{"brackets", []string{"--listen", "[2001:db8::1]", "--port", "0"}, "", "[2001:db8::1]:0"},
		{"no brackets", []string{"--listen", "2001:db8::1", "--port", "0"}, "", "[2001:db8::1]:0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := parseMirrorlist(t, append(append([]string{}, files...), test.flags...)...)
			var out strings.Builder
			err := c.Run(t.Context(), &out)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if out.String() != test.said {
				t.Errorf("said %q, want %q", out.String(), test.said)
			}
		})
	}
}
