package web

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// The kinds of jobs that actions queue. Their payloads are the documents of the
// actions, [Crawl], [Scan], [Publish] and [Rollback], as JSON.
const (
	JobCrawl    = "crawl"
	JobScan     = "scan"
	JobPublish  = "publish"
	JobRollback = "rollback"
)

// Crawl asks for crawls of a host. The key of a job is HOST CATEGORY.
type Crawl struct {
	Host     string `json:"host"`               // its key
	Category string `json:"category,omitempty"` // ""; all that the host carries, a job each
	Mode     string `json:"mode,omitempty"`     // full, quick, metadata or canary; "": full

	// AcceptLoss lets what is found count even if the host seems to have lost so
	// much that a person should look first; it is for administrators.
	AcceptLoss bool `json:"accept_loss,omitempty"`
}

// Scan asks for scans of the master. The key of a job is the category.
type Scan struct {
	Category string `json:"category,omitempty"` // "": all, a job each

	// AcceptLoss lets what is found count even if so much has vanished that a
	// person should look first.
	AcceptLoss bool `json:"accept_loss,omitempty"`
}

// Publish asks for a snapshot of what is known now.
type Publish struct{}

// Rollback asks for an old snapshot under a new version.
type Rollback struct {
	Version uint64 `json:"version"`
}

// A Password is a new password of a user or a site.
type Password struct {
	Kind     registry.Kind `json:"kind"` // user or site
	Key      string        `json:"key"`
	Password string        `json:"password"`
}

// A PullSecret is what other mirrors need to pull from a host.
type PullSecret struct {
	Host   string `json:"host"`   // its key
	Secret string `json:"secret"` // "": there is none
}

// Enqueued is the answer to an action: the jobs that are queued for it.
type Enqueued struct {
	Jobs []JobName `json:"jobs"`
}

// A JobName says which job: see [Job].
type JobName struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// read reads the document of an action.
func (c *call) read(name string, into any) error {
	doc, err := c.document()
	if err != nil {
		return err
	}
	return decode(name, doc, into)
}

// enqueue queues jobs and answers with them.
func (s *server) enqueue(c *call, kind string, keys []string, payload func(key string) any) error {
	out := Enqueued{Jobs: []JobName{}}
	var tasks []store.Task
	for _, key := range keys {
		text, err := json.Marshal(payload(key))
		if err != nil {
			return fmt.Errorf("encoding a job: %w", err)
		}
		tasks = append(tasks, store.Task{Kind: kind, Key: key, Payload: string(text)})
		out.Jobs = append(out.Jobs, JobName{kind, key})
	}
	if err := s.Store.Enqueue(c.Context(), tasks...); err != nil {
		return err
	}
	s.Log.Info("jobs queued", "who", c.caller.name(), "kind", kind, "keys", keys)
	return c.json(http.StatusAccepted, out)
}

func (s *server) crawl(c *call) error {
	var a Crawl
	if err := c.read("crawl", &a); err != nil {
		return err
	}
	if a.Mode == "" {
		a.Mode = "full"
	}
	var problems snapshot.Problems
	if !slices.Contains([]string{"full", "quick", "metadata", "canary"}, a.Mode) {
		problems = append(problems, snapshot.Problem{File: "crawl", Key: "mode", Text: fmt.Sprintf("want full, quick, metadata or canary, got %.40q", a.Mode)})
	}
	h, ok := registry.Find[*registry.Host](c.world, a.Host)
	if !ok || !c.caller.sees(c.world, h) {
		problems = append(problems, snapshot.Problem{File: "crawl", Key: "host", Text: fmt.Sprintf("no host has the name %.80q", a.Host)})
		return problems
	}
	keys := []string{a.Host + " " + a.Category}
	if a.Category == "" {
		keys = crawlKeys(h)
	} else if carried(h, a.Category) == nil {
		problems = append(problems, snapshot.Problem{File: "crawl", Key: "category", Text: fmt.Sprintf("%s does not carry %.80q", a.Host, a.Category)})
	}
	if problems != nil {
		return problems
	}
	if a.AcceptLoss && !c.caller.admin() {
		return fail(http.StatusForbidden, "%s is no administrator: only one may accept a loss", c.caller.name())
	}
	return s.enqueue(c, JobCrawl, keys, func(key string) any {
		return Crawl{Host: a.Host, Category: strings.TrimPrefix(key, a.Host+" "), Mode: a.Mode, AcceptLoss: a.AcceptLoss}
	})
}

// onlyAdmin refuses others.
func (c *call) onlyAdmin() error {
	if !c.caller.admin() {
		return fail(http.StatusForbidden, "%s is no administrator", c.caller.name())
	}
	return nil
}

func (s *server) scan(c *call) error {
	var a Scan
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("scan", &a); err != nil {
		return err
	}
	keys := []string{a.Category}
	if a.Category == "" {
		keys = nil
		for _, category := range registry.All[*registry.Category](c.world) {
			keys = append(keys, category.Name)
		}
	} else if _, ok := registry.Find[*registry.Category](c.world, a.Category); !ok {
		return snapshot.Problems{{File: "scan", Key: "category", Text: fmt.Sprintf("no category has the name %.80q", a.Category)}}
	}
	return s.enqueue(c, JobScan, keys, func(key string) any { return Scan{Category: key, AcceptLoss: a.AcceptLoss} })
}

