// Package mirrormanager decodes MirrorManager's mirrorlist_cache into a
// [snapshot.Snapshot].
//
// The cache is one protobuf message, MirrorList (proto2, package mirrormanager),
// unframed and uncompressed. Nearly all of its bytes are repeated submessages of
// one directory each:
//
//	MirrorList
//	  1  Time                           creation, Unix seconds
//	  4  HCUrlCache                     URL id → URL of a category's top directory
//	  5  FileDetailsCache               directory → file → sizes, times and hashes, newest first
//	  9  RepoArchToDirectoryName        "repo+arch" → directory
//	  10…15                             ASNs, countries, bandwidths and netblocks of hosts
//	  16 MirrorListCache                directory, Subpath, Global, ByCountry, ByHostId
//
// They are read one by one in whatever order they come, and kept in a compact
// form until the file ends: only then is it known which hosts are private and
// what the URL ids stand for.
//
//	reader ──► stream ──► decoder (names, sets and URL lists by number) ──► build ──► Snapshot
//
// What the cache leaves unsaid is decided as the mirrorlist-server does. A
// category is a top directory: a directory's name without its Subpath. A host is
// private if some directory's ByHostId has it and no directory's Global does. The
// names of hosts are not in the cache; they are taken from URLs.
//
// A cache of Fedora's size (143 MB, 60,000 directories, 450 hosts) decodes in
// about 0.7 s on one core and is never in memory as a whole. [Encode] writes one.
package mirrormanager

import (
	"bufio"
	"fmt"
	"io"

	"github.com/waypost/waypost/edge/snapshot"
)

// bufferSize holds most submessages whole; longer ones are copied together.
const bufferSize = 256 << 10

// Decode reads a cache to its end. name is the file's name, for errors. Bytes
// that are not a whole MirrorList, and one without hosts or directories, are an
// error that names the byte where reading stopped: a [snapshot.Problems], or the
// reader's own error wrapped. What can be left out without harm is left out and
// said in the Report.
func Decode(name string, r io.Reader) (*snapshot.Snapshot, Report, error) {
	d := newDecoder()
	s := stream{r: bufio.NewReaderSize(r, bufferSize), fault: &d.fault}
	for s.next() {
		d.field(&s)
	}
	if !d.fault.found() {
		d.checkWhole(&s)
	}
	switch {
	case d.fault.cause != nil:
		return nil, Report{}, fmt.Errorf("reading %s: byte %d: %w", name, d.fault.at, d.fault.cause)
	case d.fault.found():
		return nil, Report{}, snapshot.Problems{{File: name, Key: fmt.Sprintf("byte %d", d.fault.at), Text: d.fault.text}}
	}
	snap := d.build()
	return snap, d.report, nil
}

// checkWhole finds fault with a cache that lacks what no cache lacks.
func (d *decoder) checkWhole(s *stream) {
	switch {
	case s.at == 0:
		d.fault.set(0, "the file is empty, want a MirrorList message")
	case !d.timed:
		d.fault.set(s.at, "MirrorList ends without Time (field 1)")
	case len(d.directories) == 0:
		d.fault.set(s.at, "MirrorList ends without a directory (field 16, MirrorListCache)")
	case len(d.hosts.ids) == 0:
		d.fault.set(s.at, "MirrorList ends without a host: no Global, ByHostId or HostCountryCache names one")
	}
}
