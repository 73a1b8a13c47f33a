// Package bgp learns which AS an address is in from routers: it holds BGP
// sessions (RFC 4271) on which it only listens, and keeps prefix → origin AS of
// what they say, in tables of netblock.
//
//	router ──► session ──► rib: table + what changed ──► every 2 s ──► Apply(table, changes)
//	           (a peer      prefix → origin only
//	           each)
//
// Sessions are for IPv4 and IPv6 unicast, active or passive, with TCP MD5 (RFC
// 2385), GTSM (RFC 5082) and multihop. They announce nothing: what is sent is
// OPEN, KEEPALIVE, NOTIFICATION, and the End-of-RIB marker, an UPDATE without
// routes, which says so. Malformed updates are handled by RFC 7606.
//
// # Origins
//
// The origin of a prefix is the last AS of its path's last sequence, but for
// private ASes at the end. A path that ends in an AS_SET gives no origin: the
// prefix has the value 0, and hides the prefixes around it. An empty path, or
// one that never left the peer's confederation, is the peer's own AS. 2-byte
// speakers' AS4_PATH counts (RFC 6793). The own AS in a path is as good as any.
// Default routes, prefixes longer than /24 and /48 and bogons are left out, so
// that their addresses are where the prefixes around them are.
//
// # From a session to answers
//
// The first table of a session is used whole, once the peer has said that it
// is complete: by an End-of-RIB marker of each family (RFC 4724), or, where it
// sends none, after [Config.EndOfRIBWait]. So long it also waits where the
// new table has less than half the prefixes of the last one: routers that have
// just started say that nothing is all they have. Later changes are used every
// [Config.ApplyEvery]. When a session is lost its last table stays, flagged
// as stale, until the next session has brought its own or [Config.HoldLast]
// has passed; it is saved in [Config.Dir] as lines "PREFIX ASN", too, so that
// a start goes on with it.
//
// # Why no library
//
// A gobgp server keeps every path with all attributes; even its codec makes
// objects of them. Here the two attributes that matter are read where they lie
// in the message, without allocation, and gobgp's codec is the twin that tests
// compare with. bench/baseline/bgp.txt has what each way costs.
package bgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/netblock"
)

// Defaults and limits of the configuration.
const (
	DefaultPort         = 179
	DefaultHoldLast     = 24 * time.Hour
	DefaultApplyEvery   = 2 * time.Second
	DefaultHoldTime     = 90 * time.Second
	DefaultEndOfRIBWait = 2 * time.Minute
	DefaultMaxPrefixes  = 3_000_000
)

// Config says whom to listen to.
type Config struct {
	// LocalASN is the AS that this edge says it is in. It may be any that the
	// peers agree to, the peer's own (iBGP) or a private one. Required.
	LocalASN uint32 `yaml:"local_asn"`

	// RouterID is the BGP identifier, written as an IPv4 address, other than
	// those of the peers. Required.
	RouterID netip.Addr `yaml:"router_id"`

	// Listen are the addresses and ports at which peers may open sessions.
	// Default: port 179 of all addresses if some peer is passive, else none.
	Listen []netip.AddrPort `yaml:"listen"`

	// HoldLast is how long the table of a session that was lost stays in use.
	// Default: 24h.
	HoldLast time.Duration `yaml:"hold_last"`

	// ApplyEvery is how often changes are put in use. Default: 2s; at least 100ms.
	ApplyEvery time.Duration `yaml:"apply_every"`

	// EndOfRIBWait is how long after the start of a session its table counts as
	// complete though the peer has not said so. Default: 2m.
	EndOfRIBWait time.Duration `yaml:"end_of_rib_wait"`

	// Peers are the sessions, in order of preference: of those that know the
	// origin of a prefix, the first counts. Required.
	Peers []Peer `yaml:"peers"`

	// Dir is the folder in which the tables are saved; "": nowhere.
	Dir string `yaml:"-"`

	// WriteFile writes a file in Dir so that it survives a crash. Required with Dir.
	WriteFile func(path string, data []byte, mode fs.FileMode) error `yaml:"-"`

	// Apply takes the new table of the peer with that place in Peers, and what
	// is different from its last one; nil: that is not known. It is not called
	// twice at a time. Required.
	Apply func(peer int, t *netblock.Table, changes []netblock.Change) `yaml:"-"`

	// Log is for what operators should know. Required.
	Log *slog.Logger `yaml:"-"`
}

