package node

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/cluster"
	edgedns "github.com/waypost/waypost/edge/dns"
	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/health/probe"
	"github.com/waypost/waypost/edge/snapshot/strict"
	"github.com/waypost/waypost/edge/source"
	"github.com/waypost/waypost/netblock/bgp"
)

// File is a configuration file.
type File struct {
	// Edge is the half that answers clients.
	Edge *Config `yaml:"edge"`

	// Control is the half that knows the mirrors; control/service reads it.
	Control strict.Skip `yaml:"control"`
}

// Config is the configuration of one edge. Relative paths are relative to the
// file that names them.
type Config struct {
	// Name is how the edge calls itself: NSID and id.server in DNS, and its name
	// in a cluster, where no other edge has it. Default: the name of the machine.
	Name string `yaml:"name"`

	// DataDir is where the edge keeps what it must not lose: the last published
	// snapshot, tables that came by BGP. Required with source.control and asn.bgp.
	DataDir string `yaml:"data_dir"`

	// Source is where mirrors and their content come from. Required.
	Source SourceConfig `yaml:"source"`

	// Geo is where clients are.
	Geo GeoConfig `yaml:"geo"`

	// ASN is which AS clients are in.
	ASN ASNConfig `yaml:"asn"`

	// HTTP is the HTTP side. Without it, the edge does not speak HTTP.
	HTTP *HTTPConfig `yaml:"http"`

	// DNS is the DNS side. Without it, the edge does not speak DNS.
	DNS *DNSConfig `yaml:"dns"`

	// Health makes the edge probe mirrors. Without it all mirrors count as up.
	Health *probe.Config `yaml:"health"`

	// Statistics are counts of answers, for the control plane. With
	// source.control, they are on by default.
	Statistics StatisticsConfig `yaml:"statistics"`

	// Anycast announces service prefixes by BGP while the edge answers. Without
	// it nothing is announced.
	Anycast *anycast.Config `yaml:"anycast"`

	// Cluster has edges tell one another what they see of mirrors, and decide
	// together. Without it the edge decides by its own probes. Without Health it has
	// no vote.
	Cluster *cluster.Config `yaml:"cluster"`

	// Admin is the listener for operators. Without it there is none.
	Admin *AdminConfig `yaml:"admin"`

	// Stop is how the edge ends when it is told to.
	Stop StopConfig `yaml:"stop"`

	// Process is how the edge gets sockets of the process before, and hands them
	// to the next one. Nil: it does not.
	Process *handover.Process `yaml:"-"`

	// mirrorlistServer is set by [MirrorlistServerCommand] only.
	mirrorlistServer *mirrorlistMode
}

// SourceConfig has exactly one of its keys.
type SourceConfig struct {
	// Catalog is a catalogue file.
	Catalog string `yaml:"catalog"`

	// MirrorManager is what MirrorManager's generate-mirrorlist-cache writes.
	MirrorManager *MirrorManagerConfig `yaml:"mirrormanager"`

	// Control is a control plane that publishes snapshots.
	Control *ControlConfig `yaml:"control"`
}

// ControlConfig says which control plane an edge follows.
type ControlConfig struct {
	// URL is the control plane's, such as https://control.example.org. Over
	// plain http the token and the URLs of private mirrors can be read by
	// whoever is in between. Required.
	URL string `yaml:"url"`

	// TokenFile has the token of this edge, one word. It is read for each
	// request. Required.
	TokenFile string `yaml:"token_file"`

	// PublicKeys are those whose signature of a snapshot counts, in base64 as
	// the control plane prints them. While keys change, the list has the old
	// one and the new one. Required.
	PublicKeys []string `yaml:"public_keys"`
}

// MirrorManagerConfig names MirrorManager's files.
type MirrorManagerConfig struct {
	// Cache is the mirrorlist_cache, a protobuf file. Required.
	Cache string `yaml:"cache"`

	// Continents is country_continent.csv. Default: the bundled table.
	Continents string `yaml:"continents"`
}

// GeoConfig names MaxMind DB files, in the layout of GeoIP2 or of
// ip-location-db. Several files of one kind, such as one for each address
// family, are written as a list.
type GeoConfig struct {
	// Country has the country of each network. Default: the bundled database.
	Country []string `yaml:"country"`

	// City has coordinates. It matters where a policy says order: nearest.
	// Default: a client stands in the middle of its country.
	City []string `yaml:"city"`
}

