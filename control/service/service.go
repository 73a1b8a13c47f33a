// Package service is one control plane, wired together: it knows all the other
// parts of the control half, and they do not know it.
//
//	API, check-ins ──► registry in the store ──┐
//	schedule ──► jobs ─┬─► scan the masters ───┼──► publish ──► snapshots for edges
//	                   └─► crawl the mirrors ──┘
//
// Several processes may run one each on one database: jobs and publishing are
// shared between them by leases.
package service

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/crawl/pace"
	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/snapshot/wire/durable"
)

// A Service is one control plane. Make it with [New]; it serves once.
type Service struct {
	config    Config
	log       *slog.Logger
	store     *store.Store
	publisher *publish.Publisher
	metrics   *metrics
	limiter   *pace.Limiter
	sender    *notify.Sender // nil: nobody is told
	board     board
	worker    string
	wake      chan struct{} // something changed that is to be published
	changed   chan struct{} // the registry changed, here or anywhere

	scans map[string]lastScan // by category, of this process: its one worker for scans has it

	listener net.Listener
	admin    net.Listener // nil: there is none
	handler  http.Handler
}

// New opens the database and the key of a configuration that was checked, and
// makes a first token for an administrator if there is none.
func New(ctx context.Context, c Config, log *slog.Logger) (*Service, error) {
	c = c.withDefaults()
	if err := os.MkdirAll(c.DataDir, 0o750); err != nil {
		return nil, err
	}
	key, err := signingKey(c.SigningKeyFile)
	if err != nil {
		return nil, err
	}
	sender, err := openNotify(c)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{Database: c.Database})
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	s := &Service{
		config: c, log: log, store: db, limiter: pace.New(c.Crawl.pace()), sender: sender,
		worker: fmt.Sprintf("%s-%d", host, os.Getpid()), metrics: newMetrics(),
		wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), scans: map[string]lastScan{},
	}
	s.publisher = &publish.Publisher{
		Store: db, Key: key, Holder: s.worker, Now: time.Now, Log: log, Refresh: c.PublishEvery, Keep: c.Keep,
	}
	secret, err := secretKey(filepath.Join(c.DataDir, "secret.key"))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	desk := &Desk{Store: db, Publish: s.publishSoon, Now: time.Now}
	people, err := s.pages(secret)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.handler = s.metrics.answers(web.New(web.Config{
		Store: db, Publish: s.publishSoon, Log: log, Seal: secret.Seal, Pages: people, Applications: s.application,
		Checkins: counter{checkin.New(checkin.Config{Registry: desk, Holdings: keeper{desk}, Log: log}), s.metrics.checkins},
	}))
	if err = s.firstToken(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Store returns the database, for tests.
func (s *Service) Store() *store.Store { return s.store }

// firstToken lets somebody in: it makes an administrator's token, if there is
// none, and writes it into the data folder.
func (s *Service) firstToken(ctx context.Context) error {
	token, made, err := web.EnsureAdmin(ctx, s.store)
	if err != nil || !made {
		return err
	}
	file := filepath.Join(s.config.DataDir, "admin.token")
	if err = durable.WriteFile(file, []byte(token+"\n"), 0o600); err != nil { // nobody would ever know it
		return errors.Join(err, s.forgetToken(ctx, registry.HashToken(token)))
	}
	s.log.Info("the first administrator's token", "file", file)
	return nil
}

// forgetToken deletes the token of this hash.
func (s *Service) forgetToken(ctx context.Context, hash string) error {
	entries, err := s.store.List(ctx, registry.KindToken)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if t, ok := e.Object.(*registry.Token); ok && t.Hash == hash {
			_, err = s.store.Apply(ctx, "first start", store.Delete(registry.KindToken, t.Name, e.Revision))
			return err
		}
	}
	return nil
}

// secretKey reads the key that encrypts what mirrors need to pull from one
// another, or makes it.
func secretKey(file string) (key registry.SecretKey, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // in the data folder
	switch {
	case err == nil:
		b, bad := hex.DecodeString(strings.TrimSpace(string(text)))
		if bad != nil || len(b) != len(key) {
			return key, fmt.Errorf("reading %s: want %d hexadecimal digits", file, 2*len(key))
		}
		return registry.SecretKey(b), nil
	case !errors.Is(err, os.ErrNotExist):
		return key, err
	}
	_, _ = rand.Read(key[:]) // never fails
	return key, durable.WriteFile(file, []byte(hex.EncodeToString(key[:])+"\n"), 0o600)
}