// A Peer is a router, route server or collector that announces a table.
type Peer struct {
	// Address is the peer's; a peer has one session. Required.
	Address netip.Addr `yaml:"address"`

	// Port is where the peer listens. Default: 179.
	Port uint16 `yaml:"port"`

	// ASN is the AS of the peer. Required.
	ASN uint32 `yaml:"asn"`

	// LocalASN takes the place of Config.LocalASN on this session.
	LocalASN uint32 `yaml:"local_asn"`

	// LocalAddress is the address to connect from. Default: what the kernel says.
	LocalAddress netip.Addr `yaml:"local_address"`

	// PasswordFile has the password of TCP MD5 in its first line, at most 80
	// bytes. Default: none.
	PasswordFile string `yaml:"password_file"`

	// Passive waits for the peer to connect, and never connects itself.
	Passive bool `yaml:"passive"`

	// Families are those that are asked for, of ipv4 and ipv6. Default: both.
	Families []string `yaml:"families"`

	// MaxPrefixes is how many prefixes of both families the peer may announce,
	// without those that are left out. With more the session ends, and its last
	// table stays. Default: 3,000,000.
	MaxPrefixes int `yaml:"max_prefixes"`

	// Multihop is how many hops away a peer of another AS may be. Default: 1;
	// peers of the same AS may be any number away.
	Multihop int `yaml:"multihop"`

	// TTLSecurity accepts only packets from at most that many hops away (GTSM,
	// RFC 5082); the peer has to do the same. Default: 0, off.
	TTLSecurity int `yaml:"ttl_security"`

	// HoldTime is how long the peer may be silent, as proposed to it: the
	// lower proposal counts. Default: 90s; at least 3s.
	HoldTime time.Duration `yaml:"hold_time"`

	password string
}

// Validate says all that is wrong, a line each that begins with the key, and
// fills in the defaults. It reads the password files.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	if c.LocalASN == 0 || c.LocalASN == asTrans {
		bad("local_asn", "want the AS number of this edge, such as 64512")
	}
	if !c.RouterID.Is4() || c.RouterID.IsUnspecified() {
		bad("router_id", "want an IPv4 address such as 192.0.2.1")
	}
	c.HoldLast = cmp.Or(c.HoldLast, DefaultHoldLast)
	c.ApplyEvery = cmp.Or(c.ApplyEvery, DefaultApplyEvery)
	c.EndOfRIBWait = cmp.Or(c.EndOfRIBWait, DefaultEndOfRIBWait)
	if c.HoldLast < 0 {
		bad("hold_last", "want a time such as 24h")
	}
	if c.ApplyEvery < 100*time.Millisecond {
		bad("apply_every", "want at least 100ms, got %s", c.ApplyEvery)
	}
	if c.EndOfRIBWait < time.Second {
		bad("end_of_rib_wait", "want at least 1s, got %s", c.EndOfRIBWait)
	}
	if len(c.Peers) == 0 {
		bad("peers", "want at least one peer")
	}
	seen, passive := map[netip.Addr]bool{}, false
	for i := range c.Peers {
		p := &c.Peers[i]
		p.LocalASN = cmp.Or(p.LocalASN, c.LocalASN)
		p.check(func(key, format string, args ...any) { bad(fmt.Sprintf("peers[%d].%s", i, key), format, args...) })
		if seen[p.Address.Unmap()] {
			bad(fmt.Sprintf("peers[%d].address", i), "%s is there twice: a peer has one session", p.Address)
		}
		seen[p.Address.Unmap()], passive = true, passive || p.Passive
	}
	if passive && len(c.Listen) == 0 {
		c.Listen = []netip.AddrPort{
			netip.AddrPortFrom(netip.IPv4Unspecified(), DefaultPort), netip.AddrPortFrom(netip.IPv6Unspecified(), DefaultPort),
		}
	}
	return errors.Join(errs...)
}

