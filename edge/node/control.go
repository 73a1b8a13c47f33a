package node

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot/strict"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/source"
)

// checkControl notes what is wrong with source.control.
func (c *Config) checkControl(doc *strict.Doc) {
	r := c.Source.Control
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		doc.Problem("edge.source.control.url", "want a URL such as https://control.example.org")
	}
	if r.TokenFile == "" {
		doc.Problem("edge.source.control.token_file", "want the path of a file with the token of this edge")
	} else if _, err = source.ReadToken(r.TokenFile); err != nil {
		doc.Problem("edge.source.control.token_file", "%v", err)
	}
	if len(r.PublicKeys) == 0 {
		doc.Problem("edge.source.control.public_keys", "want at least one public key of the control plane")
	}
	for i, text := range r.PublicKeys {
		if _, err = wire.ParsePublicKey(text); err != nil {
			doc.Problem(fmt.Sprintf("edge.source.control.public_keys[%d]", i), "%v", err)
		}
	}
	if c.DataDir == "" {
		doc.Problem("edge.data_dir", "want the path of a folder for the last snapshot, from which the edge starts while the control plane is away")
	}
}

// newRemote returns what follows the control plane, nil if none is configured.
func (c *Config) newRemote(log *slog.Logger) (*source.Remote, error) {
	r := c.Source.Control
	if r == nil {
		return nil, nil
	}
	keys, err := parseKeys(r.PublicKeys)
	if err != nil {
		return nil, err
	}
	return source.NewRemote(source.RemoteConfig{
		URL: r.URL, TokenFile: r.TokenFile, Keys: keys, Dir: filepath.Join(c.DataDir, "snapshots"), Log: log,
	})
}

func parseKeys(texts []string) (keys []ed25519.PublicKey, err error) {
	for _, text := range texts {
		key, err := wire.ParsePublicKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// newSource makes the node's source.
func (n *Node) newSource() (err error) {
	if n.remote, err = n.config.newRemote(n.log); err != nil {
		return err
	}
	files := n.config.files()
	files.Remote = n.remote
	n.source = source.New(files)
	return n.newSharing()
}

// sourceAtRest returns a source for a command that loads once: of a control
// plane, what is on disk, else what it publishes now.
func (c *Config) sourceAtRest(log *slog.Logger) (*source.Source, error) {
	files := c.files()
	var err error
	if files.Remote, err = c.newRemote(log); err != nil {
		return nil, err
	}
	if r := files.Remote; r != nil {
		if err = r.Restore(); err != nil {
			return nil, err
		}
		if r.Latest() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			if err = r.Poll(ctx); err != nil {
				return nil, err
			}
		}
	}
	return source.New(files), nil
}

// controlWarnings says what is wrong with the control plane, which an edge
// with a snapshot on disk can do without for a time: that it is away, refuses
// the token, or signs with another key.
func (c *Config) controlWarnings() []string {
	r := c.Source.Control
	if r == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	keys, err := parseKeys(r.PublicKeys)
	if err == nil {
		var manifest []byte
		if manifest, _, err = source.Published(ctx, r.URL, r.TokenFile); err == nil {
			_, err = wire.Open(manifest, keys)
		}
	}
	if err == nil {
		return nil
	}
	return []string{fmt.Sprintf("what was on disk is all there is: the control plane at %s: %v", r.URL, err)}
}

// follow starts to follow the control plane, beginning with what is on disk.
// restored gets what is wrong with that, once, if the edge cannot start for it;
// stop ends all.
func (n *Node) follow(ctx context.Context) (restored <-chan error, stop func()) {
	found := make(chan error, 1)
	if n.remote == nil {
		close(found)
		return found, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		heir := !n.isAlone()
		err := n.restore(ctx)
		found <- err
		if err == nil && (!heir || n.restoreAnew(ctx)) {
			n.followRemote(ctx)
		}
	}()
	return found, func() {
		cancel()
		<-done
	}
}

// restore takes the snapshot on disk. While the process before is there, which
// may put a newer one in its place meanwhile, it tries again; if there is none then,
// that is an error, for only one process may write there.
func (n *Node) restore(ctx context.Context) error {
	err := n.remote.Restore()
	for range 5 {
		if err == nil || ctx.Err() != nil || n.isAlone() {
			break
		}
		<-time.After(100 * time.Millisecond)
		err = n.remote.Restore()
	}
	if n.remote.Latest() == nil && !n.isAlone() {
		return fmt.Errorf("no snapshot on disk to begin with, and none can be fetched beside the process before (restart the edge instead): %w",
			cmp.Or(err, errNoSnapshot))
	}
	if err != nil {
		n.log.Error("the snapshot on disk is of no use", "error", err)
	}
	return nil
}

var errNoSnapshot = errors.New("nothing was kept there yet")

// restoreAnew waits until the process before has left the folder to this one, and
// takes what it kept meanwhile. It reports false if ctx ends before.
func (n *Node) restoreAnew(ctx context.Context) bool {
	select {
	case <-n.process.Alone():
	case <-ctx.Done():
		return false
	}
	if err := n.remote.Restore(); err != nil {
		n.log.Error("what the process before kept last is of no use", "error", err)
	}
	return true
}

// lift puts in what was under embargo until now.
func (n *Node) lift(in index.Inputs) {
	n.compile(in)
	n.log.Info("an embargo has ended", "version", in.Snapshot.Version)
}

// remote sends what the source counted.
func (m *metrics) remote(s scrape) {
	c := m.n.remote.Counters()
	const polls = "questions to the control plane whether there is a new snapshot, by result"
	s.count("control_polls_total", polls, c.Changed, "result", "changed")
	s.count("control_polls_total", polls, c.Unchanged, "result", "unchanged")
	s.count("control_polls_total", polls, c.Refused, "result", "refused")
	s.count("control_polls_total", polls, c.Failed, "result", "failed")
	s.flag("control_current", "1 if what is published is what is here, 0 if it was refused or the control plane is away", c.Current)
	if !c.LastContact.IsZero() {
		s.gauge("control_last_contact_timestamp_seconds", "Unix time when the control plane was last heard", int(c.LastContact.Unix()))
	}
	const sections = "sections of snapshots that were fetched, by where from"
	s.count("control_sections_total", sections, c.Sections-c.FromPeers, "from", "control")
	s.count("control_sections_total", sections, c.FromPeers, "from", "peer")
	const sectionBytes = "bytes of these sections, by where from"
	s.count("control_section_bytes_total", sectionBytes, c.Bytes-c.PeerBytes, "from", "control")
	s.count("control_section_bytes_total", sectionBytes, c.PeerBytes, "from", "peer")
	s.count("control_manifests_of_peers_total", "manifests that came from other edges", c.Manifests)
	s.count("control_fallbacks_total", "manifests and sections that came from the control plane as no other edge had them", c.Fallbacks)
	s.count("control_sections_damaged_total", "sections that were damaged on the way or on disk", c.Damaged)
}
