// Package node is one edge, wired together: it knows all the other parts, and
// they do not know it.
//
//	config, err := node.ReadConfig("edge.yaml")
//	n, err := node.New(config, logger)
//	err = n.Run(ctx) // until ctx ends
//
// Run reads the data, opens the listeners, and serves; it goes on with the
// data it has when newer data is bad. Subcommands of waypost that concern an
// edge are here too, a struct each.
package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/cluster/vote"
	edgedns "github.com/waypost/waypost/edge/dns"
	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/health/probe"
	edgehttp "github.com/waypost/waypost/edge/http"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/source"
)

// lookEvery is how often files are looked at for changes.
const lookEvery = time.Second

// A Node is one edge. Make it with [New]; it serves once.
type Node struct {
	config *Config
	log    *slog.Logger
	engine answer.Engine
	source *source.Source
	remote *source.Remote // nil: no control plane is followed
	http   *edgehttp.Server
	dns    *edgedns.Server
	prober *probe.Prober
	stats  *edgehttp.StatisticsLog
	tally  *tally // nil: answers are not counted for a control plane

	sharing sharing

	keeper *anycast.Keeper // nil: nothing is announced
	peers  peers           // the other edges of a cluster
	trips  roundTrips      // that these edges measured

	process *handover.Process
	before  legacy // what the process before told
	follows bool   // there was one

	feeds    feeds
	loads    loads
	listened chan struct{} // closed once all listeners are open
	leaving  atomic.Bool   // told to stop
	sockets  sockets
}

// loads counts what became of the data.
type loads struct {
	good, bad   atomic.Uint64
	lastGood    atomic.Int64 // Unix seconds
	lastWasGood atomic.Bool
}

// New makes an edge of a configuration that [ReadConfig] or the caller has
// checked. It opens neither data nor sockets, but makes its folders in data_dir.
func New(c *Config, log *slog.Logger) (*Node, error) {
	n := &Node{config: c, log: log, listened: make(chan struct{})}
	if err := n.inherit(); err != nil {
		return nil, err
	}
	if err := n.newSource(); err != nil {
		return nil, err
	}
	n.newStatistics()
	n.newDistances()
	if err := n.newFeed(); err != nil {
		return nil, err
	}
	if err := n.newHTTP(); err != nil {
		return nil, err
	}
	if err := n.newDNS(); err != nil {
		return nil, err
	}
	if err := n.newKeeper(); err != nil {
		return nil, err
	}
	return n, n.newProber()
}

func (n *Node) newHTTP() (err error) {
	c := n.config.HTTP
	if c == nil {
		return nil
	}
	if c.StatisticsLog != "" {
		n.stats, err = edgehttp.OpenStatisticsLog(edgehttp.StatisticsConfig{
			Path: c.StatisticsLog, Truncate: c.TruncateAddresses, Sync: n.config.mirrorlistServer.sync(),
		})
		if err != nil {
			return err
		}
	}
	n.http = edgehttp.New(edgehttp.Config{
		Engine: &n.engine, TrustedProxies: c.TrustedProxies, Statistics: n.stats, Logger: n.log,
		MirrorlistServer: n.config.mirrorlistServer != nil, MinimumHosts: n.config.mirrorlistServer.minimum(),
		Passage: n.process.Passage("http"),
	})
	return nil
}

func (n *Node) newDNS() error {
	c := n.config.DNS
	if c == nil {
		return nil
	}
	zones, err := zone.Compile(c.Zones)
	if err != nil {
		return err
	}
	secrets := n.before.Secrets
	if c.CookieSecretFile != "" {
		if secrets, err = wire.ReadSecrets(c.CookieSecretFile); err != nil {
			return err
		}
	}
	n.dns, err = edgedns.New(edgedns.Config{
		Engine: &n.engine, Name: n.config.Name, Version: "waypost " + Version(), Secrets: secrets, MaxNoCookie: c.MaxNoCookie,
		Passage: n.process.Passage("dns"),
	})
	if err == nil {
		n.dns.SetZones(zones)
	}
	return err
}

func (n *Node) newProber() (err error) {
	if n.config.Health == nil {
		return nil
	}
	c := *n.config.Health
	c.Version, c.Log = Version(), n.log
	c.Publish = func([]health.Target) { n.engine.SetHealth(n.prober.State) }
	if n.config.Cluster != nil {
		c.Tell = func(seen []vote.Seen, abstains [health.Kinds]bool) {
			if p := n.peers.cluster(); p != nil {
				p.See(seen, abstains)
			}
		}
	}
	if n.prober, err = probe.New(c); err == nil {
		n.prober.Inherit(n.before.Seen)
	}
	return err
}