// check says what is wrong with one peer, and fills in the defaults.
func (p *Peer) check(bad func(key, format string, args ...any)) {
	p.Address = p.Address.Unmap()
	if !p.Address.IsValid() || p.Address.IsUnspecified() {
		bad("address", "want the address of the peer")
	}
	if p.ASN == 0 || p.ASN == asTrans {
		bad("asn", "want the AS number of the peer")
	}
	if p.LocalAddress.IsValid() && p.LocalAddress.Unmap().Is4() != p.Address.Is4() {
		bad("local_address", "want an address of the family of %s, got %s", p.Address, p.LocalAddress)
	}
	p.checkNumbers(bad)
	p.Port = cmp.Or(p.Port, DefaultPort)
	if len(p.Families) == 0 {
		p.Families = []string{"ipv4", "ipv6"}
	}
	for _, f := range p.Families {
		if f != "ipv4" && f != "ipv6" {
			bad("families", "want ipv4 and ipv6, got %q", f)
		}
	}
	if p.PasswordFile != "" {
		var err error
		if p.password, err = ReadPassword(p.PasswordFile); err != nil {
			bad("password_file", "%v", err)
		}
	}
}

func (p *Peer) checkNumbers(bad func(key, format string, args ...any)) {
	p.MaxPrefixes = cmp.Or(p.MaxPrefixes, DefaultMaxPrefixes)
	p.HoldTime = cmp.Or(p.HoldTime, DefaultHoldTime)
	if p.MaxPrefixes < 0 {
		bad("max_prefixes", "want a number of prefixes, got %d", p.MaxPrefixes)
	}
	if p.HoldTime < 3*time.Second || p.HoldTime > 65535*time.Second {
		bad("hold_time", "want 3s to 65535s, got %s", p.HoldTime)
	}
	if p.Multihop < 0 || p.Multihop > 255 {
		bad("multihop", "want 1 to 255, got %d", p.Multihop)
	}
	if p.TTLSecurity < 0 || p.TTLSecurity > 254 {
		bad("ttl_security", "want 1 to 254, got %d", p.TTLSecurity)
	}
	if p.TTLSecurity > 0 && p.Multihop > 0 {
		bad("ttl_security", "want it or multihop: both say how far away the peer is")
	}
}

// maxPassword is how long a password the kernel takes.
const maxPassword = 80

// ReadPassword reads the password of TCP MD5 (RFC 2385) out of the first line of
// a file, 1 to 80 bytes.
func ReadPassword(path string) (string, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimRight(line, "\r")
	if line == "" || len(line) > maxPassword {
		return "", fmt.Errorf("%s: want a first line of 1 to %d bytes", path, maxPassword)
	}
	return line, nil
}

// A Feed holds the sessions. Make it with [New]; it runs once.
type Feed struct {
	config *Config
	peers  []*peer
	kick   chan struct{} // a first table is complete: apply now
	save   chan struct{} // save now
}

// New returns the feed of a configuration that is valid. It reads and opens nothing.
func New(c *Config) *Feed {
	f := &Feed{config: c, kick: make(chan struct{}, 1), save: make(chan struct{}, 1)}
	for i := range c.Peers {
		f.peers = append(f.peers, newPeer(&c.Peers[i], f))
	}
	return f
}

// Run holds the sessions until ctx ends, and then closes them and saves the
// tables. It returns early when a listener cannot be opened.
func (f *Feed) Run(ctx context.Context) error {
	listeners, err := f.listen(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error { f.accept(ctx, l); return nil })
	}
	for _, p := range f.peers {
		group.Go(func() error { p.run(ctx); return nil })
	}
	group.Go(func() error { every(ctx, f.config.ApplyEvery, f.kick, f.Flush); return nil })
	group.Go(func() error { every(ctx, saveEvery, f.save, func() { f.saveChanged(false) }); return nil })
	err = group.Wait()
	f.Flush()
	f.saveChanged(true)
	return err
}

// every does something once in d, and when it is kicked, until ctx ends.
func every(ctx context.Context, d time.Duration, kick <-chan struct{}, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-kick:
		}
		do()
	}
}

// Flush calls Apply for each peer whose table is not in use yet. Run does so by
// itself; a caller needs it only between [Feed.Restore] and Run.
func (f *Feed) Flush() {
	for i, p := range f.peers {
		if t, changes, ok := p.collect(time.Now()); ok {
			f.config.Apply(i, t, changes)
			p.used(time.Now())
		}
	}
}

// wake sends on a channel that keeps one message.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
