package export

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// Mirrors is the file mirrors.json (RFC 8259). Keys may be added; those that are
// here keep their meaning.
type Mirrors struct {
	Version    uint64            `json:"version"`    // of the data: grows with every change
	Created    time.Time         `json:"created"`    // when it was published, RFC 3339
	Categories []MirrorsCategory `json:"categories"` // trees of content
	Mirrors    []Mirror          `json:"mirrors"`    // public hosts, sorted by name
}

// MirrorsCategory is a tree of content.
type MirrorsCategory struct {
	Name        string `json:"name"`
	Path        string `json:"path"`             // top directory, without slashes at its ends
	Origin      string `json:"origin,omitempty"` // URL of the top directory at the origin
	Directories int    `json:"directories"`      // how many are known
}

// Mirror is a public host.
type Mirror struct {
	Name       string           `json:"name"`
	Country    string           `json:"country,omitempty"`   // two letters
	Location   *Location        `json:"location,omitempty"`  // where it stands
	Bandwidth  uint32           `json:"bandwidth,omitempty"` // Mbit/s
	ASNs       []uint32         `json:"asns,omitempty"`
	Allowed    []string         `json:"countries_allowed,omitempty"`  // only for clients of these countries; absent: of all
	Excluded   []string         `json:"countries_excluded,omitempty"` // not for clients of these countries
	Categories []MirrorCategory `json:"categories"`                   // those of which it holds something
}

// Location is a place in degrees.
type Location struct {
	Lat float32 `json:"lat"`
	Lon float32 `json:"lon"`
}

// MirrorCategory is what a host carries of a category.
type MirrorCategory struct {
	Name        string   `json:"name"`        // of the category
	URLs        []string `json:"urls"`        // of the top directory: https, http, ftp or rsync
	Directories int      `json:"directories"` // how many of the category's it holds as the master does
}

// JSON writes [Mirrors].
func JSON(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := Mirrors{Version: s.Version, Created: s.Created.UTC(), Categories: []MirrorsCategory{}, Mirrors: []Mirror{}}
	known := knownDirectories(s, now)
	for i, c := range s.Categories {
		if !embargoed(s, c.Path, now) {
			out.Categories = append(out.Categories, MirrorsCategory{c.Name, c.Path, c.Origin, common(known[i], known[i])})
		}
	}
	for _, i := range byName(s) {
		if m := mirror(s, &s.Hosts[i], known, now); len(m.Categories) > 0 {
			out.Mirrors = append(out.Mirrors, m)
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("writing mirrors.json: %w", err)
	}
	return nil
}

func mirror(s *snapshot.Snapshot, h *snapshot.Host, known []snapshot.Bitmap, now time.Time) Mirror {
	m := Mirror{Name: h.Name, Country: h.Country.String(), Bandwidth: h.Bandwidth, ASNs: h.ASNs}
	if h.Place != nil {
		m.Location = &Location{h.Place.Lat, h.Place.Lon}
	}
	for _, c := range h.Allowed {
		m.Allowed = append(m.Allowed, c.String())
	}
	for _, c := range h.Excluded {
		m.Excluded = append(m.Excluded, c.String())
	}
	for _, mount := range h.Mounts {
		c := s.Categories[mount.Category]
		if len(mount.URLs) > 0 && !embargoed(s, c.Path, now) && !holdsNone(h, known[mount.Category]) {
			m.Categories = append(m.Categories, MirrorCategory{c.Name, mount.URLs, common(h.Has, known[mount.Category])})
		}
	}
	return m
}
