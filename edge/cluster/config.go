package cluster

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/geo"
)

// A Config is how an edge takes part in a cluster. A field that is zero has its
// default.
type Config struct {
	// Listen is a unicast address of this edge alone, and a port, over UDP and
	// TCP; never an anycast address, and reached by the other edges only.
	// Required.
	Listen netip.AddrPort `yaml:"listen"`

	// Advertise is the address and port by which the others reach this edge.
	// Default: listen.
	Advertise netip.AddrPort `yaml:"advertise"`

	// Join are other edges, as addresses or names, with a port where it is not
	// that of listen, and of its family. Names are resolved again and again, and
	// all their addresses are tried. Some that are up suffice; this edge may be among
	// them. Default: none, the edge is a cluster of its own until others join it.
	Join []string `yaml:"join"`

	// KeyFiles have keys, one a line: 16, 24 or 32 bytes in base64, for AES. The
	// first key of the first file encrypts, all are accepted; the files are
	// read again when they change. Required, unless listen is on loopback.
	KeyFiles []string `yaml:"key_files"`

	// Share is an address and port, over TCP, at which the other edges get
	// snapshots of a control plane from this one. They connect to the address of
	// advertise and this port, and prove that they have a key of KeyFiles.
	// Without keys nothing is shared. Default: the address of listen, and a port
	// that is ten higher.
	Share netip.AddrPort `yaml:"share"`

	// Region is where the edge stands, in words of the operator, such as
	// eu-west. A host is probed from different regions where there are any.
	Region string `yaml:"region"`

	// Country is where the edge stands, as an ISO 3166 code.
	Country string `yaml:"country"`

	// Location is where the edge stands, in degrees: lat and lon. It matters
	// where RoundTrips is true on some edge. Default: the middle of country.
	Location *Location `yaml:"location"`

	// RoundTrips has policies with order: nearest go by the round-trip times to
	// mirrors that the edges measure, and not only by coordinates: a host further
	// away than the edge nearest to the client is as far as the way over this edge
	// is long. Default: false.
	RoundTrips bool `yaml:"round_trips"`

	// Label keeps clusters apart that should not meet: all edges have the same.
	// Default: waypost.
	Label string `yaml:"label"`

	// Timings are wan or lan: how long the others may take to answer before they
	// count as gone, and how often two edges compare all they know. Default: wan.
	Timings string `yaml:"timings"`
}

// Location is a place in degrees; both keys are required.
type Location struct {
	Lat *float64 `yaml:"lat"` // -90 (south) to 90
	Lon *float64 `yaml:"lon"` // -180 (west) to 180
}

// point returns the place; the error says what is wrong with it.
func (l *Location) point() (geo.Point, error) {
	if l.Lat == nil || l.Lon == nil {
		return geo.Point{}, errors.New("want both lat and lon, in degrees")
	}
	return geo.NewPoint(*l.Lat, *l.Lon)
}

// cell returns the cell of the place; 0: unknown.
func (l *Location) cell() uint32 {
	if l == nil {
		return 0
	}
	at, err := l.point()
	if err != nil {
		return 0 // it was checked
	}
	return geo.Cell(at)
}

// WithDefaults returns c with defaults for what is zero.
func (c Config) WithDefaults() Config {
	if !c.Advertise.IsValid() {
		c.Advertise = c.Listen
	}
	if !c.Share.IsValid() {
		c.Share = netip.AddrPortFrom(c.Listen.Addr(), above(c.Listen.Port()))
	}
	if c.Label == "" {
		c.Label = "waypost"
	}
	if c.Timings == "" {
		c.Timings = "wan"
	}
	return c
}

// above returns the port at which an edge shares that gossips at another; 0 for 0,
// in tests.
func above(port uint16) uint16 {
	const by = 10
	switch {
	case port == 0:
		return 0
	case port > 65535-by:
		return port - by
	}
	return port + by
}

