// Package catalog decodes and writes the catalogue file: a whole registry of mirrors in one
// YAML file, for those who need no control plane.
//
//	categories:
//	  - {name: os, path: pub/os, origin: "https://origin.example.org/pub/os"}
//	hosts:
//	  - name: de1
//	    country: DE
//	    netblocks: [198.51.100.0/24]
//	    urls: {os: ["https://de1.example.org/os", "rsync://de1.example.org/os"]}
//	    lacks: [pub/os/releases/41]
//
// [File] and the types of its fields document every key. Decoding is strict, and
// all that is wrong with a file is found at once:
//
//	catalog.yaml:7: hosts[0].netblocks[0]: want a prefix such as …, got "198.51.100.1/24"
//
// A catalogue does not list all directories, as a scan would. It lists those of
// which it says something: the tops of categories, what a host lacks, directories
// of files and repositories, complete ones, and all their parents. Any other
// directory is held by whoever holds the nearest listed one above it, and does
// not exist if that one is complete.
package catalog

import (
	"cmp"
	"errors"
	"slices"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// Decode decodes data, the content of the file name. Everything wrong with it is
// returned as [snapshot.Problems], in the order of lines. The snapshot's Version
// and Created are left for the caller, who knows when the file was written.
func Decode(name string, data []byte) (*snapshot.Snapshot, error) {
	b := builder{snap: &snapshot.Snapshot{}}
	b.doc = strict.Decode(name, data, &b.in)
	if b.doc.Has("") { // else there is no document that could be looked at
		b.build()
	}
	if err := b.doc.Err(); err != nil {
		return nil, sorted(err)
	}
	return b.snap, nil
}

// sorted sorts problems by line; those of one line stay as they were found.
func sorted(err error) error {
	if problems, ok := errors.AsType[snapshot.Problems](err); ok {
		slices.SortStableFunc(problems, func(x, y snapshot.Problem) int { return cmp.Compare(x.Line, y.Line) })
	}
	return err
}
