package report

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot/strict"
)

// Config is a configuration in YAML. Relative paths are relative to the file
// that names them.
type Config struct {
	// Server is the URL of the control plane. Without a path, it is that of the
	// protocol: /v1/checkin or /xmlrpc. Required.
	Server string `yaml:"server"`

	// Protocol is json, the default, or xmlrpc.
	Protocol string `yaml:"protocol"`

	// Site and Host say who reports. Required.
	Site string `yaml:"site"`
	Host string `yaml:"host"`

	// TokenFile holds the host's token. Required for json.
	TokenFile string `yaml:"token_file"`

	// PasswordFile holds the site's password. Required for xmlrpc.
	PasswordFile string `yaml:"password_file"`

	// Categories has the directory of each category. At least one.
	Categories map[string]string `yaml:"categories"`

	// Files sends a full file list. Default: directories only.
	Files bool `yaml:"files"`

	// Exclude leaves out directories whose full path, with a slash at its end,
	// contains one of these.
	Exclude []string `yaml:"exclude"`

	// Stamp is a file whose time is that of the last synchronisation.
	Stamp string `yaml:"stamp"`

	// UserActive says whether the host shall be listed. Default: leave it.
	UserActive *bool `yaml:"user_active"`
}

// settings is what either kind of configuration says.
type settings struct {
	server     string
	protocol   string
	site, host string
	token      string
	password   string
	userActive string // as report_mirror.conf has it; "" leaves it
	syncedAt   time.Time
	categories []category
	files      bool
	exclude    []string
}

// A category is where a category is on disk.
type category struct{ name, path string }

const (
	protocolJSON   = "json"
	protocolXMLRPC = "xmlrpc"
)

// read reads a configuration. What begins with a [section] is a
// report_mirror.conf.
func read(name string) (*settings, error) {
	data, err := os.ReadFile(name) //nolint:gosec // G304: who runs the command names it
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			return readINI(name, string(data))
		}
		break
	}
	return readYAML(name, data)
}

func readYAML(name string, data []byte) (*settings, error) {
	var c Config
	doc := strict.Decode(name, data, &c)
	s := &settings{
		server: c.Server, protocol: c.Protocol, site: c.Site, host: c.Host, files: c.Files, exclude: c.Exclude,
	}
	switch s.protocol {
	case "":
		s.protocol = protocolJSON
	case protocolJSON, protocolXMLRPC:
	default:
		doc.Problem("protocol", "want json or xmlrpc, got %q", s.protocol)
	}
	for _, required := range []struct{ key, value string }{{"server", c.Server}, {"site", c.Site}, {"host", c.Host}} {
		if required.value == "" {
			doc.Problem(required.key, "is required")
		}
	}
	if len(c.Categories) == 0 {
		doc.Problem("categories", "want at least one NAME: PATH")
	}
	for category, path := range c.Categories {
		if path == "" {
			doc.Problem("categories."+category, "want a path")
		}
		s.add(category, below(name, path))
	}
	if c.UserActive != nil {
		s.userActive = fmt.Sprint(*c.UserActive)
	}
	s.token = secret(doc, name, "token_file", c.TokenFile)
	s.password = secret(doc, name, "password_file", c.PasswordFile)
	if c.Stamp != "" {
		info, err := os.Stat(below(name, c.Stamp))
		if err != nil {
			doc.Problem("stamp", "%v", err)
		} else {
			s.syncedAt = info.ModTime()
		}
	}
	return s, doc.Err()
}

// add adds a category, in the order of names.
func (s *settings) add(name, path string) {
	at, _ := slices.BinarySearchFunc(s.categories, name, func(c category, name string) int { return strings.Compare(c.name, name) })
	s.categories = slices.Insert(s.categories, at, category{name, path})
}

// below returns path relative to the folder of the file that names it.
func below(name, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(name), path)
}

// secret reads the file with a secret that key names; "" if it names none.
func secret(doc *strict.Doc, name, key, path string) string {
	if path == "" {
		return ""
	}
	data, err := os.ReadFile(below(name, path))
	text := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		doc.Problem(key, "%v", err)
	case text == "" || strings.ContainsAny(text, "\r\n"):
		doc.Problem(key, "want one line in %s", path)
	}
	return text
}

// readINI reads a report_mirror.conf.
func readINI(name, text string) (*settings, error) {
	f, err := parseINI(name, text)
	if err != nil {
		return nil, err
	}
	s := &settings{protocol: protocolXMLRPC}
	for _, section := range []struct {
		name string
		into map[string]*string
	}{
		{"global", map[string]*string{"server": &s.server}},
		{"site", map[string]*string{"name": &s.site, "password": &s.password}},
		{"host", map[string]*string{"name": &s.host}},
	} {
		if err := f.required(section.name, section.into); err != nil {
			return nil, err
		}
	}
	s.userActive, _ = f.section("host").get("user_active")
	for _, section := range f.sections {
		if slices.Contains([]string{"global", "site", "host", "stats"}, section.name) || !section.enabled() {
			continue
		}
		path, _ := section.get("path")
		if path == "" {
			return nil, f.fail(section, "path is required")
		}
		s.add(section.name, below(name, path))
	}
	if len(s.categories) == 0 {
		return nil, fmt.Errorf("%s: want at least one section of a category that is enabled", name)
	}
	return s, nil
}

func (f *iniFile) fail(s *iniSection, format string, args ...any) error {
	return &syntaxError{f.name, s.line, fmt.Sprintf("[%s]: ", s.name) + fmt.Sprintf(format, args...)}
}

// enabled reports whether a section counts: unless it says otherwise.
func (s *iniSection) enabled() bool {
	on, ok := s.get("enabled")
	return !ok || on == "1"
}

// required reads keys of a section, all of which there must be.
func (f *iniFile) required(name string, into map[string]*string) error {
	s := f.section(name)
	if s == nil {
		return fmt.Errorf("%s: want a section [%s]", f.name, name)
	}
	if !s.enabled() {
		return f.fail(s, "is not enabled: want enabled=1")
	}
	for key, value := range into {
		if *value, _ = s.get(key); *value == "" {
			return f.fail(s, "%s is required", key)
		}
	}
	return nil
}

// check finds what does not fit together, and completes the server's URL.
func (s *settings) check(name string) error {
	u, err := url.Parse(s.server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%s: server: want a URL such as https://control.example.org, got %q", name, s.server)
	}
	path := "/v1/checkin"
	switch s.protocol {
	case protocolXMLRPC:
		path = "/xmlrpc"
		switch {
		case s.password == "":
			return fmt.Errorf("%s: xmlrpc wants the site's password, in password_file", name)
		case s.files:
			return errors.New("a full file list goes by json only, xmlrpc has directories")
		}
	default:
		if s.token == "" {
			return fmt.Errorf("%s: json wants the host's token, in token_file of a YAML file", name)
		}
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = path
	}
	s.server = u.String()
	return nil
}

// readLines returns the lines of a file without comments and empty ones.
func readLines(name string) (lines []string, err error) {
	data, err := os.ReadFile(name) //nolint:gosec // G304: who runs the command names it
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines, err
}
