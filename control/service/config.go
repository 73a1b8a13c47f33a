package service

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// Config is the configuration of the control half: what stands below control:
// in a configuration file. Relative paths are relative to the file that names
// them.
type Config struct {
	// DataDir is where the database, the signing key and the first token are
	// kept. Required.
	DataDir string `yaml:"data_dir"`

	// Listen is where pages, the API, check-ins and snapshots for edges are.
	// Required.
	Listen netip.AddrPort `yaml:"listen"`

	// TrustedProxies are the peers whose X-Forwarded-For and X-Forwarded-Proto
	// count, such as a web server that ends TLS. Without it wrong passwords of
	// all mirrors count for the proxy's address. Default: none.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	// Database is sqlite:PATH, relative to DataDir, or
	// postgres://USER:PASSWORD@HOST/NAME, which several processes may share.
	// Default: sqlite:control.db.
	Database string `yaml:"database"`

	// SigningKeyFile has the key that signs snapshots; it is made on first
	// start. Default: snapshot.key in DataDir. Processes that share a database
	// share it.
	SigningKeyFile string `yaml:"signing_key_file"`

	// Masters are what is mirrored, one for each category.
	Masters []scan.Config `yaml:"masters"`

	// ScanEvery is the time between scans of a master. Default: 15m.
	ScanEvery time.Duration `yaml:"scan_every"`

	// CrawlEvery is the time between crawls of a host that is well. Default: 6h.
	CrawlEvery time.Duration `yaml:"crawl_every"`

	// CrawlPrivate lets crawls go to private and loopback addresses. Default:
	// false, so that nobody can make us look around in our own network.
	CrawlPrivate bool `yaml:"crawl_private"`

	// Crawl says how mirrors are crawled: how often in smaller modes, with what
	// limits, and what becomes of hosts that fail.
	Crawl CrawlConfig `yaml:"crawl"`

	// Workers is how many crawls run at once. Scans have one more worker, for one
	// at a time. Default: 8.
	Workers int `yaml:"workers"`

	// PublishEvery is after what time an unchanged snapshot is published anew.
	// Default: 10m.
	PublishEvery time.Duration `yaml:"publish_every"`

	// Notify says who is told what happens, and how. Without it messages are
	// only logged. Processes that share a database share it.
	Notify *notify.Config `yaml:"notify"`

	// Aging says how long statistics, jobs and the audit log are kept.
	Aging AgingConfig `yaml:"aging"`

	// Admin is the listener for operators. Without it there is none.
	Admin *AdminConfig `yaml:"admin"`

	// Keep is how many snapshots are kept, to roll back to. Default: 100.
	Keep int `yaml:"keep"`
}

// A File is a configuration file.
type File struct {
	// Control is the half that knows the mirrors.
	Control *Config `yaml:"control"`

	// Edge is the half that answers clients; edge/node reads it.
	Edge strict.Skip `yaml:"edge"`
}

// ReadConfig reads and checks the control half of the configuration file at
// path, nil if it has none. The error says all that is wrong.
func ReadConfig(path string) (*Config, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	var file File
	doc := strict.Decode(path, data, &file)
	if file.Control == nil {
		return nil, doc.Err()
	}
	file.Control.Resolve(filepath.Dir(path))
	file.Control.Check(doc)
	return file.Control, doc.Err()
}

// Resolve makes relative paths relative to dir, the folder of the file.
func (c *Config) Resolve(dir string) {
	c.DataDir = resolve(dir, c.DataDir)
	if c.SigningKeyFile == "" {
		c.SigningKeyFile = filepath.Join(c.DataDir, "snapshot.key")
	} else {
		c.SigningKeyFile = resolve(dir, c.SigningKeyFile)
	}
	if c.Database == "" {
		c.Database = "sqlite:control.db"
	}
	if file, ok := strings.CutPrefix(c.Database, "sqlite:"); ok {
		c.Database = "sqlite:" + resolve(c.DataDir, file)
	}
	if c.Notify != nil {
		c.Notify.Resolve(dir)
	}
	for i := range c.Masters {
		m := &c.Masters[i]
		m.Path = resolve(dir, m.Path)
		if m.Content != "" && !strings.Contains(m.Content, "://") {
			m.Content = resolve(dir, m.Content)
		}
	}
}

