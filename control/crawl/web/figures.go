package web

import (
	"strconv"
	"strings"
	"time"
)

// layouts are how servers write a time of change, by how many fields they take.
var layouts = []struct { //nolint:gochecknoglobals // a constant table
	layout    string
	fields    int
	precision time.Duration
}{
	{time.RFC3339, 1, time.Second},           // Caddy
	{"2006-01-02 15:04:05", 2, time.Second},  //
	{"2006-01-02 15:04", 2, time.Minute},     // Apache
	{"02-Jan-2006 15:04:05", 2, time.Second}, //
	{"02-Jan-2006 15:04", 2, time.Minute},    // nginx, old Apache
	{"2006-Jan-02 15:04:05", 2, time.Second}, // lighttpd
	{"2006/01/02 15:04:05", 2, time.Second},  //
	{"2006/01/02 15:04", 2, time.Minute},     //
	{"02 Jan 2006 15:04", 4, time.Minute},    //
	{time.RFC1123, 6, time.Second},           //
	{"2006-01-02", 1, 24 * time.Hour},        //
	{"02-Jan-2006", 1, 24 * time.Hour},       //
	{"2006-01-02T15:04:05", 1, time.Second},  //
	{"2006-01-02T15:04:05.999Z07:00", 1, time.Second},
}

// read finds a date and a size in what stands behind a link. The size is
// looked for only outside the date.
func (e *Entry) read(tail string) {
	fields := strings.Fields(tail)
	for i := 0; i < len(fields); i++ {
		if n := e.readTime(fields[i:]); n > 0 {
			i += n - 1
			continue
		}
		if e.MinSize >= 0 {
			continue
		}
		unit := ""
		if i+1 < len(fields) {
			unit = fields[i+1]
		}
		e.MinSize, e.MaxSize = parseSize(fields[i], unit)
	}
}

// readTime reads a date from the beginning of fields, if there is one and none
// was read before, and returns how many fields it takes.
func (e *Entry) readTime(fields []string) int {
	if !e.Time.IsZero() || strings.IndexByte("0123456789MTWFS", fields[0][0]) < 0 || len(fields[0]) < 2 {
		return 0
	}
	for _, l := range layouts {
		if len(fields) < l.fields {
			continue
		}
		t, err := time.Parse(l.layout, strings.Join(fields[:l.fields], " "))
		if err == nil {
			e.Time, e.Precision = t, l.precision
			return l.fields
		}
	}
	return 0
}

// parseSize reads "1234", "1,234", "1.2K", "12M", "1.2 KiB", "340 kB" and
// returns the sizes it can mean: one unit of the last digit to either side,
// and units of 1000 or 1024. A number without a unit is in bytes, and exact.
func parseSize(s, next string) (lo, hi int64) {
	s = strings.ReplaceAll(s, ",", "")
	digits := strings.TrimRight(s, "BbIiKkMmGgTt")
	unit := s[len(digits):]
	if unit == "" {
		unit = next
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || v < 0 || v > 1<<50 || strings.ContainsAny(digits, "eExXpP_+-nN") {
		return -1, -1
	}
	small, large := scale(unit)
	if small == 1 {
		if strings.Contains(digits, ".") {
			return -1, -1
		}
		return int64(v), int64(v)
	}
	step := 1.0
	if _, fraction, ok := strings.Cut(digits, "."); ok {
		for range fraction {
			step /= 10
		}
	}
	return int64(max(0, v-step) * small), int64((v + step) * large)
}

// scale returns what a unit multiplies by, at least and at most.
func scale(unit string) (small, large float64) {
	small, large = 1, 1
	if unit == "" || len(unit) > 3 {
		return small, large
	}
	if rest := strings.ToLower(unit[1:]); rest != "" && rest != "b" && rest != "ib" {
		return small, large
	}
	for range 1 + strings.IndexByte("kmgt", unit[0]|0x20) {
		small, large = small*1000, large*1024
	}
	return small, large
}

// MayBe reports whether the entry can be that of a file of size bytes (-1:
// unknown) that was changed at mtime (0: unknown), and whether the page says
// enough to be sure of its size: the figure is exact, or the time agrees too.
// As the page's time zone is unknown, times agree that differ by a number of
// quarters of an hour.
func (e Entry) MayBe(size, mtime int64) (maybe, sure bool) {
	if e.Directory || e.MinSize >= 0 && size >= 0 && (size < e.MinSize || size > e.MaxSize) {
		return false, false
	}
	exact := e.MinSize >= 0 && e.MinSize == e.MaxSize && size >= 0
	return true, exact || size >= 0 && e.MinSize >= 0 && e.agrees(mtime)
}

// agrees reports whether the page's time is mtime in some time zone.
func (e Entry) agrees(mtime int64) bool {
	const quarter, day = 15 * 60, 24 * 3600
	if e.Time.IsZero() || mtime == 0 || e.Precision >= 24*time.Hour {
		return false
	}
	diff := mtime - e.Time.Unix() // in [0, precision), if the zone is UTC
	if diff < -day || diff > day {
		return false
	}
	return ((diff%quarter)+quarter)%quarter < int64(e.Precision/time.Second)
}
