package mirrormanager

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A builder turns what a decoder collected into a snapshot. Its host order is
// by id; place tells where a host number went.
type builder struct {
	*decoder
	snap    *snapshot.Snapshot
	place   []uint32 // by host number
	private snapshot.Bitmap
	setOf   []uint32 // by directory: its sets
	urlsOf  [][]string
}

func (d *decoder) build() *snapshot.Snapshot {
	created := time.Unix(int64(min(d.time, 1<<40)), 0).UTC()
	b := &builder{decoder: d, snap: &snapshot.Snapshot{
		Version:             uint64(created.UnixMilli()),
		Created:             created,
		RepositoryRedirects: d.redirects,
		Disabled:            d.disabled,
		CountryOverrides:    d.countries,
		ContinentOverrides:  d.continents,
	}}
	b.placeHosts()
	b.findPrivate()
	variants := b.placeDirectories()
	b.placeCategories(variants)
	b.describeHosts()
	b.mount(variants)
	b.nameHosts()
	b.fill()
	b.placeFiles()
	b.placeRepositories()
	b.count()
	return b.snap
}

// placeHosts orders hosts by id.
func (b *builder) placeHosts() {
	order := make([]uint32, len(b.hosts.ids))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int { return cmp.Compare(b.hosts.ids[x], b.hosts.ids[y]) })
	b.place = make([]uint32, len(order))
	b.snap.Hosts = make([]snapshot.Host, len(order))
	for i, number := range order {
		b.place[number] = uint32(i)
		b.snap.Hosts[i].ID = b.hosts.ids[number]
	}
}

// findPrivate finds the hosts that hold something and are never listed publicly.
func (b *builder) findPrivate() {
	var global, held, anyGlobal snapshot.Bitmap
	for _, s := range b.setsOf {
		global, held = s.words(global, held)
		anyGlobal, b.private = union(anyGlobal, global), union(b.private, held)
	}
	for i := range min(len(b.private), len(anyGlobal)) {
		b.private[i] &^= anyGlobal[i]
	}
	for n := range each(b.private) {
		b.snap.Hosts[b.place[n]].Private = true
	}
}

func union(a, b snapshot.Bitmap) snapshot.Bitmap {
	if len(a) < len(b) {
		a = append(a, make(snapshot.Bitmap, len(b)-len(a))...)
	}
	for i, w := range b {
		a[i] |= w
	}
	return a
}

// placeDirectories sorts the directories and drops repeated ones. It returns
// the variants that they use, in the order of the categories that these become.
func (b *builder) placeDirectories() (variants []uint32) {
	names := string(b.names)
	path := func(d *directory) string { return names[d.name : d.name+d.length] }
	sort.SliceStable(b.directories, func(i, j int) bool { return path(&b.directories[i]) < path(&b.directories[j]) })
	b.snap.Directories = make([]snapshot.Directory, 0, len(b.directories))
	b.setOf = make([]uint32, 0, len(b.directories))
	for i := range b.directories {
		d := &b.directories[i]
		if i > 0 && path(d) == path(&b.directories[i-1]) {
			b.report.odd("directory is listed twice: the first counts", fmt.Sprintf("%q", path(d)))
			continue
		}
		b.snap.Directories = append(b.snap.Directories, snapshot.Directory{Path: path(d), Category: d.variant})
		b.setOf = append(b.setOf, d.set)
	}
	return b.usedVariants()
}

// usedVariants returns the variants that directories have, sorted by path.
func (b *builder) usedVariants() []uint32 {
	var used snapshot.Bitmap
	for _, d := range b.snap.Directories {
		used.Add(d.Category)
	}
	variants := slices.Collect(each(used))
	slices.SortStableFunc(variants, func(x, y uint32) int {
		return cmp.Compare(b.variants[x].path, b.variants[y].path)
	})
	return variants
}

