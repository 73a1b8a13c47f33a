package probe

import (
	"cmp"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A plan is how to probe one target, and what its decision is weighed with.
// It is immutable.
type plan struct {
	file                   // to ask for
	other     file         // to ask for where that is missing or of another size; without a URL there is none
	addrs     []netip.Addr // of the target's family; nil: as the name resolves
	thorough  bool         // ask for the first bytes too, not only for the header; of a directory, see [inquiry.compare]
	private   bool
	country   geo.Country
	continent geo.Continent
}

// every returns how many probes of a target that is well there are for each that
// is thorough. What a name costs that cannot exist is an error in a log.
func (p *plan) every() int {
	if p.dir {
		return 20
	}
	return 10
}

// plansFor returns the targets of ix and how to probe each: every host that no
// operator took out, by http and https, over the families that its addresses
// have. Where none are known, both families are targets until the name shows
// otherwise.
//
// It costs a look at every file and, for hosts without any of them, at every
// directory: 15 ms for 450 hosts × 60,000 directories, of one file each.
func plansFor(ix *index.Index) map[health.Target]plan {
	plans := make(map[health.Target]plan, 4*ix.Hosts())
	files := samplesOf(ix)
	for h := range uint32(ix.Hosts()) {
		if !ix.Active().Has(h) {
			continue
		}
		host := ix.Registered(h)
		for _, scheme := range []index.Schemes{index.HTTP, index.HTTPS} {
			p, ok := planFor(ix, files, h, scheme)
			if !ok {
				continue
			}
			for _, f := range []index.Family{index.V4, index.V6} {
				if p.addrs, ok = addresses(p.url, host, f); ok {
					plans[health.Target{Host: host.Name, Scheme: scheme, Family: f}] = p
				}
			}
		}
	}
	return plans
}

// planFor returns the plan for a host and scheme, without addresses. It asks
// for a file of known size if there is one, else for one of which no size is
// known, else for the first tree the host has. It is not ok for a host without a URL of the scheme.
func planFor(ix *index.Index, files samples, h uint32, scheme index.Schemes) (plan, bool) {
	host := ix.Registered(h)
	p := plan{private: host.Private, country: host.Country, continent: ix.Inputs().Continents.Of(host.Country)}
	base := make(map[uint32]string, len(host.Mounts))
	where := ""
	for _, m := range host.Mounts {
		for _, u := range m.URLs {
			if base[m.Category] == "" && index.SchemeOf(u) == scheme {
				base[m.Category] = u
				where = cmp.Or(where, u+"/")
			}
		}
	}
	asked := choose(ix, files.sized, h, base)
	if len(asked) == 0 {
		asked = choose(ix, files.unsized, h, base)
	}
	if len(asked) == 0 {
		p.file = file{parse(where), -1, true}
		return p, p.url != nil
	}
	if p.file = asked[0].under(base, ix); p.url == nil {
		return plan{}, false
	}
	if len(asked) > 1 {
		p.other = asked[1].under(base, ix)
	}
	if p.other.url != nil && p.other.url.Hostname() != p.url.Hostname() {
		p.other = file{} // another category by another name, whose addresses are others
	}
	return p, true
}

// parse returns a URL that names a host, or nil.
func parse(where string) *url.URL {
	u, err := url.Parse(where)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	return u
}

// addresses returns where to reach a host over a family, nil for as its name
// resolves. It is not ok where the host cannot be reached over the family.
func addresses(u *url.URL, host *snapshot.Host, f index.Family) ([]netip.Addr, bool) {
	known := host.Addresses
	if literal, err := netip.ParseAddr(u.Hostname()); err == nil {
		known = []netip.Addr{literal}
	}
	if len(known) == 0 {
		return nil, true
	}
	of := ofFamily(known, f)
	return of, len(of) > 0
}

// ofFamily returns the addresses of a family, unmapped.
func ofFamily(addrs []netip.Addr, f index.Family) []netip.Addr {
	var of []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); index.FamilyOf(a) == f {
			of = append(of, a)
		}
	}
	return of
}

