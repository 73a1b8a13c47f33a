package mmdb

import (
	"fmt"
	"iter"
	"net/netip"

	maxminddb "github.com/oschwald/maxminddb-golang/v2"

	"github.com/waypost/waypost/geo"
)

// Countries lists each network of the database whose country is known, once and
// in order of addresses. Only the country a network is used in counts, never
// where it is registered: MirrorManager's server does so too. A code that is not
// two letters or digits means unknown, as databases write "-" or "None" for it.
//
// The error names the file, and a database without countries is one.
func (db *DB) Countries() (iter.Seq2[netip.Prefix, geo.Country], error) {
	return networks(db, "a country (country.iso_code or country_code)", countryOf)
}

// Points lists each network whose coordinates are known, as [DB.Countries] does.
// Coordinates may be numbers or text; those that are not on the globe are an
// error, which names a network that has them.
func (db *DB) Points() (iter.Seq2[netip.Prefix, geo.Point], error) {
	return networks(db, "coordinates (location.latitude and .longitude, or latitude and longitude)", pointOf)
}

// ASNs lists each network whose autonomous system number is known, as
// [DB.Countries] does. AS 0 means unknown (RFC 7607).
func (db *DB) ASNs() (iter.Seq2[netip.Prefix, uint32], error) {
	return networks(db, "an AS number (autonomous_system_number, traits.autonomous_system_number or asn)", asnOf)
}

// networks checks db and lists its networks with what read finds in their
// records; read reports false if a record lacks it. what is for the error if all do.
func networks[T any](db *DB, what string, read func(maxminddb.Result) (T, bool, error)) (iter.Seq2[netip.Prefix, T], error) {
	values, err := decode(db, read)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", db.name, err)
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("reading %s: no record of this database of type %q has %s", db.name, db.Type(), what)
	}
	return func(yield func(netip.Prefix, T) bool) {
		for l, walkErr := range db.tree.leaves(db.aliases) {
			if walkErr != nil {
				return // decode has seen this walk to its end, so never
			}
			if v, ok := values[l.offset]; ok && !mapped(l.prefix) && !yield(l.prefix, v) {
				return
			}
		}
	}, nil
}

// decode walks the tree and reads each distinct record once: a city database
// of 6.3 million networks has 425,000.
func decode[T any](db *DB, read func(maxminddb.Result) (T, bool, error)) (values map[uintptr]T, err error) {
	defer rescue(&err)
	values = make(map[uintptr]T)
	seen := make(map[uintptr]bool)
	for l, walkErr := range db.tree.leaves(db.aliases) {
		if walkErr != nil {
			return nil, walkErr
		}
		if seen[l.offset] {
			continue
		}
		seen[l.offset] = true
		v, ok, readErr := read(db.reader.LookupOffset(l.offset))
		if readErr != nil {
			return nil, fmt.Errorf("record of %s: %w", l.prefix, readErr)
		}
		if ok {
			values[l.offset] = v
		}
	}
	return values, nil
}

// mapped reports whether p lies in ::ffff:0:0/96.
func mapped(p netip.Prefix) bool { return p.Addr().Is4In6() && p.Bits() >= 96 }
