package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// A ReleaseStatus is the answer to GET /v1/release-status: which mirrors hold a
// release, by crawl or, while it is under embargo, by what they report.
type ReleaseStatus struct {
	Release   string    `json:"release"`
	LiftAt    time.Time `json:"lift_at"`
	Announced time.Time `json:"announced,omitzero"` // zero: not yet
	Lifted    bool      `json:"lifted"`             // the embargo has ended

	// What the master has of it.
	Directories int   `json:"directories"`
	Files       int   `json:"files"`
	Bytes       int64 `json:"bytes"` // of files whose size is known

	Ready   int     `json:"ready"`   // hosts that hold all of it
	Percent float64 `json:"percent"` // of the bandwidth of all hosts that carry it, of those that are ready

	Hosts []ReleaseHost `json:"hosts"` // those that are not ready first
}

// The states of hosts towards a release.
const (
	StateReady   = "ready"   // it holds all directories
	StatePartial = "partial" // it holds some
	StateMissing = "missing" // it was seen and holds none
	StateUnknown = "unknown" // nothing is known: never seen, or the master has none of it yet
)

// A ReleaseHost says what a host holds of a release.
type ReleaseHost struct {
	Host        string    `json:"host"` // its key
	Country     string    `json:"country,omitempty"`
	Bandwidth   uint32    `json:"bandwidth"` // Mbit/s
	Private     bool      `json:"private,omitempty"`
	AutoCarry   bool      `json:"auto_carry,omitempty"`
	State       string    `json:"state"` // ready, partial, missing or unknown
	Held        int       `json:"held"`  // directories
	Directories int       `json:"directories"`
	Seen        time.Time `json:"seen,omitzero"` // by the last whole crawl or report
}

func (s *server) releaseStatus(c *call) error {
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	name := c.parameter("name")
	r, ok := registry.Find[*registry.Release](c.world, name)
	if !ok {
		return fail(http.StatusNotFound, "there is no release %.80q", name)
	}
	status, err := StatusOf(c.Context(), s.Store, c.world, r, s.Now())
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, status)
}

// eachListing calls f with all listings.
func eachListing(ctx context.Context, s *store.Store, f func(*registry.Listing)) error {
	return s.Listings(ctx, time.Time{}, func(l *registry.Listing) error { f(l); return nil })
}

// StatusOf returns how ready mirrors are for a release at now. It reads the
// trees of its categories and all listings: a second where they are large.
func StatusOf(ctx context.Context, s *store.Store, w *registry.World, r *registry.Release, now time.Time) (ReleaseStatus, error) {
	out := ReleaseStatus{
		Release: r.Name, LiftAt: r.LiftAt, Announced: r.Announced, Lifted: !r.LiftAt.After(now), Hosts: []ReleaseHost{},
	}
	wanted := map[string][]uint32{} // by category: the numbers of its directories
	for _, c := range r.Categories(w) {
		paths, err := out.measure(ctx, s, r, c)
		if err != nil {
			return out, err
		}
		if wanted[c.Name], err = s.Numbers(ctx, paths); err != nil {
			return out, err
		}
	}
	listings := map[string][]*registry.Listing{}
	err := eachListing(ctx, s, func(l *registry.Listing) {
		if _, ok := wanted[l.Category]; ok {
			listings[l.Host] = append(listings[l.Host], l)
		}
	})
	if err != nil {
		return out, err
	}
	for _, h := range registry.All[*registry.Host](w) {
		if host, carries := readiness(h, wanted, listings[h.Key()]); carries && registry.Listed(w, h) {
			out.Hosts = append(out.Hosts, host)
		}
	}
	out.sum()
	return out, nil
}

// measure adds what the master of a category has of a release, and returns the
// whole paths of the directories. A category that was not scanned has nothing.
func (out *ReleaseStatus) measure(ctx context.Context, s *store.Store, r *registry.Release, c *registry.Category) ([]string, error) {
	tree, err := s.OpenTree(ctx, c.Name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for i, d := range tree.Tree.Directories {
		whole := path.Join(c.Path, d.Path)
		if !r.Covers(whole) {
			continue
		}
		paths = append(paths, whole)
		files := tree.Files(i)
		out.Files += len(files)
		for _, f := range files {
			out.Bytes += max(f.Size, 0)
		}
	}
	out.Directories += len(paths)
	return paths, tree.End()
}

// readiness returns what a host holds of the wanted directories, and whether it
// carries one of their categories.
func readiness(h *registry.Host, wanted map[string][]uint32, listings []*registry.Listing) (out ReleaseHost, carries bool) {
	out = ReleaseHost{
		Host: h.Key(), Country: h.Country, Bandwidth: h.Bandwidth, Private: h.Private, AutoCarry: h.AutoCarry, State: StateUnknown,
	}
	seen := false
	for _, carry := range h.Carries {
		numbers, ok := wanted[carry.Category]
		if !ok {
			continue
		}
		carries = true
		out.Directories += len(numbers)
		if carry.AlwaysUpToDate {
			out.Held, seen = out.Held+len(numbers), true
			continue
		}
		at := slices.IndexFunc(listings, func(l *registry.Listing) bool { return l.Category == carry.Category })
		if at >= 0 {
			seen = true
			out.add(listings[at], numbers)
		}
	}
	switch {
	case out.Directories == 0 || !seen:
	case out.Held == out.Directories:
		out.State = StateReady
	case out.Held > 0:
		out.State = StatePartial
	default:
		out.State = StateMissing
	}
	return out, carries
}

// add counts what a listing has of the wanted directories.
func (out *ReleaseHost) add(l *registry.Listing, numbers []uint32) {
	if l.Seen.Unix() > 1 && l.Seen.After(out.Seen) { // 1: seen, but never whole
		out.Seen = l.Seen
	}
	for _, n := range numbers {
		if l.Holds.Has(n) && !l.Unknown.Has(n) {
			out.Held++
		}
	}
}

// sum counts the hosts that are ready, and puts the others before them.
func (out *ReleaseStatus) sum() {
	var ready, all float64
	for _, h := range out.Hosts {
		weight := float64(max(h.Bandwidth, 1))
		all += weight
		if h.State == StateReady {
			ready += weight
			out.Ready++
		}
	}
	if all > 0 {
		out.Percent = 100 * ready / all
	}
	slices.SortStableFunc(out.Hosts, func(a, b ReleaseHost) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(b.Bandwidth, a.Bandwidth))
	})
}

// rank orders states: those that need work first.
func rank(state string) int {
	return slices.Index([]string{StatePartial, StateMissing, StateUnknown, StateReady}, state)
}
