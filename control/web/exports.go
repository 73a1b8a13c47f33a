package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// Exports that are made of the registry and not of a snapshot.
const (
	rsyncACL    = "rsync-acl"
	rsyncFilter = "rsync-filter"
)

// largestKept is the size, in bytes, up to which an export is kept as it is until
// the next snapshot. A larger one is compressed: with 1,000 hosts a list of URLs
// has 20 MB, and anybody may ask for it.
const largestKept = 1 << 20

// longestExport is how long a large one may take to be made and to leave.
const longestExport = 15 * time.Minute

// exports are those of the last snapshot, by format. All that ask for one at the
// same time wait for one to make it.
type exports struct {
	large chan struct{} // has room for the one that is large and is being written

	mu   sync.Mutex
	of   string              // guarded by mu; the ETag of the manifest
	made map[string]exported // guarded by mu
}

// An exported is an export of a snapshot.
type exported struct {
	tag    string
	text   []byte // nil: it is packed
	packed []byte // by gzip
	size   int
	until  time.Time // when an embargo ends and it is another one; zero: never
}

// pack compresses an export.
func (e *exported) pack() error {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(e.text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("packing an export: %w", err)
	}
	e.text, e.packed = nil, out.Bytes()
	return nil
}

func ofText(text []byte) exported {
	return exported{tag: tagOf(text), text: text, size: len(text)}
}

// writeTo writes an export.
func (e *exported) writeTo(w io.Writer) error {
	if e.packed == nil {
		_, err := w.Write(e.text)
		return err
	}
	r, err := gzip.NewReader(bytes.NewReader(e.packed))
	if err == nil {
		_, err = io.Copy(w, r) //nolint:gosec // we have packed it
	}
	return err
}

// export answers with an export: those that are public and not large to all, the
// ACL to who is pulled from, the filter to who pulls, the others to administrators.
func (s *server) export(c *call) error {
	name := c.PathValue("format")
	format, ok := export.Find(name)
	if !ok && name != rsyncACL && name != rsyncFilter {
		return fail(http.StatusNotFound, "there is no export %.40q; there are: %s", name, strings.Join(exportNames(), ", "))
	}
	if ok && format.Public && !format.Large {
		return s.exportSnapshot(c, format)
	}
	if err := s.authenticate(c, registry.ScopeRead); err != nil {
		return err
	}
	switch {
	case name == rsyncACL:
		return s.exportACL(c)
	case name == rsyncFilter:
		return s.exportFilter(c)
	case !c.caller.admin():
		return fail(http.StatusForbidden, "the export %s is large, or names private mirrors: it is for administrators", name)
	}
	return s.exportLarge(c, format)
}

func exportNames() (names []string) {
	for _, f := range export.Formats() {
		names = append(names, f.Name)
	}
	return append(names, rsyncACL, rsyncFilter)
}

// exportSnapshot answers with the snapshot that was published last.
func (s *server) exportSnapshot(c *call, format export.Format) error {
	if err := c.known(nil); err != nil {
		return err
	}
	m, of, err := s.manifest(c.Context())
	if err != nil {
		return err
	}
	e, err := s.exports.get(c.Context(), s, m, of, format)
	if err != nil {
		return err
	}
	c.send(e, format.Type, "public, max-age=60")
	return nil
}

