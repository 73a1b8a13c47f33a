// Package mmdb reads MaxMind DB files: country, city and ASN databases, in the
// layouts of GeoIP2 (country.iso_code, location.latitude) and of ip-location-db
// (country_code, latitude). It is the only package that knows the library.
//
// Nothing is looked up in a file while clients wait: an index is compiled from
// all networks of a database, so that this package lists them.
//
//	db, err := mmdb.Open("GeoLite2-Country.mmdb")
//	…
//	countries, err := db.Countries()
//	…
//	for prefix, country := range countries {
//
// All that can be wrong with a file is found before the first network is handed
// out: Open checks the metadata; Countries, Points and ASNs walk the whole search
// tree and decode each distinct record once. What they return then walks the tree
// a second time and cannot fail. Both walks of a country database of 400,000
// networks take 0.1 s together, those of a city database of 6.3 million 1.7 s.
//
// A database for both families has its IPv4 networks listed as IPv4. Databases
// also make them reachable under IPv6 prefixes that embed an IPv4 address; those
// aliases are left out unless [DB.WithAliases] asks for them.
//
// Files split by family (-ipv4.mmdb, -ipv6.mmdb) are two databases; list both.
package mmdb

import (
	"fmt"
	"os"
	"time"

	maxminddb "github.com/oschwald/maxminddb-golang/v2"
)

// DB is one database in memory. It is immutable and safe for concurrent use.
type DB struct {
	name    string
	reader  *maxminddb.Reader
	tree    tree
	aliases bool
}

// Open reads the file at path into memory, whole. A memory map would be
// smaller, but somebody who truncates the file in place would then kill the
// process. The memory is free again when the DB and its iterators are.
func Open(path string) (*DB, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading country, city or ASN database: %w", err)
	}
	return FromBytes(path, b)
}

// FromBytes reads a database from b, which must not be changed afterwards. name
// stands for it in errors.
func FromBytes(name string, b []byte) (*DB, error) {
	reader, err := openBytes(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: want a MaxMind DB file of format 2, with metadata at its end (truncated?): %w", name, err)
	}
	if v := reader.Metadata.IPVersion; v != 4 && v != 6 {
		return nil, fmt.Errorf("reading %s: metadata says ip_version %d, want 4 or 6", name, v)
	}
	t, err := newTree(b, reader.Metadata)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return &DB{name: name, reader: reader, tree: t}, nil
}

func openBytes(b []byte) (reader *maxminddb.Reader, err error) {
	defer rescue(&err)
	return maxminddb.OpenBytes(b)
}

// WithAliases returns the same database with IPv6 networks listed too that
// embed an IPv4 address, each with the values of that IPv4 network: 6to4
// (2002::/16, RFC 3056) and Teredo (2001::/32, RFC 4380, by the address of the
// Teredo server). MirrorManager's mirrorlist-server sees clients there as in the
// country of the IPv4 address, because a look-up follows the aliases. They are
// listed only if the file has them; they double the number of IPv4 networks or
// treble it. ::ffff:0:0/96 never is listed: it is IPv4 everywhere in Waypost.
func (db *DB) WithAliases() *DB {
	with := *db
	with.aliases = true
	return &with
}

// Name returns the path or name that the database was opened by.
func (db *DB) Name() string { return db.name }

// Type returns the type that the file states, such as "GeoLite2-Country".
func (db *DB) Type() string { return db.reader.Metadata.DatabaseType }

// Built returns when the file was made, by its own account.
func (db *DB) Built() time.Time { return db.reader.Metadata.BuildTime().UTC() }

// rescue turns a panic of the library on a file it did not foresee into an
// error. None is known.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("corrupt MaxMind DB file: %v", r)
	}
}