// A sample is a file to ask mirrors for.
type sample struct {
	dir, category, file uint32
	size, mtime         int64
}

// choices is from how many files one is chosen for a host: the hosts differ, so
// that no file decides for all of them.
const choices = 12

// choose returns up to two files to ask a host for, the first by preference.
// That is one of the oldest, for what has not changed for long has reached every
// mirror. But the oldest trees are also what a master archives next, many
// directories at once: so the other is of the middle of the list.
func choose(ix *index.Index, files []sample, h uint32, base map[uint32]string) []*sample {
	old := held(ix, files, h, base)
	if len(old) < 2 {
		return old
	}
	lot := int(ix.Host(h).Key % choices)
	first := old[lot%len(old)]
	if newer := held(ix, files[len(files)/2:], h, base); len(newer) > 0 && newer[lot%len(newer)] != first {
		return []*sample{first, newer[lot%len(newer)]}
	}
	return []*sample{first, old[(lot+1)%len(old)]}
}

// held returns the first of the files that host h should have.
func held(ix *index.Index, files []sample, h uint32, base map[uint32]string) []*sample {
	all := make([]*sample, 0, choices)
	for i := 0; i < len(files) && len(all) < choices; i++ {
		if s := &files[i]; s.heldBy(ix, h) && base[s.category] != "" {
			all = append(all, s)
		}
	}
	return all
}

// samples are files of which each is of another directory, the oldest first.
type samples struct{ sized, unsized []sample }

// samplesOf returns a file of each directory that has a suitable one. Suitable is
// what is known in one version only, since a mirror may well be ahead of a
// snapshot, or behind it, with a file that changes. One of unknown size must not
// pass for a page by its name.
func samplesOf(ix *index.Index) (all samples) {
	for dir := range uint32(ix.Directories()) {
		if ix.Embargoed(dir) {
			continue // mirrors may not serve it yet
		}
		switch s := oldest(ix, dir); {
		case s.mtime < 0:
		case s.size > 0:
			all.sized = append(all.sized, s)
		default:
			all.unsized = append(all.unsized, s)
		}
	}
	for _, found := range [][]sample{all.sized, all.unsized} {
		slices.SortStableFunc(found, func(a, b sample) int { return cmp.Compare(a.mtime, b.mtime) })
	}
	return all
}

// oldest returns the oldest suitable file of a directory, of those of known size
// if there is one; its time is negative if none is suitable.
func oldest(ix *index.Index, dir uint32) sample {
	best := sample{mtime: -1, size: -1}
	files := ix.Files()
	for file, end := files.In(dir); file < end; file++ {
		from, to := files.Versions(file)
		size := files.Size(from)
		if to-from != 1 || size == 0 || size < 0 && (best.size > 0 || mayBePage(string(files.Name(file)))) {
			continue
		}
		mtime := files.MTime(from)
		if mtime == 0 {
			mtime = math.MaxInt64
		}
		if best.mtime < 0 || best.size < 0 && size > 0 || mtime < best.mtime {
			best = sample{dir, ix.Inputs().Snapshot.Directories[dir].Category, file, size, mtime}
		}
	}
	return best
}

// heldBy reports whether host h should have the file.
func (s *sample) heldBy(ix *index.Index, h uint32) bool {
	return ix.Registered(h).Has.Has(s.dir) && !slices.Contains(ix.Files().Lacks(s.file), h)
}

// under returns the file as a host has it whose trees are at these URLs.
func (s *sample) under(base map[uint32]string, ix *index.Index) file {
	return file{url: parse(base[s.category] + "/" + s.path(ix)), size: s.size}
}

// path returns the file's escaped path below the top directory of its category.
func (s *sample) path(ix *index.Index) string {
	dir := ix.Inputs().Snapshot.Directories[s.dir].Path
	dir = strings.TrimPrefix(dir, ix.Category(s.category).Path)
	path := strings.TrimPrefix(dir+"/"+string(ix.Files().Name(s.file)), "/")
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
