package export

import (
	"archive/tar"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
)

// A Format is a form in which a snapshot can be written.
type Format struct {
	Name string // as the command line and the API call it
	Type string // media type

	// Public means that all of it may be known to the world: it names no private
	// host, none that is down, and nothing under embargo.
	Public bool

	// Large means that it may have hundreds of megabytes, at the size of Fedora:
	// write it to where it goes, not into memory.
	Large bool

	write func(w io.Writer, s *snapshot.Snapshot, now time.Time) (notes []string, err error)
}

// Write writes a snapshot, and returns notes of what the format cannot say, a
// line each. now is when it is read: embargoes that end later are in force.
func (f Format) Write(w io.Writer, s *snapshot.Snapshot, now time.Time) (notes []string, err error) {
	return f.write(w, s, now)
}

// Media types that several formats have.
const (
	plain  = "text/plain; charset=utf-8"
	binary = "application/octet-stream"
)

// Formats returns all formats. The rsync ACL and filter, which are made of the
// registry and not of a snapshot, are not among them.
func Formats() []Format {
	return []Format{
		{"json", "application/json", true, false, noNotes(JSON)},
		{"text", plain, true, false, noNotes(Text)},
		{"html", "text/html; charset=utf-8", true, false, noNotes(HTML)},
		{"mirrorlists", "application/x-tar", true, true, noNotes(MirrorlistsTar)},
		{"nginx", plain, true, false, noNotes(Nginx)},
		{"apache", plain, true, false, noNotes(Apache)},
		{"haproxy", plain, true, false, noNotes(HAProxy)},
		{"varnish", plain, true, false, noNotes(Varnish)},
		{"squid-refresh", plain, true, false, noNotes(SquidRefresh)},
		{"squid-storeid", plain, true, false, noNotes(SquidStoreID)},
		{"catalog", "application/yaml", false, true, catalog.Encode},
		{"mirrormanager", binary, false, true, cache},
	}
}

// Find returns the format of a name.
func Find(name string) (Format, bool) {
	all := Formats()
	i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return all[i], true
}

// noNotes makes a format's writer of a function that can say all there is.
func noNotes(write func(io.Writer, *snapshot.Snapshot, time.Time) error) func(io.Writer, *snapshot.Snapshot, time.Time) ([]string, error) {
	return func(w io.Writer, s *snapshot.Snapshot, now time.Time) ([]string, error) { return nil, write(w, s, now) }
}

func cache(w io.Writer, s *snapshot.Snapshot, now time.Time) ([]string, error) {
	report, err := mirrormanager.Encode(w, s, now)
	return []string{report.String()}, err
}

// MirrorlistsTar writes [Mirrorlists] as a tar archive: unpack it where a web
// server looks for files.
func MirrorlistsTar(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := tar.NewWriter(w)
	for list := range Mirrorlists(s, now) {
		head := tar.Header{Name: list.Path, Mode: 0o644, Size: int64(len(list.Text)), ModTime: now.Truncate(time.Second), Format: tar.FormatPAX}
		err := out.WriteHeader(&head)
		if err == nil {
			_, err = io.WriteString(out, list.Text)
		}
		if err != nil {
			return fmt.Errorf("writing mirrorlists: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing mirrorlists: %w", err)
	}
	return nil
}
