package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/anycast/speaker"
	edgedns "github.com/waypost/waypost/edge/dns"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// checkAnycast notes what is wrong with anycast.
func (c *Config) checkAnycast(doc *strict.Doc) {
	if c.Anycast == nil {
		return
	}
	a := c.Anycast.WithDefaults(c.services())
	for _, p := range a.Check() {
		doc.Problem("edge.anycast."+p.Key, "%s", p.Text)
	}
	for i, at := range a.Addresses {
		if !c.answers(at) {
			doc.Problem(fmt.Sprintf("edge.anycast.addresses[%d]", i), "want an address that http.listen or dns.listen has, got %s: nothing there could be checked", at)
		}
	}
	if c.DataDir == "" {
		doc.Problem("edge.data_dir", "want the path of a folder, for the socket and the log of the anycast speaker")
		return
	}
	if socket, err := speakerSocket(c.DataDir); err != nil {
		doc.Problem("edge.data_dir", "%v", err)
	} else if len(socket) > maxSocket {
		doc.Problem("edge.data_dir", "want a shorter path: %s, the socket of the anycast speaker, may have %d bytes and has %d", socket, maxSocket, len(socket))
	}
}

// maxSocket is how long the path of a Unix socket may be.
const maxSocket = 107

// speakerSocket returns the absolute path of the speaker's socket.
func speakerSocket(dataDir string) (string, error) {
	return filepath.Abs(filepath.Join(dataDir, "speaker.sock"))
}

// answers reports whether a service listens at an address.
func (c *Config) answers(at netip.Addr) bool {
	return c.HTTP != nil && len(ports(c.HTTP.Listen, at)) > 0 || c.DNS != nil && len(ports(c.DNS.Listen, at)) > 0
}

// services returns the addresses that the service listens at.
func (c *Config) services() (all []netip.Addr) {
	if c.HTTP != nil {
		for _, at := range c.HTTP.Listen {
			all = append(all, at.Addr())
		}
	}
	if c.DNS != nil {
		for _, at := range c.DNS.Listen {
			all = append(all, at.Addr())
		}
	}
	return all
}

// newKeeper makes what keeps service prefixes announced.
func (n *Node) newKeeper() error {
	if n.config.Anycast == nil {
		return nil
	}
	if err := os.MkdirAll(n.config.DataDir, 0o750); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program to run the speaker with: %w", err)
	}
	logFile := filepath.Join(n.config.DataDir, "speaker.log")
	output, err := os.OpenFile(filepath.Clean(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	socket, err := speakerSocket(n.config.DataDir)
	if err != nil {
		return err
	}
	var others func() []anycast.Other
	var drained func() bool
	if n.config.Cluster != nil {
		others, drained = n.otherEdges, n.isDrained
	}
	n.keeper, err = anycast.New(anycast.Options{
		Others: others, Drained: drained,
		Config: n.config.Anycast.WithDefaults(n.config.services()),
		Check:  n.checkService, Data: n.dataMade, Log: n.log,
		Speaker:    &speaker.Client{Socket: socket, Command: []string{program, "anycast-speaker", socket}, Output: output},
		Generation: n.generation(), Before: n.before.Anycast,
		File: filepath.Join(n.config.DataDir, "anycast.json"),
	})
	return err
}

// stay returns once the edge may stop answering: told has ended, and nobody is
// sent here any more; or ctx has, since a part of the edge failed.
func (n *Node) stay(told, ctx context.Context) error {
	leave, cancel := context.WithCancel(told)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	defer context.AfterFunc(leave, func() { n.sendAway(leave) })()
	kept := make(chan error, 1)
	if n.keeper != nil {
		go func() { kept <- n.keeper.Run(leave) }()
	}
	<-leave.Done()
	if told.Err() != nil && !handover.TakenOver(told) {
		n.log.Info("told to stop", n.stopping()...)
	}
	if n.keeper == nil {
		n.linger(leave, ctx)
		return nil
	}
	var limit <-chan time.Time
	if within := n.config.Stop.Within; within > 0 {
		n.process.Notify(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (within + adminWithin).Microseconds()))
		limit = time.After(within)
	}
	select {
	case err := <-kept:
		return err
	case <-limit:
		return errors.New("stopping before all prefixes are drained, as stop.within wants: the speaker withdraws them")
	}
}

// sendAway has clients look for other edges, unless this one goes on in the next
// process.
func (n *Node) sendAway(leave context.Context) {
	if handover.TakenOver(leave) {
		return
	}
	n.leaving.Store(true)
	if n.http != nil {
		n.http.Leave()
	}
}

// stopping returns what the log says of how the edge is about to end.
func (n *Node) stopping() []any {
	if n.keeper == nil {
		return []any{"answers_for", n.config.Stop.After}
	}
	var drained []string
	for _, p := range n.keeper.Status().Prefixes {
		if p.Announced {
			drained = append(drained, p.Prefix.String())
		}
	}
	return []any{"drains", strings.Join(drained, " "), "within", n.config.Stop.Within}
}

// linger answers on for a while with /readyz saying no, for load balancers to see.
func (n *Node) linger(told, ctx context.Context) {
	if handover.TakenOver(told) || n.config.Stop.After == 0 {
		return
	}
	select {
	case <-time.After(n.config.Stop.After):
	case <-ctx.Done():
	}
}

// dataMade returns when the snapshot in use was made.
func (n *Node) dataMade() time.Time {
	v := n.engine.View()
	if v == nil {
		return time.Time{}
	}
	return v.Index.Created()
}

// checkService asks the service at an address as clients do: DNS and HTTP, at
// the ports where they listen. What the answer says does not matter: content
// that is gone is gone at all edges. An edge that has no data yet can say nothing.
func (n *Node) checkService(ctx context.Context, at netip.Addr) (err error) {
	if n.engine.View() == nil {
		return errors.New("no data is loaded")
	}
	if c := n.config.DNS; c != nil {
		for _, port := range ports(c.Listen, at) {
			err = errors.Join(err, edgedns.Ask(ctx, netip.AddrPortFrom(at, port), c.Zones[0].Name))
		}
	}
	if c := n.config.HTTP; c != nil {
		for _, port := range ports(c.Listen, at) {
			err = errors.Join(err, checkHTTP(ctx, netip.AddrPortFrom(at, port)))
		}
	}
	return err
}

// ports returns the ports at which a service listens on an address.
func ports(listen []netip.AddrPort, at netip.Addr) (out []uint16) {
	for _, l := range listen {
		if l.Addr() == at || l.Addr().IsUnspecified() && l.Addr().Is4() == at.Is4() {
			out = append(out, l.Port())
		}
	}
	return out
}

// checkHTTP asks for the start page, which is not counted as an answer to a
// client.
func checkHTTP(ctx context.Context, at netip.AddrPort) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+at.String()+"/", nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "waypost-self-check/"+Version())
	response, err := newClient().RoundTrip(request)
	if err != nil {
		return fmt.Errorf("asking %s over HTTP: %w", at, err)
	}
	_ = response.Body.Close()
	if response.StatusCode == http.StatusInternalServerError {
		return fmt.Errorf("asking %s over HTTP: %s", at, response.Status)
	}
	return nil
}

// newClient returns what asks as a new client does: by a new connection each
// time, and by no proxy of the environment.
func newClient() *http.Transport { return &http.Transport{DisableKeepAlives: true} }