func resolve(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// checkNotify notes what is wrong with notify: what opening it finds only where
// nothing else is, for that would be the same once more.
func (c *Config) checkNotify(doc *strict.Doc) {
	good := true
	c.Notify.Check(func(key, format string, args ...any) {
		good = false
		doc.Problem("control.notify."+key, format, args...)
	})
	if _, err := openNotify(*c); err != nil && good {
		doc.Problem("control.notify", "%v", errors.Unwrap(err))
	}
}

// told reports whether the value of a key is known to be wrong by itself.
func told(doc *strict.Doc, key string) bool {
	problems, _ := errors.AsType[snapshot.Problems](doc.Err())
	return slices.ContainsFunc(problems, func(p snapshot.Problem) bool { return p.Key == key })
}

// Check notes what is wrong with values that are well-formed each by itself.
func (c *Config) Check(doc *strict.Doc) {
	if c.DataDir == "" {
		doc.Problem("control.data_dir", "want a folder for the database and keys")
	}
	if !c.Listen.IsValid() && !told(doc, "control.listen") {
		doc.Problem("control.listen", "want an address and port such as 127.0.0.1:8081")
	}
	if scheme, _, _ := strings.Cut(c.Database, ":"); c.Database != "" && !slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme) {
		doc.Problem("control.database", "want sqlite:PATH or postgres://USER@HOST/DATABASE, got the scheme %.40q", scheme)
	}
	seen := map[string]bool{}
	for i, m := range c.Masters {
		at := fmt.Sprintf("control.masters[%d]", i)
		if seen[m.Category] {
			doc.Problem(at+".category", "%s has a master already", m.Category)
		}
		seen[m.Category] = true
		if _, err := scan.New(m, ""); err != nil {
			doc.Problem(at, "%v", err)
		}
	}
	for key, d := range map[string]time.Duration{"scan_every": c.ScanEvery, "crawl_every": c.CrawlEvery, "publish_every": c.PublishEvery} {
		if d < 0 {
			doc.Problem("control."+key, "want a time that is not negative, got %s", d)
		}
	}
	if c.Notify != nil {
		c.checkNotify(doc)
	}
	c.Aging.check(doc)
	if c.Admin != nil && !c.Admin.Listen.IsValid() && !told(doc, "control.admin.listen") {
		doc.Problem("control.admin.listen", "want an address and port such as 127.0.0.1:9091")
	}
	c.Crawl.check(doc)
	if c.Workers < 0 || c.Keep < 0 {
		doc.Problem("control", "want workers and keep that are not negative, got %d and %d", c.Workers, c.Keep)
	}
}

// Missing returns what the configuration names and is not there now. It is no
// error: a disk may be mounted later, and until then scans fail.
func (c *Config) Missing() (list []string) {
	for i, m := range c.Masters {
		if m.Path == "" {
			continue
		}
		if _, err := os.Stat(m.Path); err != nil {
			list = append(list, fmt.Sprintf("control.masters[%d].path: %v", i, err))
		}
	}
	return list
}

// withDefaults fills in what is unset.
func (c Config) withDefaults() Config {
	for _, d := range []struct {
		of *time.Duration
		is time.Duration
	}{{&c.ScanEvery, 15 * time.Minute}, {&c.CrawlEvery, 6 * time.Hour}, {&c.PublishEvery, 10 * time.Minute}} {
		if *d.of == 0 {
			*d.of = d.is
		}
	}
	c.Aging = c.Aging.withDefaults()
	c.Crawl = c.Crawl.withDefaults()
	if c.Workers == 0 {
		c.Workers = 8
	}
	if c.Keep == 0 {
		c.Keep = 100
	}
	return c
}
