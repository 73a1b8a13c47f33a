package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// MirrorlistServerCommand is waypost mirrorlist-server: an edge that stands in
// for Fedora's mirrorlist-server 3.1, with the same flags, files and answers.
// It differs where that one is wrong, which the README lists, and in that it
// notices changed files (and SIGHUP) and goes on with the old data where new
// data is bad.
//
// At Fedora's size it is ready in two seconds and resident in 100 to 200 MiB;
// reading new data takes as much again for some seconds. GOMEMLIMIT, which is
// Go's own, bounds that where memory is scarce.
type MirrorlistServerCommand struct {
	Listen  string `help:"IP address to listen at." default:"127.0.0.1"`
	Port    string `help:"TCP port to listen at." default:"3000"`
	Minimum int    `short:"m" help:"With fewer mirrors than this in the client's country and on its continent, a list goes on with all others." default:"5"`

	Cache      string `short:"c" help:"MirrorManager's mirrorlist_cache." default:"/var/lib/mirrormanager/mirrorlist_cache.proto"`
	ASNs       string `name:"global_netblocks" short:"g" help:"Lines PREFIX ASN." default:"/var/lib/mirrormanager/global_netblocks.txt"`
	Continents string `name:"cccsv" help:"Lines COUNTRY,CONTINENT." default:"/var/lib/mirrormanager/country_continent.csv"`
	Countries  string `name:"geoip" help:"MaxMind DB file with countries." default:"/usr/share/GeoIP/GeoLite2-Country.mmdb"`
	Internet2  string `name:"internet2_netblocks" short:"i" help:"Ignored, as in mirrorlist-server 3.0.7 and later."`

	Log               string `short:"l" help:"Statistics log, appended to; SIGHUP opens it anew." default:"/var/log/mirrormanager/mirrorlist.log"`
	TruncateAddresses bool   `help:"Log only the /24 or /48 of clients."`
	LateLog           bool   `help:"Write the log some milliseconds after the answers, not before them."`

	Admin string `help:"ADDRESS:PORT of the pages for operators: /metrics, /readyz, /explain. Default: none." placeholder:"ADDRESS:PORT"`
}

// newLogger returns the log for people and machines: text, a line an event.
func newLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, nil))
}

// defaultPort is what a port that is no number stands for.
const defaultPort = 3000

// mirrorlistMode is what only mirrorlist-server has. nil is an edge like others.
type mirrorlistMode struct {
	enough  int // hosts for a list without those from everywhere
	lateLog bool
}

func (m *mirrorlistMode) sync() bool { return m != nil && !m.lateLog }

// minimum returns enough as [edgehttp.Config] wants it, where 0 means the
// policies' minimum. A list that would be empty is filled up in any case.
func (m *mirrorlistMode) minimum() int {
	if m == nil {
		return 0
	}
	return max(m.enough, 1)
}

// Run serves until ctx ends.
func (c *MirrorlistServerCommand) Run(ctx context.Context, out io.Writer) error {
	config, err := c.config(out)
	if err != nil {
		return err
	}
	SpareProcs()
	n, err := New(config, newLogger(os.Stderr))
	if err != nil {
		return err
	}
	return n.runAndSay(ctx, func() { fmt.Fprintf(out, "Listening on http://%s\n", n.Addresses()["http"][0]) })
}

// config returns the configuration that the flags stand for.
func (c *MirrorlistServerCommand) config(out io.Writer) (*Config, error) {
	at, err := c.address(out)
	if err != nil {
		return nil, err
	}
	config := &Config{
		Source:           SourceConfig{MirrorManager: &MirrorManagerConfig{Cache: c.Cache, Continents: c.Continents}},
		Geo:              GeoConfig{Country: []string{c.Countries}},
		ASN:              ASNConfig{File: c.ASNs},
		HTTP:             &HTTPConfig{Listen: []netip.AddrPort{at}, StatisticsLog: c.Log, TruncateAddresses: c.TruncateAddresses},
		mirrorlistServer: &mirrorlistMode{enough: c.Minimum, lateLog: c.LateLog},
	}
	if c.Admin != "" {
		admin, err := netip.ParseAddrPort(c.Admin)
		if err != nil {
			return nil, fmt.Errorf("reading --admin %q: want an address and port such as 127.0.0.1:9090", c.Admin)
		}
		config.Admin = &AdminConfig{Listen: admin}
	}
	return config, nil
}

// address returns where to listen. IPv6 addresses may stand in brackets; a port
// that is none is said to be so, and passed over.
func (c *MirrorlistServerCommand) address(out io.Writer) (netip.AddrPort, error) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(c.Listen, "["), "]"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading --listen %q: want an IP address", c.Listen)
	}
	port, err := strconv.ParseUint(c.Port, 10, 16)
	if err != nil {
		fmt.Fprintf(out, "--port %q is no TCP port; using %d\n", c.Port, defaultPort)
		port = defaultPort
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}
