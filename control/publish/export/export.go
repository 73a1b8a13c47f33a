// Package export writes what the control plane knows in the words of other
// programs: pure functions from a snapshot, or the registry, to text.
//
//	RsyncACL     rsyncd.conf: who may pull from a master or a tier
//	RsyncFilter  rsync: only what changed since a time
//	Mirrorlists  static files, a list for each repository and country
//	Nginx        map and split_clients
//	Apache       a map for mod_rewrite
//	HAProxy      a map
//	Varnish      VCL
//	SquidRefresh, SquidStoreID
//	JSON         mirrors.json
//	Text, HTML   lists of mirrors for people
//
// [Formats] lists those that are made of a snapshot, with two more that packages
// below edge/snapshot write: the cache of MirrorManager's mirrorlist-server, and
// the catalogue file. These two and the rsync ACL are for operators.
//
// All others are public, the rsync filter to who may pull: they never name a private
// host, one that is down, or anything under embargo. Those who serve static
// rules know nothing of files, nor of a client but its country. So the rules of
// nginx, Apache, HAProxy and Varnish name for a category only the hosts that
// hold all of it, in proportion to their bandwidth; and a host that is not for
// all countries only where the client's country is known.
//
// All functions are safe for use by any number of goroutines.
package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A table says for one category where clients of each country go.
type table struct {
	name      string // of the category
	word      string // its name in letters, digits and underscores; no other's
	path      string
	anywhere  []choice // for clients of a country that is not among countries, or of none
	countries []country
}

// A country is where its clients go.
type country struct {
	code    geo.Country
	choices []choice
}

// A choice is a place to go, and how often in proportion to the others.
type choice struct {
	url    string
	weight uint32
}

// tables returns a table for each category that some host holds as a whole.
func tables(s *snapshot.Snapshot, now time.Time) (out []table) {
	words := map[string]bool{}
	for i, c := range s.Categories {
		if embargoed(s, c.Path, now) {
			continue
		}
		hosts := wholeHosts(s, uint32(i), now)
		t := table{name: c.Name, path: c.Path, word: word(c.Name, words), anywhere: choices(hosts, uint32(i), geo.Country{})}
		for _, code := range countriesOf(s, hosts) {
			if here := choices(hosts, uint32(i), code); len(here) > 0 {
				t.countries = append(t.countries, country{code, here})
			}
		}
		if len(t.anywhere)+len(t.countries) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// public reports whether the world may know a host.
func public(h *snapshot.Host) bool { return !h.Private && !h.Down }

// embargoed reports whether a path may not be known yet.
func embargoed(s *snapshot.Snapshot, path string, now time.Time) bool {
	return slices.ContainsFunc(s.Embargoes, func(e snapshot.Embargo) bool {
		below, ok := strings.CutPrefix(path, e.Path)
		return e.LiftAt.After(now) && (e.Path == "" || ok && (below == "" || below[0] == '/'))
	})
}

// wholeHosts returns the public hosts that hold all of a category.
func wholeHosts(s *snapshot.Snapshot, category uint32, now time.Time) (out []*snapshot.Host) {
	var all snapshot.Bitmap
	for i, d := range s.Directories {
		if d.Category == category && !embargoed(s, d.Path, now) {
			all.Add(uint32(i))
		}
	}
	for i := range s.Hosts {
		if h := &s.Hosts[i]; public(h) && web(h, category) != "" && covers(h.Has, all) {
			out = append(out, h)
		}
	}
	return out
}

// covers reports whether a set holds all of another.
func covers(set, all snapshot.Bitmap) bool {
	for i, w := range all {
		if i < len(set) {
			w &^= set[i]
		}
		if w != 0 {
			return false
		}
	}
	return true
}

// urls returns a host's URLs of a category, without characters that could mean
// something to a program that reads an export.
func urls(h *snapshot.Host, category uint32) (out []string) {
	for _, m := range h.Mounts {
		for _, u := range m.URLs {
			if m.Category == category {
				out = append(out, escape(u))
			}
		}
	}
	return out
}

// escape percent-encodes all that is not surely plain in every program's words.
func escape(url string) string {
	var b strings.Builder
	for i := range len(url) {
		if c := url[i]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~:/%[]+,=@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// web returns a host's best URL for a client's redirect, "" if it has none.
func web(h *snapshot.Host, category uint32) string { return best(h, category, "https:", "http:") }

// best returns a host's first URL of the first scheme that it has.
func best(h *snapshot.Host, category uint32, schemes ...string) string {
	all := urls(h, category)
	for _, scheme := range schemes {
		if i := slices.IndexFunc(all, func(u string) bool { return strings.HasPrefix(u, scheme) }); i >= 0 {
			return all[i]
		}
	}
	return ""
}

// serves reports whether a host is for clients of a country; the zero Country is
// that of those of whom nothing is known.
func serves(h *snapshot.Host, c geo.Country) bool {
	if !c.Known() {
		return len(h.Allowed)+len(h.Excluded) == 0
	}
	return (len(h.Allowed) == 0 || slices.Contains(h.Allowed, c)) && !slices.Contains(h.Excluded, c)
}

// countriesOf returns the countries in which hosts are, and those for which some
// are not as for others.
func countriesOf(s *snapshot.Snapshot, hosts []*snapshot.Host) (out []geo.Country) {
	for _, h := range hosts {
		out = append(out, h.Country)
		out = append(out, h.Allowed...)
		out = append(out, h.Excluded...)
	}
	for _, o := range s.CountryOverrides {
		out = append(out, o.Country)
	}
	out = slices.DeleteFunc(out, func(c geo.Country) bool { return !c.Known() })
	slices.SortFunc(out, func(x, y geo.Country) int { return cmp.Compare(x.Uint32(), y.Uint32()) })
	return slices.Compact(out)
}

// choices returns the hosts in a country that are for its clients; if there are
// none, all hosts that are for them.
func choices(hosts []*snapshot.Host, category uint32, code geo.Country) (out []choice) {
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h *snapshot.Host) bool { return !serves(h, code) })
	near := slices.DeleteFunc(slices.Clone(hosts), func(h *snapshot.Host) bool { return h.Country != code })
	if len(near) > 0 && code.Known() {
		hosts = near
	}
	for _, h := range hosts {
		out = append(out, choice{web(h, category), max(h.Bandwidth, 1)})
	}
	slices.SortStableFunc(out, func(x, y choice) int { return cmp.Or(cmp.Compare(y.weight, x.weight), strings.Compare(x.url, y.url)) })
	return out
}

// slots divides n slots among choices in proportion to their weights, the
// largest remainders first; each of the heaviest n gets at least one.
func slots(in []choice, n int) (out []int) {
	if len(in) == 0 {
		return nil
	}
	in = in[:min(len(in), n)]
	total := uint64(0)
	for _, c := range in {
		total += uint64(c.weight)
	}
	left, rest := n-len(in), make([]uint64, len(in))
	out = make([]int, len(in))
	for i, c := range in {
		share := uint64(c.weight) * uint64(n-len(in))
		out[i], rest[i] = 1+int(share/total), share%total
		left -= out[i] - 1
	}
	for ; left > 0; left-- {
		i := slices.Index(rest, slices.Max(rest))
		out[i]++
		rest[i] = 0
	}
	return out
}

// word turns a name into a word that is not among taken.
func word(name string, taken map[string]bool) string {
	base := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, name)
	w := base
	for n := 2; taken[w]; n++ {
		w = fmt.Sprintf("%s_%d", base, n)
	}
	taken[w] = true
	return w
}

// comment returns a name as a comment may have it.
func comment(name string) string { return fmt.Sprintf("%q", name) }