func (s *server) publish(c *call) error {
	var a Publish
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("publish", &a); err != nil {
		return err
	}
	defer s.Publish()
	return s.enqueue(c, JobPublish, []string{""}, func(string) any { return a })
}

func (s *server) rollback(c *call) error {
	var a Rollback
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("rollback", &a); err != nil {
		return err
	}
	list, err := s.Store.Manifests(c.Context())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(m store.Manifest) bool { return m.Version == a.Version }) {
		return snapshot.Problems{{File: "rollback", Key: "version", Text: "want a version that GET /v1/snapshots lists, got " + strconv.FormatUint(a.Version, 10)}}
	}
	defer s.Publish()
	return s.enqueue(c, JobRollback, []string{""}, func(string) any { return a })
}

// shortest is how short a password may be (NIST SP 800-63B section 5.1.1.2).
const shortest = 8

// password sets a password; nothing but its hash is kept.
func (s *server) password(c *call) error {
	var a Password
	if err := c.read("password", &a); err != nil {
		return err
	}
	switch {
	case a.Kind != registry.KindUser && a.Kind != registry.KindSite:
		return snapshot.Problems{{File: "password", Key: "kind", Text: fmt.Sprintf("want user or site, got %.40q", a.Kind)}}
	case len(a.Password) < shortest || len(a.Password) > 1024:
		return snapshot.Problems{{File: "password", Text: fmt.Sprintf("want %d to 1024 bytes", shortest)}}
	}
	c.SetPathValue("key", a.Key)
	entry, err := s.find(c, a.Kind)
	if err != nil {
		return err
	}
	hash, err := registry.HashPassword(a.Password)
	if err != nil {
		return err
	}
	ch := change{kind: a.Kind, key: a.Key, before: entry}
	switch o := entry.Object.(type) {
	case *registry.User:
		after := *o
		after.PasswordHash, ch.after = hash, &after
	case *registry.Site:
		after := *o
		after.PasswordHash, ch.after = hash, &after
	}
	return s.apply(c, ch)
}

// pullSecret sets a host's secret, which is kept encrypted.
func (s *server) pullSecret(c *call) error {
	var a PullSecret
	if err := c.read("pull-secret", &a); err != nil {
		return err
	}
	if s.Seal == nil {
		return fail(http.StatusNotImplemented, "this server has no key to encrypt secrets with")
	}
	c.SetPathValue("key", a.Host)
	entry, err := s.find(c, registry.KindHost)
	if err != nil {
		return err
	}
	h, ok := entry.Object.(*registry.Host)
	if !ok {
		return store.ErrNotFound
	}
	after := *h
	after.PullSecret = ""
	if a.Secret != "" {
		if after.PullSecret, err = s.Seal(a.Secret, h.Key()); err != nil {
			return err
		}
	}
	return s.apply(c, change{registry.KindHost, a.Host, entry, &after})
}

// A NewToken asks for a token, which speaks for one of user, host and edge.
type NewToken struct {
	Name    string           `json:"name"`
	User    string           `json:"user,omitempty"`
	Host    string           `json:"host,omitempty"` // its key
	Edge    string           `json:"edge,omitempty"`
	Scopes  []registry.Scope `json:"scopes,omitempty"` // none: checkin for a host, edge for an edge
	Expires time.Time        `json:"expires,omitzero"` // zero: never
}

// A MadeToken is the answer to [NewToken].
type MadeToken struct {
	Name  string `json:"name"`
	Token string `json:"token"` // the secret, which is told once
}

func (s *server) makeToken(c *call) error {
	var a NewToken
	if err := c.read("token", &a); err != nil {
		return err
	}
	if a.Scopes == nil && a.Host != "" {
		a.Scopes = []registry.Scope{registry.ScopeCheckin}
	} else if a.Scopes == nil && a.Edge != "" {
		a.Scopes = []registry.Scope{registry.ScopeEdge}
	}
	secret := newSecret()
	t := &registry.Token{
		Name: a.Name, Hash: registry.HashToken(secret), User: a.User, Host: a.Host, Edge: a.Edge, Scopes: a.Scopes,
		Created: s.Now().UTC().Truncate(time.Second), Expires: a.Expires,
	}
	if _, ok := registry.Find[*registry.Token](c.world, t.Name); ok {
		return snapshot.Problems{{File: registry.Name(t), Key: "name", Text: "another token has the name"}}
	}
	if err := s.write(c, change{kind: registry.KindToken, key: t.Key(), after: t}); err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return c.json(http.StatusCreated, MadeToken{t.Name, secret})
}

// newSecret returns a token of 256 random bits; its beginning lets scanners of
// leaked secrets know it.
func newSecret() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return "waypost_" + base64.RawURLEncoding.EncodeToString(random)
}