// exportLarge writes the snapshot that was published last straight to the
// caller, one at a time. An answer that fails in the middle is broken off.
func (s *server) exportLarge(c *call, format export.Format) error {
	if err := c.known(nil); err != nil {
		return err
	}
	m, of, err := s.manifest(c.Context())
	if err != nil {
		return err
	}
	select {
	case s.exports.large <- struct{}{}:
		defer func() { <-s.exports.large }()
	case <-c.Context().Done():
		return c.Context().Err()
	}
	snap, err := s.publishedSnapshot(c.Context(), m)
	if err != nil {
		return err
	}
	at, _ := asOf(snap, s.Now())
	tag := tagOf(fmt.Appendf(nil, "%s %s %d", of, format.Name, at.UnixNano()))
	if c.tag("If-None-Match") == tag {
		c.send(exported{tag: tag}, format.Type, "private, no-cache")
		return nil
	}
	deadlines(c.w, c.Request, longestExport)
	h := c.w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Type", format.Type)
	if c.Method == http.MethodHead {
		return nil
	}
	if _, err = format.Write(c.w, snap, at); err != nil {
		s.Log.Info("an export was broken off", "format", format.Name, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// send answers with an export, unless the caller has it.
func (c *call) send(e exported, mediaType, keep string) {
	h := c.w.Header()
	h.Set("ETag", e.tag)
	h.Set("Cache-Control", keep)
	if c.tag("If-None-Match") == e.tag {
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	deadlines(c.w, c.Request, saidWithin+time.Duration(e.size/slowest)*time.Second)
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(e.size))
	if c.Method != http.MethodHead {
		_ = e.writeTo(c.w) // whoever asked may be gone
	}
}

// get returns an export of the snapshot with the manifest m, whose ETag is of.
func (x *exports) get(ctx context.Context, s *server, m store.Manifest, of string, format export.Format) (exported, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.of != of {
		x.of, x.made = of, map[string]exported{}
	}
	e, ok := x.made[format.Name]
	if ok && (e.until.IsZero() || s.Now().Before(e.until)) {
		return e, nil
	}
	e, err := s.makeExport(ctx, m, format)
	if err == nil && e.size > largestKept {
		err = e.pack()
	}
	if err != nil {
		return exported{}, err
	}
	x.made[format.Name] = e
	return e, nil
}

// makeExport writes the snapshot of a manifest.
func (s *server) makeExport(ctx context.Context, m store.Manifest, format export.Format) (exported, error) {
	snap, err := s.publishedSnapshot(ctx, m)
	if err != nil {
		return exported{}, err
	}
	at, until := asOf(snap, s.Now())
	var text bytes.Buffer
	notes, err := format.Write(&text, snap, at)
	if err != nil {
		return exported{}, err
	}
	s.Log.Debug("export made", "format", format.Name, "version", m.Version, "bytes", text.Len(), "notes", strings.Join(notes, "; "))
	e := ofText(text.Bytes())
	e.until = until
	return e, nil
}

// publishedSnapshot returns the snapshot of a manifest.
func (s *server) publishedSnapshot(ctx context.Context, m store.Manifest) (*snapshot.Snapshot, error) {
	manifest, _, err := wire.OpenUnverified(m.Data) // it is our own, out of our own database
	if err != nil {
		return nil, fmt.Errorf("exporting version %d: %w", m.Version, err)
	}
	snap, err := wire.Decode(manifest, func(h wire.Hash) ([]byte, error) { return s.Store.Section(ctx, h.String()) })
	if err != nil {
		return nil, fmt.Errorf("exporting version %d: %w", m.Version, err)
	}
	return snap, nil
}

// asOf returns the time at which a snapshot came to say what it says now, so
// that all processes export the same, and when it will say something else.
func asOf(snap *snapshot.Snapshot, now time.Time) (at, until time.Time) {
	at = snap.Created
	for _, e := range snap.Embargoes {
		switch {
		case !e.LiftAt.After(now):
			at = slices.MaxFunc([]time.Time{at, e.LiftAt}, time.Time.Compare)
		case until.IsZero() || e.LiftAt.Before(until):
			until = e.LiftAt
		}
	}
	return at, until
}

func tagOf(text []byte) string { return strconv.Quote(wire.HashOf(text).String()[:32]) }

// exportACL answers with who may pull from a host, which that host itself may
// know and those who run it, or from the master.
func (s *server) exportACL(c *call) error {
	if err := c.known([]string{"upstream"}); err != nil {
		return err
	}
	upstream := cmp.Or(c.parameter("upstream"), c.caller.token.Host)
	if !c.caller.admin() && (upstream == "" || upstream != c.caller.token.Host && !c.caller.owns(c.world, upstream)) {
		return fail(http.StatusForbidden, "%s may read only who pulls from a mirror of its own: give upstream=SITE/NAME", c.caller.name())
	}
	if _, ok := registry.Find[*registry.Host](c.world, upstream); !ok && upstream != "" {
		return fail(http.StatusNotFound, "there is no host %.200q", upstream)
	}
	text, notes := export.RsyncACL(c.world, upstream, func(name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(c.Context(), "ip", name)
	})
	for _, note := range notes {
		s.Log.Warn("left out of an rsync ACL", "what", note)
	}
	c.send(ofText([]byte(text)), plainText, "private, no-cache")
	return nil
}

const plainText = "text/plain; charset=utf-8"

// exportFilter answers with the rsync filter of the categories that the caller
// may know.
func (s *server) exportFilter(c *call) error {
	if err := c.known([]string{"categories", "since", "strip"}); err != nil {
		return err
	}
	since, err := strconv.ParseInt(cmp.Or(c.parameter("since"), "0"), 10, 64)
	if err != nil {
		return fail(http.StatusBadRequest, "since: want Unix seconds, got %.40q", c.parameter("since"))
	}
	scans, err := s.Store.Scans(c.Context())
	if err != nil {
		return err
	}
	wanted := strings.Split(c.parameter("categories"), ",")
	var trees []*registry.Tree
	for _, category := range registry.All[*registry.Category](c.world) {
		if _, ok := scans[category.Name]; !ok || !c.pulls(category) || wanted[0] != "" && !slices.Contains(wanted, category.Name) {
			continue
		}
		t, treeErr := s.Store.Tree(c.Context(), category.Name)
		if treeErr != nil {
			return treeErr
		}
		trees = append(trees, c.withoutSecrets(category, t))
	}
	var text bytes.Buffer
	if err = export.RsyncFilter(&text, c.world, trees, since, strings.Trim(c.parameter("strip"), "/")); err != nil {
		return err
	}
	c.send(ofText(text.Bytes()), plainText, "private, no-cache")
	return nil
}

// withoutSecrets returns a tree with the directories that the caller may know.
func (c *call) withoutSecrets(category *registry.Category, t *registry.Tree) *registry.Tree {
	if c.caller.mirrors(c.world) {
		return t
	}
	out := *t
	out.Directories = slices.DeleteFunc(slices.Clone(t.Directories), func(d registry.Directory) bool {
		return c.caller.secret(c.world, path.Join(category.Path, d.Path))
	})
	return &out
}

// pulls reports whether the caller may know what is in a category: users those
// that they see, a host those that it carries.
func (c *call) pulls(category *registry.Category) bool {
	h, ok := registry.Find[*registry.Host](c.world, c.caller.token.Host)
	return ok && carried(h, category.Name) != nil || c.caller.sees(c.world, category)
}
