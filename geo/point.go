package geo

import (
	"fmt"
	"math"
)

// earthRadius is the mean radius in km (IUGG R1). Taking the earth as a sphere is
// wrong by at most 0.6%, far less than how wrong places of addresses are.
const earthRadius = 6371.0088

// Point is a known place: latitude -90 (south) to 90, longitude -180 (west) to
// 180, in degrees. The zero Point is a place too, in the Gulf of Guinea.
// A float32 tells places 2 m apart.
type Point struct{ Lat, Lon float32 }

// NewPoint checks that lat and lon are degrees on the globe. NaN is not.
func NewPoint(lat, lon float64) (Point, error) {
	if !(lat >= -90 && lat <= 90) {
		return Point{}, fmt.Errorf("latitude %v: want degrees from -90 to 90", lat)
	}
	if !(lon >= -180 && lon <= 180) {
		return Point{}, fmt.Errorf("longitude %v: want degrees from -180 to 180", lon)
	}
	return Point{Lat: float32(lat), Lon: float32(lon)}, nil
}

// Valid reports whether p lies on the globe; one with a NaN does not.
func (p Point) Valid() bool {
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180
}

// String returns the coordinates as "52.52,13.41".
func (p Point) String() string { return fmt.Sprintf("%.2f,%.2f", p.Lat, p.Lon) }

// Distance returns the length in km of the great circle between a and b, by the
// haversine formula, which is exact enough for any pair: near, far, across the
// antimeridian and at the poles. It takes some 50 ns; the query path compares
// places by [Vec.Ring].
func Distance(a, b Point) float64 {
	lat1, lat2 := radians(a.Lat), radians(b.Lat)
	dLat := math.Sin((lat2 - lat1) / 2)
	dLon := math.Sin((radians(b.Lon) - radians(a.Lon)) / 2)
	h := dLat*dLat + math.Cos(lat1)*math.Cos(lat2)*dLon*dLon
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h))) // rounding may lift h above 1 at the antipode
}

func radians(degrees float32) float64 { return float64(degrees) * (math.Pi / 180) }