// ASNConfig says how a client's prefix leads to its origin AS.
type ASNConfig struct {
	// File has lines "PREFIX ASN", plain or packed by gzip, bzip2 or zstd.
	File string `yaml:"file"`

	// MRT are tables that route collectors dump, such as those of RIPE RIS and
	// RouteViews (RFC 6396, TABLE_DUMP_V2), plain or packed by gzip, bzip2 or
	// zstd. Of a prefix that several files have, the first one counts, and File
	// before them.
	MRT []string `yaml:"mrt"`

	// Database are MaxMind DB files with AS numbers, which count last.
	Database []string `yaml:"database"`

	// BGP learns it from routers. Of a prefix that both have, what came by BGP
	// counts. Default: no sessions. Needs data_dir.
	BGP *bgp.Config `yaml:"bgp"`

	// BMP learns it from routers that send what they monitor (RFC 7854). It
	// counts before files and after BGP.
	BMP *bgp.MonitorConfig `yaml:"bmp"`
}

// HTTPConfig is the configuration of the HTTP side.
type HTTPConfig struct {
	// Listen are the addresses and ports to listen at, over TCP. Required.
	Listen []netip.AddrPort `yaml:"listen"`

	// TrustedProxies are the peers whose X-Forwarded-For, X-Forwarded-Proto
	// and ip= count. Default: none.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	// StatisticsLog is a file to which a line for each list by repository is
	// appended, as MirrorManager's statistics read it. Default: none.
	StatisticsLog string `yaml:"statistics_log"`

	// TruncateAddresses writes only the /24 or /48 of clients to that log.
	TruncateAddresses bool `yaml:"truncate_addresses"`
}

// DNSConfig is the configuration of the DNS side.
type DNSConfig struct {
	// Listen are the addresses and ports to listen at, over UDP and TCP. Required.
	Listen []netip.AddrPort `yaml:"listen"`

	// CookieSecretFile has the secrets of DNS cookies (RFC 7873), a line of 32
	// hexadecimal digits each: the first one makes cookies, all are accepted.
	// All edges of an anycast group share it. It is read at the start. Default: a
	// random one.
	CookieSecretFile string `yaml:"cookie_secret_file"`

	// MaxNoCookie is how large, in bytes, a UDP answer to a client without a
	// valid cookie may be; a larger one is truncated, and the client comes
	// back over TCP. Default: 0, no such limit.
	MaxNoCookie int `yaml:"max_nocookie"`

	// Zones are the zones the edge is authoritative for. Required.
	Zones []zone.Config `yaml:"zones"`
}

// StopConfig says how an edge ends at SIGTERM. It never applies to upgrades.
type StopConfig struct {
	// After is how long it goes on answering with /readyz saying no, for load
	// balancers that ask there; connections of HTTP end with the next answer.
	// With anycast, drain.wait takes its place. Default: 0, none.
	After time.Duration `yaml:"after"`

	// Within is how long the draining of anycast prefixes may take, at least
	// drain.wait: then the edge ends, and the speaker withdraws them. Default:
	// 30s more than drain.wait. Without anycast an edge ends some seconds after
	// After.
	Within time.Duration `yaml:"within"`
}

func (c *Config) checkStop(doc *strict.Doc) {
	s := &c.Stop
	wait := s.After
	if c.Anycast != nil {
		wait = c.Anycast.WithDefaults(c.services()).Drain.Wait
	}
	switch {
	case s.After < 0 || s.After > time.Hour:
		doc.Problem("edge.stop.after", "want a time from 0s to 1h, got %s", s.After)
	case s.Within == 0:
		s.Within = wait + 30*time.Second
	case s.Within < s.After || s.Within > 2*time.Hour:
		doc.Problem("edge.stop.within", "want a time from %s, which is stop.after, to 2h, got %s", s.After, s.Within)
	}
}

// AdminConfig is the configuration of the listener for operators.
type AdminConfig struct {
	// Listen is where /metrics, /healthz, /readyz, /explain and
	// /debug/pprof are. Never make it public. All but /metrics, /healthz and
	// /readyz are there only for who asks by an address, a name without a dot,
	// or that of the machine or of the edge.
	Listen netip.AddrPort `yaml:"listen"`
}

// ReadConfig reads and checks the edge half of the configuration file at path,
// nil if it has only the control half. The error says all that is wrong.
func ReadConfig(path string) (*Config, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	var file File
	doc := strict.Decode(path, data, &file)
	if file.Edge == nil {
		if doc.Err() == nil && (doc.Has("edge") || !doc.Has("control")) {
			doc.Problem("edge", "want source, and http or dns, below it")
		}
		return nil, doc.Err()
	}
	c := file.Edge
	c.resolve(filepath.Dir(path))
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	c.check(doc)
	return c, doc.Err()
}

