package mmdb

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	maxminddb "github.com/oschwald/maxminddb-golang/v2"

	"github.com/waypost/waypost/geo"
)

func countryOf(r maxminddb.Result) (geo.Country, bool, error) {
	for _, path := range [][]string{{"country", "iso_code"}, {"country_code"}} {
		v, err := field(r, path...)
		if err != nil {
			return geo.Country{}, false, err
		}
		if text, isText := v.(string); isText {
			c, parseErr := geo.ParseCountry(text)
			return c, parseErr == nil, nil
		}
	}
	return geo.Country{}, false, nil
}

func pointOf(r maxminddb.Result) (geo.Point, bool, error) {
	for _, parent := range [][]string{{"location"}, {}} {
		lat, hasLat, err := degrees(r, append(parent, "latitude")...)
		if err != nil {
			return geo.Point{}, false, err
		}
		lon, hasLon, err := degrees(r, append(parent, "longitude")...)
		if err != nil {
			return geo.Point{}, false, err
		}
		if hasLat && hasLon {
			p, pointErr := geo.NewPoint(lat, lon)
			return p, pointErr == nil, pointErr
		}
	}
	return geo.Point{}, false, nil
}

func asnOf(r maxminddb.Result) (uint32, bool, error) {
	for _, path := range [][]string{{"autonomous_system_number"}, {"traits", "autonomous_system_number"}, {"asn"}} {
		v, err := field(r, path...)
		if err != nil {
			return 0, false, err
		}
		var n uint64
		switch v := v.(type) {
		case uint64:
			n = v
		case string:
			digits := strings.TrimPrefix(strings.TrimPrefix(v, "AS"), "as")
			if n, err = strconv.ParseUint(digits, 10, 64); digits != "" && err != nil {
				return 0, false, fmt.Errorf("%s %q: want a number", strings.Join(path, "."), v)
			}
		default:
			continue
		}
		if n > math.MaxUint32 {
			return 0, false, fmt.Errorf("%s %d: want at most 32 bits", strings.Join(path, "."), n)
		}
		return uint32(n), n != 0, nil
	}
	return 0, false, nil
}

// degrees reads a number, which may be written as text; "" is none.
func degrees(r maxminddb.Result, path ...string) (d float64, ok bool, err error) {
	v, err := field(r, path...)
	if err != nil {
		return 0, false, err
	}
	switch v := v.(type) {
	case float64:
		return v, true, nil
	case float32:
		return float64(v), true, nil
	case int32:
		return float64(v), true, nil
	case uint64:
		return float64(v), true, nil
	case string:
		if v == "" {
			return 0, false, nil
		}
		if d, err = strconv.ParseFloat(v, 64); err != nil {
			return 0, false, fmt.Errorf("%s %q: want degrees", strings.Join(path, "."), v)
		}
		return d, true, nil
	}
	return 0, false, nil
}

// field returns the value at path, or nil if some map on the way does not have
// its key, or is not a map: layouts differ, and another path may fit. The library
// descends to the first key only, as it cannot tell these from a corrupt file.
func field(r maxminddb.Result, path ...string) (any, error) {
	var v any
	if err := r.DecodePath(&v, path[0]); err != nil {
		return nil, err
	}
	for _, key := range path[1:] {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v, nil
}
