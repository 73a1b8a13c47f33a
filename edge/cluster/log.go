package cluster

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
)

// Refusals count what members and others sent that was not taken. The library
// only logs them, so the log is where they are counted.
type refusals struct {
	key       atomic.Uint64 // encrypted with another key, or not at all
	label     atomic.Uint64 // of another cluster
	malformed atomic.Uint64 // not what a member sends
	conflicts atomic.Uint64 // an edge with the name of another
}

// A sink takes the lines that the library logs.
type sink struct {
	log      *slog.Logger
	refusals *refusals
}

// logger returns what the library logs to.
func (s *sink) logger() *log.Logger { return log.New(s, "", 0) }

// Write counts what a line tells of, and logs it with its level. What is only
// for those who debug the library is dropped.
func (s *sink) Write(line []byte) (int, error) {
	level, text := slog.LevelInfo, string(bytes.TrimSpace(line))
	for prefix, of := range map[string]slog.Level{
		"[DEBUG] ": slog.LevelDebug, "[INFO] ": slog.LevelInfo, "[WARN] ": slog.LevelWarn, "[ERR] ": slog.LevelWarn, "[ERROR] ": slog.LevelWarn,
	} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			level, text = of, rest
		}
	}
	text = strings.TrimPrefix(text, "memberlist: ")
	refused := s.count(text)
	if refused || strings.HasPrefix(text, "Refuting an alive") || strings.HasPrefix(text, "Stream connection") {
		level = slog.LevelDebug // anybody can cause it as often as they like; counters tell of it
	}
	if level > slog.LevelDebug {
		s.log.Log(context.Background(), level, "cluster: "+text)
	}
	return len(line), nil
}

// count counts a line that tells of a refusal.
func (s *sink) count(text string) bool {
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
	case has("unacceptable label", "double stream label", "double packet label"):
		s.refusals.label.Add(1)
	case has("Conflicting address"):
		s.refusals.conflicts.Add(1)
		return false // somebody should know
	case has("Failed to decode", "not supported", "missing message type", "exceeds limit", "Failed to receive user message", "failed to receive",
		"cannot decode label", "label header cannot be empty", "packet too short", "invalid checksum", "Failed to decompress", "truncated messages"):
		s.refusals.malformed.Add(1)
	default:
		return false
	}
	return true
}