// resolve makes relative paths relative to dir.
func (c *Config) resolve(dir string) {
	paths := []*string{&c.Source.Catalog, &c.ASN.File, &c.DataDir}
	if m := c.Source.MirrorManager; m != nil {
		paths = append(paths, &m.Cache, &m.Continents)
	}
	if r := c.Source.Control; r != nil {
		paths = append(paths, &r.TokenFile)
	}
	if c.Anycast != nil {
		for i := range c.Anycast.Peers {
			paths = append(paths, &c.Anycast.Peers[i].PasswordFile)
		}
	}
	for i := range c.ASN.MRT {
		paths = append(paths, &c.ASN.MRT[i])
	}
	for i := range c.ASN.Database {
		paths = append(paths, &c.ASN.Database[i])
	}
	paths = append(paths, c.Cluster.Paths()...)
	for i := range c.Geo.Country {
		paths = append(paths, &c.Geo.Country[i])
	}
	for i := range c.Geo.City {
		paths = append(paths, &c.Geo.City[i])
	}
	if c.HTTP != nil {
		paths = append(paths, &c.HTTP.StatisticsLog)
	}
	if c.DNS != nil {
		paths = append(paths, &c.DNS.CookieSecretFile)
	}
	if b := c.ASN.BGP; b != nil {
		for i := range b.Peers {
			paths = append(paths, &b.Peers[i].PasswordFile)
		}
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// check notes what is wrong with values that are well-formed each by itself.
func (c *Config) check(doc *strict.Doc) {
	s := c.Source
	given := 0
	for _, on := range []bool{s.Catalog != "", s.MirrorManager != nil, s.Control != nil} {
		if on {
			given++
		}
	}
	if given != 1 {
		doc.Problem("edge.source", "want exactly one of catalog, mirrormanager, control")
	}
	if s.Control != nil {
		c.checkControl(doc)
	}
	if s.MirrorManager != nil && s.MirrorManager.Cache == "" {
		doc.Problem("edge.source.mirrormanager.cache", "want the path of a mirrorlist_cache")
	}
	if c.HTTP == nil && c.DNS == nil {
		doc.Problem("edge", "want http or dns: this edge would not answer anybody")
	}
	if c.HTTP != nil && len(c.HTTP.Listen) == 0 {
		doc.Problem("edge.http.listen", "want at least one address and port")
	}
	if c.DNS != nil {
		c.checkDNS(doc)
	}
	c.Statistics.check(doc)
	if c.Admin != nil && !c.Admin.Listen.IsValid() {
		doc.Problem("edge.admin.listen", "want an address and port such as 127.0.0.1:9090")
	}
	c.checkAnycast(doc)
	c.checkStop(doc)
	c.checkCluster(doc)
	c.checkBGP(doc)
	c.checkListeners(doc)
	if c.Health != nil {
		notes(doc, "edge.health.", c.Health.Validate())
	}
}

func (c *Config) checkDNS(doc *strict.Doc) {
	if len(c.DNS.Listen) == 0 {
		doc.Problem("edge.dns.listen", "want at least one address and port")
	}
	if c.DNS.MaxNoCookie < 0 {
		doc.Problem("edge.dns.max_nocookie", "want a number of bytes that is not negative, got %d", c.DNS.MaxNoCookie)
	}
	if len(c.Name) > edgedns.MaxName {
		doc.Problem("edge.name", "want at most %d bytes, which DNS answers have room for, got %d", edgedns.MaxName, len(c.Name))
	}
	if len(c.DNS.Zones) == 0 {
		doc.Problem("edge.dns.zones", "want at least one zone")
		return
	}
	bad := false
	for i := range c.DNS.Zones {
		if _, err := zone.Compile(c.DNS.Zones[i : i+1]); err != nil {
			bad = true
			note(doc, fmt.Sprintf("edge.dns.zones[%d]", i), err)
		}
	}
	if _, err := zone.Compile(c.DNS.Zones); err != nil && !bad { // what is wrong between zones
		note(doc, "edge.dns.zones", err)
	}
	if c.DNS.CookieSecretFile != "" {
		if _, err := wire.ReadSecrets(c.DNS.CookieSecretFile); err != nil {
			doc.Problem("edge.dns.cookie_secret_file", "%v", err)
		}
	}
}

// note notes each line of an error as a problem of key.
func note(doc *strict.Doc, key string, err error) {
	for line := range strings.Lines(err.Error()) {
		doc.Problem(key, "%s", strings.TrimSpace(line))
	}
}

// files returns the files that say which AS clients are in.
func (c *ASNConfig) files() source.ASNFiles {
	return source.ASNFiles{Text: c.File, MRT: c.MRT, Databases: c.Database}
}

// files returns the files the edge reads its data from.
func (c *Config) files() source.Config {
	f := source.Config{Catalog: c.Source.Catalog, Countries: c.Geo.Country, Cities: c.Geo.City, ASNs: c.ASN.files()}
	if m := c.Source.MirrorManager; m != nil {
		f.Cache, f.Continents = m.Cache, m.Continents
	}
	f.Aliases = c.mirrorlistServer != nil
	return f
}
