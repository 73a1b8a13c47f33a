package importer

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
	"github.com/waypost/waypost/geo"
)

// MirrorManagerCache reads a mirrorlist_cache. It says nothing of sites: all
// hosts become those of one site, named by the caller, under the host part of
// their URLs, and keep their numbers.
func MirrorManagerCache(file string, r io.Reader, site string) (*Result, error) {
	s, report, err := mirrormanager.Decode(file, r)
	if err != nil {
		return nil, err
	}
	c := newCollector(file)
	for _, odd := range report.Odd {
		c.left(0, "", "%d × %s: %s", odd.Count, odd.Text, strings.Join(odd.Examples, ", "))
	}
	return c.fromSnapshot(s, site), nil
}

// Catalog reads a catalogue file. All hosts become those of one site.
func Catalog(file string, data []byte, site string) (*Result, error) {
	s, err := catalog.Decode(file, data)
	if err != nil {
		return nil, err
	}
	return newCollector(file).fromSnapshot(s, site), nil
}

// A converter turns a snapshot into a result.
type converter struct {
	*collector
	snap *snapshot.Snapshot
	site string

	tops  map[string]uint32 // category by its path: the first
	names map[string]bool   // of hosts
	keys  []string          // of hosts, "" for those left out
	ids   map[int64]int
	in    []int // by directory: its category here, -1 for none
}

func (c *collector) fromSnapshot(s *snapshot.Snapshot, site string) *Result {
	v := &converter{collector: c, snap: s, site: site, tops: map[string]uint32{}, names: map[string]bool{}, ids: map[int64]int{}}
	v.add(0, &registry.Site{Name: site, State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true}})
	v.categories()
	v.trees()
	v.hosts()
	v.repositories()
	v.overrides()
	return c.done()
}

func (v *converter) categories() {
	for i, c := range v.snap.Categories {
		if first, taken := v.tops[c.Path]; taken {
			v.left(0, "category "+c.Name, "joined with %s, whose top directory it has: hosts with other URLs there do not hold its directories",
				v.snap.Categories[first].Name)
			continue
		}
		p := registry.Policy{Order: c.Policy.Order.String(), Minimum: c.Policy.Minimum, Sticky: c.Policy.Sticky}
		if c.Policy.SameScheme {
			p.Scheme = "same"
		}
		for band := range snapshot.Bands {
			if c.Policy.Bands.Has(band) && c.Policy.Bands != snapshot.AllBands {
				p.Bands = append(p.Bands, band.String())
			}
		}
		if v.add(0, &registry.Category{Name: c.Name, Path: c.Path, Origin: c.Origin, Policy: p}) {
			v.tops[c.Path] = uint32(i)
		}
	}
}

// trees makes a tree of each category.
func (v *converter) trees() {
	trees := map[uint32]*registry.Tree{}
	for i, d := range v.snap.Directories {
		v.Paths = append(v.Paths, d.Path)
		category := v.snap.Categories[d.Category]
		top, ok := v.tops[category.Path]
		v.in = append(v.in, -1)
		if !ok {
			v.left(0, "directory "+d.Path, "left out with its category %s", category.Name)
			continue
		}
		v.in[i] = int(top)
		if trees[top] == nil {
			trees[top] = &registry.Tree{Category: v.snap.Categories[top].Name, Scanned: v.snap.Created, Partial: !category.Enumerated}
			v.Trees = append(v.Trees, trees[top])
		}
		below := strings.TrimPrefix(strings.TrimPrefix(d.Path, category.Path), "/")
		trees[top].Directories = append(trees[top].Directories,
			registry.Directory{Path: below, Readable: true, Partial: !d.Complete, Files: v.files(uint32(i), d.Path)})
	}
}

func (v *converter) files(dir uint32, path string) (out []registry.File) {
	files := &v.snap.Files
	for f, to := files.In(dir); f < to; f++ {
		file := registry.File{Name: string(files.Name(f)), Size: -1}
		var older []snapshot.Version
		for n, last := files.Versions(f); n < last; n++ {
			version := versionOf(files, n)
			if first, _ := files.Versions(f); n > first {
				older = append(older, version)
				continue
			}
			file.Size, file.Changed = version.Size, version.MTime
			if files.Kinds(n) != 0 {
				hashes := registry.Hashes(version.Hashes)
				file.Hashes = &hashes
			}
		}
		if len(older) > 0 {
			v.Older[strings.TrimPrefix(path+"/"+file.Name, "/")] = older
		}
		out = append(out, file)
	}
	return out
}

func versionOf(f *snapshot.Files, n uint32) snapshot.Version {
	v := snapshot.Version{Size: f.Size(n), MTime: f.MTime(n)}
	for k := range snapshot.HashKinds {
		v.Hashes[k] = f.Hash(n, k)
	}
	return v
}

func (v *converter) hosts() {
	for i := range v.snap.Hosts {
		v.ids[v.snap.Hosts[i].ID]++
	}
	v.keys = make([]string, len(v.snap.Hosts))
	for i := range v.snap.Hosts {
		v.host(i)
	}
}