// Validate returns all that is wrong with c, naming the keys; nil if nothing is.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var problems []error
	want := func(ok bool, key, text string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(key+": "+text, args...))
		}
	}
	at := c.Listen.Addr()
	want(c.Listen.IsValid() && !at.IsMulticast(), "listen", "want a unicast address and port such as 10.0.0.1:7946")
	want(!at.IsUnspecified() || c.Advertise.IsValid() && c.Advertise != c.Listen, "advertise",
		"want the address by which others reach this edge, since listen names none")
	want(c.Advertise == c.Listen || !c.Advertise.Addr().IsUnspecified() && !c.Advertise.Addr().IsMulticast(), "advertise",
		"want a unicast address and port")
	want(c.Listen.Port() == 0 || c.Share.Port() != 0 && c.Share != c.Listen, "share",
		"want an address and a port that is not that of listen, such as 10.0.0.1:7956")
	for i, where := range c.Join {
		host, _, err := splitJoin(where, c.Listen.Port())
		key := fmt.Sprintf("join[%d]", i)
		want(err == nil, key, "want an address or a name, and a port if need be, got %q", where)
		if a, bad := netip.ParseAddr(host); bad == nil {
			want(c.reaches(a), key, "want an address of the family of listen (%s), got %q", at, where)
		}
	}
	want(len(c.KeyFiles) > 0 || at.IsLoopback(), "key_files", "want a file with a key, as waypost cluster keys generate prints it")
	if _, err := ReadKeys(c.KeyFiles); err != nil {
		want(false, "key_files", "%v", err)
	}
	want(len(c.Region) <= maxRegion, "region", "want at most %d bytes", maxRegion)
	if c.Country != "" {
		_, err := geo.ParseCountry(c.Country)
		want(err == nil, "country", "%v", err)
	}
	if c.Location != nil {
		_, err := c.Location.point()
		want(err == nil, "location", "%v", err)
	}
	want(len(c.Label) <= memberlist.LabelMaxSize, "label", "want at most %d bytes", memberlist.LabelMaxSize)
	want(c.Timings == "wan" || c.Timings == "lan", "timings", "want wan or lan, got %q", c.Timings)
	return errors.Join(problems...)
}

// Paths returns where the names of files are; c may be nil.
func (c *Config) Paths() (paths []*string) {
	if c == nil {
		return nil
	}
	for i := range c.KeyFiles {
		paths = append(paths, &c.KeyFiles[i])
	}
	return paths
}

// reaches reports whether an edge that listens where c says can reach an address,
// as far as their families go.
func (c *Config) reaches(a netip.Addr) bool {
	at := c.Listen.Addr().Unmap()
	return at.IsUnspecified() || at.Is4() == a.Unmap().Is4()
}

// splitJoin splits what names an edge to join into host and port.
func splitJoin(where string, port uint16) (host string, _ uint16, err error) {
	if a, bad := netip.ParseAddr(where); bad == nil {
		return a.String(), port, nil
	}
	host, text, err := net.SplitHostPort(where)
	if err != nil {
		text = strconv.Itoa(int(port))
		if host, _, err = net.SplitHostPort(where + ":1"); err != nil { // it takes the brackets off
			return "", 0, err
		}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err == nil && (host == "" || n == 0) {
		err = errors.New("want a name or an address, and a port above 0")
	}
	return host, uint16(n), err
}

// memberlist returns the settings of the library, without its parts.
func (c *Config) memberlist() *memberlist.Config {
	m, lan := memberlist.DefaultWANConfig(), memberlist.DefaultLANConfig()
	if c.Timings == "lan" {
		m = lan
	}
	// News is told as often over any distance: every half second, as the library
	// has it, the last of 1,000 edges would hear of a dead mirror after 15 s.
	m.GossipInterval, m.GossipNodes = lan.GossipInterval, lan.GossipNodes
	m.TCPTimeout, m.RetransmitMult = joinTimeout, retransmit
	m.BindAddr, m.BindPort = c.Listen.Addr().String(), int(c.Listen.Port())
	m.AdvertiseAddr, m.AdvertisePort = c.Advertise.Addr().String(), int(c.Advertise.Port())
	m.Label = c.Label
	m.DeadNodeReclaimTime = reclaim
	m.RequireNodeNames = false
	// Edges of all formats are members of one cluster: see [Cluster.voters].
	m.DelegateProtocolVersion, m.DelegateProtocolMin, m.DelegateProtocolMax = vote.Format, 1, math.MaxUint8
	return m
}
