package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/waypost/waypost/configs/demo"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/health/probe"
)

// DemoCommand is waypost demo.
type DemoCommand struct {
	HTTP  netip.AddrPort `help:"Where to answer HTTP." default:"127.0.0.1:8080"`
	DNS   netip.AddrPort `help:"Where to answer DNS, over UDP and TCP." default:"127.0.0.1:5300"`
	Admin netip.AddrPort `help:"Where the pages for operators are." default:"127.0.0.1:9090"`
	Dir   string         `help:"Keep the catalogue here, to look at and to change while the demo runs. Default: a new temporary folder, removed at the end." type:"path"`
	Probe bool           `help:"Probe the mirrors. They are real ones, so this needs the Internet."`
}

// newLogger returns the log for people and machines: text, a line an event.
func newLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, nil))
}

// Run runs the command until ctx ends.
func (c *DemoCommand) Run(ctx context.Context, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	dir, err := c.folder()
	if err != nil {
		return err
	}
	if c.Dir == "" {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	}
	catalog := filepath.Join(dir, "catalog.yaml")
	if _, err = os.Stat(catalog); err != nil {
		if err = os.WriteFile(catalog, []byte(demo.Catalog), 0o600); err != nil {
			return err
		}
	}
	n, err := New(c.config(catalog), newLogger(os.Stderr))
	if err != nil {
		return err
	}
	return n.runAndSay(ctx, func() { c.greet(out, catalog) })
}

func (c *DemoCommand) folder() (string, error) {
	if c.Dir == "" {
		return os.MkdirTemp("", "waypost-demo-")
	}
	return c.Dir, os.MkdirAll(c.Dir, 0o750)
}

// config is the configuration of the demo. configs/edge.yaml says the same and
// more, with comments.
func (c *DemoCommand) config(catalog string) *Config {
	config := &Config{
		Name:   "demo",
		Source: SourceConfig{Catalog: catalog},
		HTTP: &HTTPConfig{
			Listen:         []netip.AddrPort{c.HTTP},
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		},
		DNS: &DNSConfig{
			Listen: []netip.AddrPort{c.DNS},
			Zones: []zone.Config{{
				Name:    "m.test",
				NS:      map[string][]netip.Addr{"ns1.m.test": {c.DNS.Addr()}},
				Records: `hello 3600 IN TXT "static records live beside tailored ones"`,
				Mirrors: []zone.Mirror{
					{Name: "linux", Path: "pub/linux/kernel", Answer: "cname"},
					{Name: "fedora", Path: "pub/fedora/linux", Answer: "cname"},
				},
			}},
		},
		Admin: &AdminConfig{Listen: c.Admin},
	}
	if c.Probe {
		config.Health = &probe.Config{}
	}
	return config
}

// greet prints commands to paste, with what their answers mean.
func (c *DemoCommand) greet(out io.Writer, catalog string) {
	dig := fmt.Sprintf("dig @%s -p %d", c.DNS.Addr(), c.DNS.Port())
	fmt.Fprintf(out, `
Waypost is running. Its catalogue has real mirrors of Linux and Fedora:
  %[4]s
Change that file and see the answers change within two seconds. Now paste:

# A client in Germany is sent to a mirror there.
curl -sI 'http://%[1]s/pub/fedora/linux/releases/?ip=141.30.1.1'

# The kernel has few mirrors: the nearest one wins. A client in Japan; the Link headers
# name the next best, and the file's hash is known.
curl -sI 'http://%[1]s/pub/linux/kernel/v6.x/linux-6.12.tar.xz?ip=133.11.0.1'

# The list that dnf asks for: the client's country first (Brazil), then its continent.
curl -s 'http://%[1]s/mirrorlist?repo=fedora-44&arch=x86_64&ip=200.17.202.1'

# Which mirrors, which not, and why: for people in a browser, or as JSON.
curl -s 'http://%[1]s/pub/linux/kernel/?mirrorlist&json&ip=130.56.1.1'

# The same choice by DNS. The resolver passes on the client's subnet (ECS); the
# scope behind it says for which prefix the answer holds.
%[2]s linux.m.test +subnet=141.30.1.0/24
%[2]s fedora.m.test +subnet=2001:200::/32

# Why this client gets these mirrors; metrics for Prometheus.
curl -s 'http://%[3]s/explain?ip=141.30.1.1&path=pub/linux/kernel'
curl -s 'http://%[3]s/metrics' | grep ^waypost_

Ctrl-C ends it.
`, c.HTTP, dig, c.Admin, catalog)
}
