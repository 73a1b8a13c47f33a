package cluster

import (
	"bytes"
	"cmp"
	"context"
	"log"
	"log/slog"
	"maps"
	"net/netip"
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

	pace pace // of the lines that tell of them
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
	log      *slog.Logger
	refusals *refusals

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

// Write counts what a line tells of, and logs it with its level. What is only
// for those who debug the library is dropped; what anybody can cause as often as
// they like is logged once a minute, and counted.
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
	switch reason := s.count(text); {
	case reason != "":
		if s.refusals.pace.allows(reason, time.Minute) {
			what, from, _ := strings.Cut(text, " from=")
			s.log.Warn("cluster: refused what was sent here; more of it is only counted for a minute",
				"reason", reason, "from", cmp.Or(from, "unknown"), "error", what)
		}
	case level > slog.LevelDebug && !isNoise(text):
		s.log.Log(context.Background(), level, "cluster: "+text)
	}
	return len(line), nil
}

// isNoise reports whether a line is of no use to anybody who runs an edge.
func isNoise(text string) bool {
	for _, start := range []string{"Refuting an alive", "Stream connection", "Conflicting address"} { // of the last, NotifyConflict tells
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return strings.Contains(text, "use of closed network connection") // this edge ends
}

// count counts a line that tells of a refusal, and returns why it was refused,
// as metrics have it; "" for other lines.
func (s *sink) count(text string) (reason string) {
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
		s.refusals.key.Add(1)
		return "key"
	case has("unacceptable label", "double stream label", "double packet label"):
		s.refusals.label.Add(1)
		return "label"
	case has("Failed to decode", "not supported", "missing message type", "exceeds limit", "Failed to receive user message", "failed to receive",
		"cannot decode label", "label header cannot be empty", "packet too short", "invalid checksum", "Failed to decompress", "truncated messages"):
		s.refusals.malformed.Add(1)
		return "malformed"
	}
	return ""
}

// NotifyConflict notes an edge with the name of another one, which stays.
func (d *delegate) NotifyConflict(known, other *memberlist.Node) {
	c := d.c
	c.refusals.conflicts.Add(1)
	ip, _ := netip.AddrFromSlice(other.Addr)
	at := netip.AddrPortFrom(ip.Unmap(), other.Port)
	if !c.refusals.pace.allows("name "+at.String(), time.Minute) {
		return
	}
	if known.Name == c.Name {
		c.Log.Error("cluster: another edge has the name of this one; give it another edge.name", "name", c.Name, "address", at)
		return
	}
	c.Log.Warn("cluster: two edges have one name; give one of them another edge.name", "name", known.Name, "address", known.Address(), "other", at)
}
