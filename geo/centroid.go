package geo

import (
	_ "embed"
	"strconv"
	"strings"
)

//go:embed centroids.txt
var centroids string

// Centroid returns a place that stands for a country where nothing better is
// known of a client or host: its geographic middle or, for countries with most
// people on one side, about their centre of population. It is good to a degree or
// two, and reports false for an unknown country and for codes that are no place
// (EU, A1). It searches a text of 5 KB, some microseconds: for build time.
func Centroid(c Country) (Point, bool) {
	if !c.Known() {
		return Point{}, false
	}
	_, rest, found := strings.Cut(centroids, "\n"+c.String()+" ")
	if !found {
		return Point{}, false
	}
	line, _, _ := strings.Cut(rest, "\n")
	latText, lonText, _ := strings.Cut(line, " ")
	lat, errLat := strconv.ParseFloat(latText, 32)
	lon, errLon := strconv.ParseFloat(lonText, 32)
	if errLat != nil || errLon != nil {
		return Point{}, false // a test reads every line, so never
	}
	return Point{Lat: float32(lat), Lon: float32(lon)}, true
}