// signingKey reads the key, or makes it.
func signingKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err == nil {
		key, bad := wire.ParsePrivateKey(string(text))
		if bad != nil {
			return nil, fmt.Errorf("reading %s: %w", file, bad)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := wire.NewKey()
	if err != nil {
		return nil, err
	}
	if err = os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return nil, err
	}
	return key, durable.WriteFile(file, []byte(wire.FormatPrivateKey(key)+"\n"), 0o600)
}

// PublicKey returns the key that edges verify snapshots by, for their
// public_keys.
func (s *Service) PublicKey() string {
	public, _ := s.publisher.Key.Public().(ed25519.PublicKey)
	return wire.FormatPublicKey(public)
}

// Listen opens the listeners, so that Addr can be asked before Run.
func (s *Service) Listen(ctx context.Context) error {
	return s.ListenBy(ctx, new(net.ListenConfig).Listen)
}

// ListenBy is Listen by a function that may have the listeners already: of the
// process before.
func (s *Service) ListenBy(ctx context.Context, open func(ctx context.Context, network, address string) (net.Listener, error)) error {
	l, err := open(ctx, "tcp", s.config.Listen.String())
	if err != nil {
		return fmt.Errorf("listening for the control plane on %s: %w", s.config.Listen, err)
	}
	s.listener = l
	if s.config.Admin == nil {
		return nil
	}
	if s.admin, err = open(ctx, "tcp", s.config.Admin.Listen.String()); err != nil {
		return fmt.Errorf("listening for the admin pages of the control plane on %s: %w", s.config.Admin.Listen, err)
	}
	return nil
}

// Addr returns where it listens.
func (s *Service) Addr() net.Addr { return s.listener.Addr() }

// Run works and serves until ctx ends. Listen comes before it.
func (s *Service) Run(ctx context.Context) error {
	s.log.Info("control plane", "address", s.Addr(), "database", s.store.Name(), "public_key", s.PublicKey())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(ctx) })
	group.Go(func() error { s.schedule(ctx); return nil })
	group.Go(func() error { s.watchReleases(ctx); return nil })
	group.Go(func() error { s.publishing(ctx); return nil })
	if terminal(os.Stderr) {
		group.Go(func() error { s.board.show(ctx, os.Stderr, time.Tick(500*time.Millisecond)); return nil })
	}
	group.Go(func() error { s.aging(ctx); return nil })
	group.Go(func() error { return s.serveAdmin(ctx) })
	for _, w := range s.workers() {
		group.Go(func() error { s.store.Work(ctx, w, s.do, s.trouble); return nil })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, s.store.Close())
}

// serve answers HTTP until ctx ends.
func (s *Service) serve(ctx context.Context) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: behind(s.config.TrustedProxies, s.handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return base },
	}
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cut) })() // those that wait for news
	return handover.Serve(ctx, server, s.listener, 5*time.Second)
}

// grace is how long requests may go on that are being answered when the control
// plane is told to stop.
const grace = time.Second

// quiet is how long a change waits for others before it is published.
const quiet = 300 * time.Millisecond

// publishSoon asks for a publication.
func (s *Service) publishSoon() { signal(s.wake) }

// signal wakes who waits for c, now or next.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// publishing publishes when something changed here, when the registry changed
// anywhere, and now and then.
func (s *Service) publishing(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	var seen int64 = -1
	last := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake: // what belongs together often comes together
			select {
			case <-time.After(quiet):
			case <-ctx.Done():
				return
			}
		case <-tick.C:
			change, err := s.store.LastChange(ctx)
			if err != nil || change == seen && time.Since(last) < s.config.PublishEvery {
				s.trouble(err)
				continue
			}
			if change != seen {
				signal(s.changed)
			}
			seen = change
		}
		last = time.Now()
		version, err := s.metrics.snapshot(func() (uint64, error) { return s.publisher.PublishUnlessHeld(ctx) })
		switch {
		case errors.Is(err, publish.ErrHeld): // until somebody asks for a publication
		case errors.Is(err, publish.ErrBusy): // it may have begun before the change that woke us
			s.publishSoon()
		case err != nil:
			s.trouble(err)
		default:
			s.log.Debug("snapshot in force", "version", version)
		}
	}
}

// trouble logs what went wrong with the store; nil is nothing.
func (s *Service) trouble(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.metrics.troubles.Inc()
		s.log.Error("control plane", "error", err)
	}
}
