package cluster

import (
	"bytes"
	"cmp"
	"context"
	"log"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Refusals count what members and others sent that was not taken. The library
// only logs them, so the log is where they are counted.
type refusals struct {
	key       atomic.Uint64 // encrypted with another key, or not at all
	label     atomic.Uint64 // of another cluster
	malformed atomic.Uint64 // not what a member sends
	conflicts atomic.Uint64 // an edge with the name of another

	pace pace // of the lines that tell of them, and of others
}

// count counts what was refused, by its reason as metrics have it.
func (r *refusals) count(reason string) {
	switch reason {
	case reasonKey:
		r.key.Add(1)
	case reasonLabel:
		r.label.Add(1)
	case reasonMalformed:
		r.malformed.Add(1)
	}
}

// A pace keeps the log from being flooded with what anybody can cause. The zero
// value is ready; its methods are for any goroutine.
type pace struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// maxPaced is how many subjects are told apart.
const maxPaced = 256

// allows reports whether a line on a subject may be logged, and then no other one
// for so long.
func (p *pace) allows(subject string, next time.Duration) bool {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	if now.Before(p.until[subject]) {
		return false
	}
	maps.DeleteFunc(p.until, func(_ string, until time.Time) bool { return !now.Before(until) })
	if len(p.until) >= maxPaced {
		return false
	}
	p.until[subject] = now.Add(next)
	return true
}

// forget has the next line on a subject be logged at once.
func (p *pace) forget(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, subject)
}

// A sink takes the lines that the library logs, until it is closed: some of the
// library's goroutines outlive its shutdown by seconds.
type sink struct {
	name     string // of this edge
	log      *slog.Logger
	refusals *refusals
	noUDP    func(member string) // is told of a member that answers over TCP only

	mu     sync.RWMutex // held to read while a line is written
	closed bool         // guarded by mu
}

// close ends the log. No line is written once it has returned.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// logger returns what the library logs to.
func (s *sink) logger() *log.Logger { return log.New(s, "", 0) }

// Write counts what a line tells of, and logs it with its level: of those that
// differ only in words with digits, one a minute. What is only for those who debug
// the library is dropped.
func (s *sink) Write(line []byte) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return len(line), nil
	}
	level, text := slog.LevelInfo, string(bytes.TrimSpace(line))
	for prefix, of := range map[string]slog.Level{
		"[DEBUG] ": slog.LevelDebug, "[INFO] ": slog.LevelInfo, "[WARN] ": slog.LevelWarn, "[ERR] ": slog.LevelWarn, "[ERROR] ": slog.LevelWarn,
	} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			level, text = of, rest
		}
	}
	text = strings.TrimPrefix(text, "memberlist: ")
	what, from, _ := strings.Cut(text, " from=")
	member, overTCP := answersOverTCP(text)
	switch reason := reasonOf(text); {
	case reason != "":
		s.refuse(reason, cmp.Or(from, "unknown"), what)
	case overTCP:
		s.noUDP(member)
	case level > slog.LevelDebug && !s.isNoise(text) && s.refusals.pace.allows(withoutNumbers(what), time.Minute):
		s.log.Log(context.Background(), level, "cluster: "+text)
	}
	return len(line), nil
}

// refuse counts what was refused, and logs it: what anybody can cause as often as
// they like, once a minute for each reason.
func (s *sink) refuse(reason, from, why string) {
	s.refusals.count(reason)
	if s.refusals.pace.allows(reason, time.Minute) {
		s.log.Warn("cluster: refused what was sent here; more of it is only counted for a minute", "reason", reason, "from", from, "error", why)
	}
}

// withoutNumbers returns a text without the words that have a digit: so many
// bytes, an address, an edge's name.
func withoutNumbers(text string) string {
	words := slices.DeleteFunc(strings.Fields(text), func(w string) bool { return strings.ContainsAny(w, "0123456789") })
	return strings.Join(words, " ")
}

// answersOverTCP returns the member of which a line says that it answers over TCP,
// and not over UDP.
func answersOverTCP(text string) (member string, ok bool) {
	rest, ok := strings.CutPrefix(text, "Was able to connect to ")
	if !ok {
		return "", false
	}
	end := max(strings.LastIndex(rest, " over TCP but UDP probes failed"), 0)
	return rest[:end], end > 0
}

// isNoise reports whether a line is of no use to anybody who runs an edge.
func (s *sink) isNoise(text string) bool {
	for _, start := range []string{
		"Refuting an alive", "Stream connection",
		"Refuting a dead message (from: " + s.name + ")", // it left, and is there again
		"Conflicting address",                            // NotifyConflict tells of it
	} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return strings.Contains(text, "use of closed network connection") // this edge ends
}

// reasonOf returns why that was refused of which a line tells; "" for other lines.
func reasonOf(text string) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("Decrypt packet failed", "could decrypt", "state is encrypted", "state is not encrypted"):
		return reasonKey
	case has("unacceptable label", "double stream label", "double packet label"):
		return reasonLabel
	case has("Failed to decode", "not supported", "missing message type", "exceeds limit", "Failed to receive user message", "failed to receive",
		"cannot decode label", "label header cannot be empty", "packet too short", "invalid checksum", "Failed to decompress", "truncated messages"):
		return reasonMalformed
	}
	return ""
}

// NotifyConflict notes an edge with the name of another one, which stays until
// the library has found it dead, and for as long as reclaim says after that.
func (d *delegate) NotifyConflict(known, other *memberlist.Node) {
	c := d.c
	c.refusals.conflicts.Add(1)
	ip, _ := netip.AddrFromSlice(other.Addr)
	at := netip.AddrPortFrom(ip.Unmap(), other.Port)
	if !c.refusals.pace.allows("name "+at.String(), time.Minute) {
		return
	}
	c.Log.Warn("cluster: a name is at two addresses: an edge that has moved is a member again within two or three minutes; else give one of two edges another edge.name",
		"name", known.Name, "address", known.Address(), "other", at)
}
