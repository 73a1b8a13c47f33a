package export

import (
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// SquidRefresh writes refresh_pattern lines
// (https://www.squid-cache.org/Doc/config/refresh_pattern/) for a Squid that
// caches what clients fetch from mirrors: metadata is asked for again after
// minutes, packages and images, whose names never come back with other content,
// stay. It is to be included before other refresh_pattern lines.
func SquidRefresh(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	for _, top := range tops(s, now) {
		out.line("# %s", comment(top.url))
		pattern := "^" + regexp.QuoteMeta(top.url) + "/"
		out.line(`refresh_pattern -i %s(.*/)?(repodata|dists)/ 0 20%% 15`, pattern)
		out.line(`refresh_pattern -i %s.*\.(rpm|drpm|deb|udeb|iso|qcow2|raw|img|zst|xz)$ 10080 100%% 525600 refresh-ims`, pattern)
	}
	return out.failed("Squid")
}

// SquidStoreID writes a database for storeid_file_rewrite(8), Squid's helper for
// store_id_program: one file is one object in the cache, whatever mirror it came
// from. Each line is a regular expression, a tab, and what the URL is kept as.
func SquidStoreID(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	for _, top := range tops(s, now) {
		out.line("^%s/(.*)\thttp://%s.squid.internal/$1", regexp.QuoteMeta(top.url), strings.ReplaceAll(top.word, "_", "-"))
	}
	return out.failed("Squid")
}

// A top is a URL of a category's top directory.
type top struct {
	word string // of the category
	url  string
}

// tops returns the web URLs of all public hosts, also of those that hold only a
// part: what they have is the same.
func tops(s *snapshot.Snapshot, now time.Time) (out []top) {
	words := map[string]bool{}
	for i, c := range s.Categories {
		if embargoed(s, c.Path, now) {
			continue
		}
		w := word(c.Name, words)
		for h := range s.Hosts {
			for _, u := range urls(&s.Hosts[h], uint32(i)) {
				if public(&s.Hosts[h]) && strings.HasPrefix(u, "http") {
					out = append(out, top{w, u})
				}
			}
		}
	}
	return out
}
