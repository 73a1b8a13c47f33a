package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/strict"
	"github.com/waypost/waypost/geo"
)

// A builder turns a decoded file into a snapshot and notes what is wrong with it.
// It goes on after problems, to find them all.
type builder struct {
	doc  *strict.Doc
	in   File
	snap *snapshot.Snapshot

	categories map[string]int // by name
	hosts      map[string]int
	tree       tree
	files      map[string]int   // by path
	holes      map[int][]uint32 // by file: the hosts that lack it
}

func (b *builder) build() {
	b.addCategories()
	b.addFiles()
	b.addComplete()
	b.addRepositories()
	b.addOverrides()
	b.addHosts()
	b.addLacks()
	b.checkFiles()
	b.place()
	b.placeFiles()
}

// require notes a problem if the document does not have the key.
func (b *builder) require(key, what string) {
	if !b.doc.Has(key) {
		b.doc.Problem(key, "want %s, got nothing", what)
	}
}

// unique notes a problem if name is taken; else it takes it. Names that did not decode are "".
func (b *builder) unique(taken map[string]int, name, list string, i int, key string) {
	if name == "" {
		return
	}
	if j, ok := taken[name]; ok {
		b.doc.Problem(fmt.Sprintf("%s[%d].%s", list, i, key), "%q is already the %s of %s[%d]", name, key, list, j)
		return
	}
	taken[name] = i
}

func (b *builder) addCategories() {
	b.categories = map[string]int{}
	b.tree = tree{tops: map[string]int{}, dirs: map[string]*branch{}}
	if len(b.in.Categories) == 0 {
		b.doc.Problem("categories", "want at least one category")
	}
	for i := range b.in.Categories {
		c := &b.in.Categories[i]
		at := fmt.Sprintf("categories[%d]", i)
		b.require(at+".name", "a name")
		b.unique(b.categories, string(c.Name), "categories", i, "name")
		category := snapshot.Category{Name: string(c.Name), Origin: string(c.Origin), Policy: b.policy(&c.Policy, at+".policy")}
		b.require(at+".path", `a path ("" is the root)`)
		if c.Path.given {
			category.Path = c.Path.text
			b.addTop(i, category.Path)
		}
		if c.Origin != "" && !strings.HasPrefix(string(c.Origin), "http") {
			b.doc.Problem(at+".origin", "want an http or https URL, got %q", c.Origin)
		}
		b.snap.Categories = append(b.snap.Categories, category)
	}
}

// addTop makes path the top of category i.
func (b *builder) addTop(i int, path string) {
	if j, ok := b.tree.tops[path]; ok {
		b.doc.Problem(fmt.Sprintf("categories[%d].path", i), "%q is already the path of categories[%d]", path, j)
		return
	}
	b.tree.tops[path] = i
}

func (b *builder) policy(in *Policy, at string) snapshot.Policy {
	p := snapshot.Policy{
		Order: snapshot.Order(in.Order), Minimum: snapshot.DefaultMinimum,
		Sticky: in.Sticky, SameScheme: bool(in.Scheme), Bands: snapshot.AllBands,
	}
	if in.Minimum != nil {
		p.Minimum = *in.Minimum
		if p.Minimum < 1 {
			b.doc.Problem(at+".minimum", "want at least 1, got %d", p.Minimum)
		}
	}
	if in.Bands == nil {
		return p
	}
	p.Bands = 0
	for _, band := range in.Bands {
		p.Bands |= 1 << band
	}
	if p.Bands == 0 {
		b.doc.Problem(at+".bands", "want at least one of %s", strings.Join(bandNames(), ", "))
	}
	return p
}

func (b *builder) addComplete() {
	for i, path := range b.in.Complete {
		if dir := b.listed(fmt.Sprintf("complete[%d]", i), path); dir != nil {
			dir.completes = true
		}
	}
}

// listed returns the branch of path, which key names; nil if it is below no
// category, or did not decode.
func (b *builder) listed(key string, path Path) *branch {
	if !path.given {
		return nil
	}
	dir := b.tree.add(path.text)
	if dir == nil {
		b.doc.Problem(key, "%q is below no category's path", path)
	}
	return dir
}

func (b *builder) addRepositories() {
	taken := map[string]int{}
	for i, r := range b.in.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		b.require(at+".name", "a name")
		b.require(at+".arch", "a name")
		b.require(at+".path", "a path")
		b.listed(at+".path", r.Path)
		b.snap.Repositories = append(b.snap.Repositories, snapshot.Repository{
			Name: string(r.Name), Arch: string(r.Arch), Path: r.Path.text,
		})
		if r.Name == "" || r.Arch == "" {
			continue // did not decode
		}
		key := string(r.Name) + "\x00" + string(r.Arch)
		if j, ok := taken[key]; ok {
			b.doc.Problem(at, "repo=%s&arch=%s is already repositories[%d]", r.Name, r.Arch, j)
			continue
		}
		taken[key] = i
	}
}

// addOverrides adds the small tables.
func (b *builder) addOverrides() {
	b.snap.RepositoryRedirects = map[string]string{}
	for _, from := range slices.Sorted(maps.Keys(b.in.RepositoryRedirects)) {
		to := string(b.in.RepositoryRedirects[from])
		if from == to {
			b.doc.Problem("repository_redirects."+from, "want another repository, got the same")
		}
		b.snap.RepositoryRedirects[from] = to
	}
	b.snap.Disabled = map[string]bool{}
	for _, name := range b.in.DisabledRepositories {
		b.snap.Disabled[string(name)] = true
	}
	taken := map[string]int{}
	for i, n := range b.in.NetblockCountries {
		at := fmt.Sprintf("netblock_countries[%d]", i)
		b.require(at+".prefix", "a prefix")
		b.require(at+".country", "a country code")
		if n.Prefix.IsValid() {
			b.unique(taken, n.Prefix.String(), "netblock_countries", i, "prefix")
		}
		b.snap.CountryOverrides = append(b.snap.CountryOverrides,
			snapshot.CountryOverride{Prefix: n.Prefix.Prefix, Country: n.Country.Country})
	}
	b.addContinents()
}

func (b *builder) addContinents() {
	b.snap.ContinentOverrides = map[geo.Country]geo.Continent{}
	for _, text := range slices.Sorted(maps.Keys(b.in.Continents)) {
		country, err := geo.ParseCountry(text)
		_, again := b.snap.ContinentOverrides[country]
		switch {
		case err != nil:
			b.doc.KeyProblem("continents."+text, "want %s as key, got %q", (*Country)(nil).Want(), text)
		case again:
			b.doc.KeyProblem("continents."+text, "%s is given twice", country)
		}
		b.snap.ContinentOverrides[country] = b.in.Continents[text].Continent
	}
}