// placeCategories makes a category of each variant.
func (b *builder) placeCategories(variants []uint32) {
	categoryOf := make([]uint32, len(b.variants))
	for i, n := range variants {
		categoryOf[n] = uint32(i)
		path := b.variants[n].path
		name := cmp.Or(path, "root")
		nth := 1
		for i-nth >= 0 && b.variants[variants[i-nth]].path == path {
			nth++
		}
		if nth > 1 {
			name = fmt.Sprintf("%s (%d)", name, nth)
			b.report.odd("hosts have different URLs inside one top directory: a further category was made", fmt.Sprintf("%q", name))
		}
		b.snap.Categories = append(b.snap.Categories, snapshot.Category{
			Name: name, Path: path, Enumerated: true,
			Policy: snapshot.Policy{Order: snapshot.ByBandwidth, Minimum: snapshot.DefaultMinimum, Bands: snapshot.AllBands},
		})
	}
	for i := range b.snap.Directories {
		d := &b.snap.Directories[i]
		d.Category = categoryOf[d.Category]
	}
}

// mount gives hosts their URLs. Lists are shared between hosts' mounts.
func (b *builder) mount(variants []uint32) {
	b.urlsOf = make([][]string, len(b.lists.end))
	for list := range b.lists.end {
		for _, id := range b.lists.list(uint32(list)) {
			if url, ok := b.urls[id]; ok {
				b.urlsOf[list] = append(b.urlsOf[list], url)
			} else {
				b.report.odd("URL id without a URL dropped", fmt.Sprint(id))
			}
		}
	}
	for category, n := range variants {
		for host, list := range b.variants[n].lists {
			if list == 0 {
				continue
			}
			h := &b.snap.Hosts[b.place[host]]
			h.Mounts = append(h.Mounts, snapshot.Mount{
				Category: uint32(category),
				URLs:     b.urlsOf[list-1],
			})
		}
	}
}

// fill sets the bits of the directories that hosts hold: the public ones in
// Global, the private ones in ByHostId.
func (b *builder) fill() {
	words := (len(b.snap.Directories) + 63) / 64
	var global, held snapshot.Bitmap
	for dir, set := range b.setOf {
		global, held = b.setsOf[set].words(global, held)
		b.unlisted(dir, global, held)
		for i := range held {
			if i < len(b.private) {
				held[i] &= b.private[i]
			} else {
				held[i] = 0
			}
		}
		global = union(global, held)
		for i, w := range global {
			for ; w != 0; w &= w - 1 {
				h := &b.snap.Hosts[b.place[i*64+bits.TrailingZeros64(w)]]
				if h.Has == nil {
					h.Has = make(snapshot.Bitmap, words)
				}
				h.Has[dir/64] |= 1 << (dir % 64)
			}
		}
	}
}

// unlisted counts public hosts that ByHostId has and Global has not.
func (b *builder) unlisted(dir int, global, held snapshot.Bitmap) {
	for i, w := range held {
		if i < len(global) {
			w &^= global[i]
		}
		if i < len(b.private) {
			w &^= b.private[i]
		}
		if w != 0 {
			host := b.hosts.ids[i*64+bits.TrailingZeros64(w)]
			b.report.odds("public host in ByHostId but not in Global of a directory: taken as lacking it", bits.OnesCount64(w),
				fmt.Sprintf("host %d in %q", host, b.snap.Directories[dir].Path))
		}
	}
}

// placeFiles files the details under their directories.
func (b *builder) placeFiles() {
	var files snapshot.FileBuilder
	for _, f := range b.files {
		dir, ok := slices.BinarySearchFunc(b.snap.Directories, f.directory,
			func(d snapshot.Directory, path string) int { return cmp.Compare(d.Path, path) })
		if !ok {
			b.report.odd("details of a file skipped: its directory is not listed", fmt.Sprintf("%q", f.directory+"/"+f.name))
			continue
		}
		files.Add(uint32(dir), f.name, f.versions, nil)
	}
	b.snap.Files = files.Build(len(b.snap.Directories))
}

// placeRepositories sorts repositories as the mirrorlist-server lists them.
func (b *builder) placeRepositories() {
	b.snap.Repositories = b.repositories
	slices.SortFunc(b.snap.Repositories, func(x, y snapshot.Repository) int {
		return cmp.Compare(x.Name+"+"+x.Arch, y.Name+"+"+y.Arch)
	})
}

func (b *builder) count() {
	r := &b.report
	r.Hosts, r.Categories = len(b.snap.Hosts), len(b.snap.Categories)
	r.Directories, r.Files, r.Repositories = len(b.snap.Directories), b.snap.Files.Len(), len(b.snap.Repositories)
	for range each(b.private) {
		r.Private++
	}
}
