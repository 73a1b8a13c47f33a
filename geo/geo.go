// Package geo holds the geography the matcher needs: countries, continents,
// places on the globe and how far apart they are.
//
// Everything here is a small value or an immutable table: safe for use by any
// number of goroutines, and never slower than a few nanoseconds where the query
// path uses it ([Continents.Of], [Vec.Ring]). What costs more (trigonometry,
// parsing) belongs to the time an index is built:
//
//	build:  Point ──Vec──► unit vector      Point ──Cell──► grid cell of 50 km
//	query:  client.Ring(host) ──► 0 (within 100 km) … 11 (the other side of the earth)
//
// Zero values mean "unknown" for [Country], [Continent], [Vec] and cells. A
// [Point] is always a known place, because latitude 0, longitude 0 is one;
// where a place may be missing, functions return a second result.
//
// The package is a leaf: it knows neither netblocks nor files of databases.
// Readers of MaxMind databases are in geo/mmdb, bundled data in geo/bundled.
package geo