// Run serves until ctx ends, and then stops within some seconds. It returns
// early when the first data cannot be read or a listener cannot be opened.
func (n *Node) Run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1) // from the start: a SIGHUP must not end the process
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if n.follows {
		if err := n.tryLate(ctx); err != nil {
			return err
		}
	}
	restored, unfollow := n.follow(context.WithoutCancel(ctx)) // until nobody is sent here: draining takes minutes
	defer unfollow()
	n.restoreFeed()
	if err := n.loadFirst(ctx, restored); err != nil || ctx.Err() != nil {
		return err
	}
	told := ctx
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	group, ctx := errgroup.WithContext(working)
	if err := n.listen(ctx); err != nil {
		n.sockets.close()
		return err
	}
	if n.isAlone() {
		if err := n.openCluster(); err != nil {
			n.sockets.close()
			return err
		}
	}
	close(n.listened)
	n.serve(ctx, group)
	group.Go(func() error { return n.own(ctx, unfollow) })
	group.Go(func() error {
		defer func() { stop(context.Cause(told)) }()
		return n.stay(told, ctx)
	})
	lastCounts := n.keepCounts(context.WithoutCancel(ctx))
	group.Go(func() error { n.watch(ctx, hangup); return nil })
	if n.prober != nil {
		group.Go(func() error { return n.prober.Run(ctx) })
	}
	if n.stats != nil {
		group.Go(func() error { return n.stats.Run(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	lastCounts(context.Cause(ctx))
	if err == nil && n.leaving.Load() {
		n.log.Info("stopped")
	}
	return err
}

// loadFirst reads the first data, or gives up when ctx ends: a city database
// takes seconds. What is on disk of a control plane is restored before.
func (n *Node) loadFirst(ctx context.Context, restored <-chan error) error {
	done := make(chan error, 1)
	go func() {
		err := <-restored
		if err == nil {
			err = n.source.Wait(ctx)
		}
		if err == nil {
			err = n.reload()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if ctx.Err() != nil {
			return nil
		}
		return err
	case <-ctx.Done():
		return nil
	}
}

// runAndSay is Run, which calls say once the listeners are open.
func (n *Node) runAndSay(ctx context.Context, say func()) error {
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-n.Listened():
		say()
	}
	return <-done
}

// watch reads data anew when files change and on SIGHUP, which also opens the
// statistics log anew.
func (n *Node) watch(ctx context.Context, hangup <-chan os.Signal) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	n.source.Watch(ctx, tick.C, hangup, func() {
		n.reopenStatistics()
		_ = n.reload() // it says so itself, and the old data stays
	}, n.lift)
}

// reopenStatistics opens the statistics log anew, in case it was rotated.
func (n *Node) reopenStatistics() {
	if n.stats == nil {
		return
	}
	if err := n.stats.Reopen(); err != nil {
		n.log.Error("the old statistics log stays in use", "error", err)
	}
}

// reload reads the data and puts it in use, or keeps the present one.
func (n *Node) reload() error {
	began := time.Now()
	in, err := n.source.Load(began)
	n.loads.lastWasGood.Store(err == nil)
	if err != nil {
		n.loads.bad.Add(1)
		if v := n.engine.View(); v != nil {
			n.log.Error("new data refused, the old stays in use", "version", v.Index.Version(), "error", err)
		}
		return err
	}
	ix := n.compile(in)
	n.loads.good.Add(1)
	n.loads.lastGood.Store(began.Unix())
	for _, note := range n.source.Notes() {
		n.log.Info(note)
	}
	n.log.Info("data in use", "version", ix.Version(), "hosts", ix.Hosts(), "directories", ix.Directories(),
		"files", ix.Files().Len(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// use swaps the index in.
func (n *Node) use(ix *index.Index) {
	if n.dns != nil {
		if err := edgedns.Check(n.dns.Zones(), ix); err != nil {
			n.log.Warn("some tailored names cannot be answered", "error", err)
		}
	}
	if n.prober != nil {
		n.prober.Update(ix)
	}
	n.tellHosts(ix)
	n.swap(ix)
	debug.FreeOSMemory() // what was read, and the old index: more than all that stays
}

// Listened is closed once all listeners are open.
func (n *Node) Listened() <-chan struct{} { return n.listened }

// Addresses returns where the edge listens, by the name of the listener: http,
// dns, admin. It is for tests that listen at port 0. Call it after Listened.
func (n *Node) Addresses() map[string][]netip.AddrPort {
	all := n.sockets.addresses()
	n.addressOfCluster(all)
	return all
}

// Version returns the version of the program, from its build information.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