func (v *converter) host(i int) {
	in := &v.snap.Hosts[i]
	h := &registry.Host{
		Name: v.name(in.Name), Site: v.site, Country: in.Country.String(), Bandwidth: in.Bandwidth,
		ASNs: in.ASNs, PeerASNs: in.PeerASNs, Private: in.Private, Allowed: codes(in.Allowed), Excluded: codes(in.Excluded),
		Addresses: in.Addresses, DNS: in.DNS, State: registry.Approved,
		Activity: registry.Activity{AdminActive: true, UserActive: !in.Down},
	}
	if in.Down {
		h.Reason = "down when it was imported"
	}
	if in.ID > 0 && v.ids[in.ID] == 1 {
		h.Number = in.ID
	}
	if in.Place != nil {
		h.Location = &registry.Location{Lat: float64(in.Place.Lat), Lon: float64(in.Place.Lon)}
	}
	for _, p := range in.Netblocks {
		h.Netblocks = append(h.Netblocks, p.String())
	}
	for _, m := range in.Mounts {
		category := v.snap.Categories[m.Category]
		if top, ok := v.tops[category.Path]; !ok || top != m.Category {
			continue
		}
		carry := registry.Carry{Category: category.Name}
		for _, text := range m.URLs {
			if u, ok := v.url(h.Key(), text); ok {
				carry.URLs = append(carry.URLs, registry.URL{URL: u})
			}
		}
		h.Carries = append(h.Carries, carry)
	}
	if v.add(0, h) {
		v.keys[i] = h.Key()
		v.listings(uint32(i), h)
	}
}

// name returns a host's name without slashes, with a number if it is taken.
func (v *converter) name(name string) string {
	base := strings.ReplaceAll(name, "/", "-")
	out := base
	for n := 2; v.names[out]; n++ {
		out = fmt.Sprintf("%s-%d", base, n)
	}
	if out != name {
		v.left(0, "host "+name, "named %s", out)
	}
	v.names[out] = true
	return out
}

// url returns a URL as the registry spells it, and whether the host may have it.
func (c *collector) url(owner, text string) (string, bool) {
	var u catalog.URL
	if err := u.UnmarshalText([]byte(text)); err != nil {
		parsed, parseErr := url.Parse(text)
		if parseErr != nil || u.UnmarshalText([]byte(parsed.String())) != nil {
			c.left(0, "host "+owner, "URL %q left out: want %s", text, u.Want())
			return "", false
		}
		c.left(0, "host "+owner, "URL %q spelled %q", text, u)
	}
	return string(u), c.claim(0, "host "+owner, string(u))
}

func codes(in []geo.Country) (out []string) {
	for _, c := range in {
		out = append(out, c.String())
	}
	return out
}

// listings says what a host holds of each category that it carries.
func (v *converter) listings(host uint32, h *registry.Host) {
	byCategory := map[int]*registry.Listing{}
	in := &v.snap.Hosts[host]
	for dir, d := range v.snap.Directories {
		category := v.in[dir]
		if category < 0 || !in.Has.Has(uint32(dir)) || int(d.Category) != category && !slices.Equal(mounted(in, d.Category), mounted(in, uint32(category))) {
			continue
		}
		l := byCategory[category]
		if l == nil {
			l = &registry.Listing{Host: h.Key(), Category: v.snap.Categories[category].Name, Seen: v.snap.Created}
			byCategory[category] = l
			v.Listings = append(v.Listings, l)
		}
		l.Holds.Add(uint32(dir))
		v.holes(host, uint32(dir), l)
	}
	for category := range byCategory {
		name := v.snap.Categories[category].Name
		if !slices.ContainsFunc(h.Carries, func(c registry.Carry) bool { return c.Category == name }) {
			h.Carries = append(h.Carries, registry.Carry{Category: name}) // it holds it, though it has no URL
		}
	}
	slices.SortFunc(h.Carries, func(x, y registry.Carry) int { return cmp.Compare(x.Category, y.Category) })
}

func (v *converter) holes(host, dir uint32, l *registry.Listing) {
	for f, to := v.snap.Files.In(dir); f < to; f++ {
		if slices.Contains(v.snap.Files.Lacks(f), host) {
			l.Lacks = append(l.Lacks, registry.FileRef{Directory: dir, Name: string(v.snap.Files.Name(f))})
		}
	}
}

func mounted(h *snapshot.Host, category uint32) []string {
	for _, m := range h.Mounts {
		if m.Category == category {
			return m.URLs
		}
	}
	return nil
}

func (v *converter) repositories() {
	off := maps.Clone(v.snap.Disabled)
	for _, r := range v.snap.Repositories {
		out := &registry.Repository{Name: r.Name, Arch: r.Arch, Path: r.Path, Disabled: v.snap.Disabled[r.Name]}
		if dir, ok := v.Number(r.Path); ok && v.in[dir] >= 0 {
			out.Category = v.snap.Categories[v.in[dir]].Name
		}
		if v.add(0, out) {
			delete(off, r.Name)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(v.snap.RepositoryRedirects)) {
		v.add(0, &registry.Repository{Name: from, RedirectTo: v.snap.RepositoryRedirects[from]})
	}
	for _, name := range slices.Sorted(maps.Keys(off)) {
		if off[name] {
			v.left(0, "repository "+name, "left out: it is disabled, but there is no such repository")
		}
	}
}

func (v *converter) overrides() {
	for _, o := range v.snap.CountryOverrides {
		v.add(0, &registry.Override{Name: "netblock " + o.Prefix.String(), Netblock: o.Prefix.String(), Country: o.Country.String()})
	}
	for _, c := range slices.SortedFunc(maps.Keys(v.snap.ContinentOverrides),
		func(x, y geo.Country) int { return cmp.Compare(x.Uint32(), y.Uint32()) }) {
		k := v.snap.ContinentOverrides[c]
		v.add(0, &registry.Override{Name: "continent of " + c.String(), Country: c.String(), Continent: cmp.Or(k.String(), "--")})
	}
}
