// Package history keeps which versions of a metadata file a master has held.
// Mirrors lag behind it, so a metalink names not only the newest repomd.xml but
// also, as alternates, those that mirrors may still hold; [Age] forgets the
// ones that none should. Its rules are MirrorManager's.
//
// All functions are pure: they change no argument, and time comes in.
package history

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Version is one version of a metadata file.
type Version struct {
	snapshot.Version

	// Timestamp is when the metadata says it was made, in Unix seconds: the
	// newest timestamp in a repomd.xml, else the file's time of change.
	Timestamp int64

	// Seen is when a scan saw it become the current one, in Unix seconds; after
	// a roll-back, when it did again.
	Seen int64
}

// A History is the versions of one file: first the one that the master holds,
// then the others, newest first by Timestamp.
type History []Version

// Rules say when versions are forgotten. The zero value has the defaults.
type Rules struct {
	// MaxPropagation is how long mirrors take at most to get a new version;
	// default 3 days. While the current version is younger, the one before it
	// is kept, however old.
	MaxPropagation time.Duration `yaml:"max_propagation"`

	// MaxStale is how old all other versions may be; default 4 days.
	MaxStale time.Duration `yaml:"max_stale"`

	// MaxVersions is the most versions kept of a file; default 20. It bounds
	// what a master that makes metadata every minute costs.
	MaxVersions int `yaml:"max_versions"`
}

// Same reports whether two versions have the same content as far as is known:
// a hash in common, and none different. Versions without a common hash are
// the same only if neither has any, and size and time agree.
func Same(a, b snapshot.Version) bool {
	common := false
	for k := range a.Hashes {
		if len(a.Hashes[k]) == 0 || len(b.Hashes[k]) == 0 {
			continue
		}
		if !bytes.Equal(a.Hashes[k], b.Hashes[k]) {
			return false
		}
		common = true
	}
	return common || hashless(a) && hashless(b) && a.Size == b.Size && a.MTime == b.MTime
}

func hashless(v snapshot.Version) bool {
	for _, h := range v.Hashes {
		if len(h) > 0 {
			return false
		}
	}
	return true
}

// Add returns h with v as the version that the master holds. If it was that
// already, Seen stays.
func Add(h History, v Version) History {
	out := make(History, 1, len(h)+1)
	for i, old := range h {
		same := Same(old.Version, v.Version)
		if same && i == 0 {
			v.Seen = old.Seen
		}
		if !same {
			out = append(out, old)
		}
	}
	out[0] = v
	slices.SortStableFunc(out[1:], func(a, b Version) int { return cmp.Compare(b.Timestamp, a.Timestamp) })
	return out
}

// Age returns h without the versions that no mirror should hold any more. The
// current one always stays. The next stays, too, while the current one is
// younger than MaxPropagation. All others stay until MaxStale old.
func Age(h History, now time.Time, rules Rules) History {
	if len(h) == 0 {
		return nil
	}
	sure := 1
	if age(h[0], now) <= cmp.Or(rules.MaxPropagation, 3*24*time.Hour) {
		sure = 2
	}
	limit := max(cmp.Or(rules.MaxVersions, 20), 1)
	out := make(History, 0, min(len(h), limit))
	for i, v := range h {
		if len(out) < limit && (i < sure || age(v, now) <= cmp.Or(rules.MaxStale, 4*24*time.Hour)) {
			out = append(out, v)
		}
	}
	return out
}

func age(v Version, now time.Time) time.Duration { return now.Sub(time.Unix(v.Timestamp, 0)) }
