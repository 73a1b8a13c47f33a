package export

import (
	"cmp"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A List is a static file.
type List struct {
	Path string // with slashes; a name in it is percent-encoded
	Text string
}

// Mirrorlists yields mirrorlists for plain web servers, in MirrorManager's form
// (a comment, then a URL on each line), one for each repository and country:
//
//	os-43/x86_64/DE     hosts in DE; where they are fewer than the policy's minimum, others after them
//	os-43/x86_64/any    for clients of any other country
//
// A web server that knows countries, such as nginx with its geoip2 module, finds
// them with: try_files /$arg_repo/$arg_arch/$country /$arg_repo/$arg_arch/any =404;
//
// Hosts with more bandwidth come first; a host that is not for a country is not
// in its list. Disabled repositories and those under embargo have no files,
// redirected names those of what they lead to.
func Mirrorlists(s *snapshot.Snapshot, now time.Time) iter.Seq[List] {
	return func(yield func(List) bool) {
		for _, r := range s.Repositories {
			if s.Disabled[r.Name] || embargoed(s, r.Path, now) {
				continue
			}
			for _, name := range append([]string{r.Name}, aliases(s, r.Name)...) {
				if !repositoryLists(s, r, name, yield) {
					return
				}
			}
		}
	}
}

// aliases returns the names that are redirected to a name, sorted.
func aliases(s *snapshot.Snapshot, name string) (out []string) {
	for from, to := range s.RepositoryRedirects {
		if to == name {
			out = append(out, from)
		}
	}
	slices.Sort(out)
	return out
}

// repositoryLists yields the lists of a repository under a name, and reports
// whether more are wanted.
func repositoryLists(s *snapshot.Snapshot, r snapshot.Repository, name string, yield func(List) bool) bool {
	dir, ok := slices.BinarySearchFunc(s.Directories, r.Path,
		func(d snapshot.Directory, path string) int { return strings.Compare(d.Path, path) })
	if _, redirected := s.RepositoryRedirects[name]; !ok || redirected && name == r.Name {
		return true
	}
	var hosts []*snapshot.Host
	for i := range s.Hosts {
		if h := &s.Hosts[i]; public(h) && h.Has.Has(uint32(dir)) && listed(h, s.Directories[dir].Category) != "" {
			hosts = append(hosts, h)
		}
	}
	slices.SortStableFunc(hosts, func(x, y *snapshot.Host) int { return cmp.Compare(y.Bandwidth, x.Bandwidth) })
	for _, code := range append(countriesOf(s, hosts), geo.Country{}) {
		text := listText(s, s.Directories[dir], hosts, code)
		folder := element(name) + "/" + element(r.Arch) + "/"
		if !yield(List{folder + cmp.Or(code.String(), "any"), "# repo = " + name + " arch = " + r.Arch + " " + text}) {
			return false
		}
	}
	return true
}

// listText returns the rest of the comment and the URLs for clients of a country.
func listText(s *snapshot.Snapshot, d snapshot.Directory, hosts []*snapshot.Host, code geo.Country) string {
	category := &s.Categories[d.Category]
	var near, far []string
	for _, h := range hosts {
		below := strings.TrimPrefix(strings.TrimPrefix(d.Path, category.Path), "/")
		line := strings.TrimRight(listed(h, d.Category)+"/"+escape(below), "/") + "/\n"
		switch {
		case !serves(h, code):
		case code.Known() && h.Country == code:
			near = append(near, line)
		default:
			far = append(far, line)
		}
	}
	comment := ""
	if len(near) > 0 {
		comment = "country = " + code.String() + " "
	}
	if len(near) < category.Policy.Minimum || len(near) == 0 {
		comment += "country = global "
		near = append(near, far...)
	}
	return comment + "\n" + strings.Join(near, "")
}

// listed returns the URL by which mirrorlists name a host.
func listed(h *snapshot.Host, category uint32) string {
	return best(h, category, "https:", "http:", "ftp:")
}

// element returns a name as one element of a path.
func element(name string) string {
	if strings.Trim(name, ".") == "" {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}
