// Package demo holds the catalogue that `waypost demo` runs with: some fifty real
// public mirrors of the Linux kernel, Fedora and EPEL. It is data; see the head
// of catalog.yaml for what it is and is not.
package demo

import _ "embed"

// Name names the catalogue, in errors and to people.
const Name = "configs/demo/catalog.yaml"

// Catalog is a catalogue file, in YAML.
//
//go:embed catalog.yaml
var Catalog string
