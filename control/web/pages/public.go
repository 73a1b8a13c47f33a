package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/web"
)

func (s *site) publicRoutes(mux *http.ServeMux) {
	for pattern, p := range map[string]page{
		"GET /{$}":             (*visit).start,
		"GET /mirrors":         (*visit).mirrorsPage,
		"GET /mirror/{key...}": (*visit).mirrorPage,
		"GET /propagation":     (*visit).propagationPage,
		"GET /login":           (*visit).loginPage,
		"POST /login":          (*visit).login,
		"POST /logout":         (*visit).logout,
	} {
		mux.Handle(pattern, s.handler(everybody, p))
	}
}

// public lets caches keep a page for a minute, for those who have not signed in.
func (v *visit) public() {
	v.w.Header().Set("Vary", "Cookie")
	if v.user == nil && v.r.Header.Get("Cookie") == "" {
		v.w.Header().Set("Cache-Control", "public, max-age=60")
	}
}

// A startPage is the page that people see first.
type startPage struct {
	Mirrors, Countries int
	Products           []product
	Categories         []string
}

func (v *visit) start() error {
	view, err := v.view()
	if err != nil {
		return err
	}
	v.public()
	return v.show("start", "", startPage{len(view.mirrors), len(view.countries), view.products, view.categories})
}

// A filter says which mirrors somebody wants to see.
type filter struct {
	Country, Category, Product, Version, Arch, Scheme string
}

func filterOf(q url.Values) filter {
	return filter{
		strings.ToUpper(q.Get("country")), q.Get("category"), q.Get("product"), q.Get("version"), q.Get("arch"), q.Get("scheme"),
	}
}

// A mirrorsPage is what the list of mirrors shows.
type mirrorsPage struct {
	Filter    filter
	Countries []nation
	Count     int

	AllCountries, AllCategories, AllVersions, AllArches []string
	AllProducts                                         []product
	Schemes                                             []string
}

// A nation is a country with its mirrors.
type nation struct {
	Code    string
	Mirrors []mirror
}

// mirrorsPage is the list of mirrors. What nobody in particular sees is written
// once for a view.
func (v *visit) mirrorsPage() error {
	view, err := v.view()
	if err != nil {
		return err
	}
	f := filterOf(v.r.URL.Query())
	v.public()
	if v.user != nil || v.r.URL.Query().Get("done") != "" {
		return v.show("mirrors", "Mirrors", view.list(f))
	}
	page := v.views.list(view, f)
	if page == nil {
		if page, err = v.write("mirrors", "Mirrors", view.list(f)); err != nil {
			return err
		}
		v.views.keep(view, f, page)
	}
	v.send(http.StatusOK, page)
	return nil
}

// list returns the mirrors that a filter leaves.
func (v *view) list(f filter) mirrorsPage {
	p := mirrorsPage{Filter: f, AllCountries: v.countries, AllCategories: v.categories, AllProducts: v.products, Schemes: schemes()}
	for _, product := range v.products {
		for _, version := range product.Versions {
			if f.Product == "" || f.Product == product.Name {
				p.AllVersions = append(p.AllVersions, version.Name)
				p.AllArches = append(p.AllArches, version.Arches...)
			}
		}
	}
	p.AllVersions, p.AllArches = sorted(p.AllVersions), sorted(p.AllArches)
	for _, m := range v.mirrors {
		shown, ok := f.apply(m)
		if !ok {
			continue
		}
		if n := len(p.Countries); n == 0 || p.Countries[n-1].Code != m.Country {
			p.Countries = append(p.Countries, nation{Code: m.Country})
		}
		last := &p.Countries[len(p.Countries)-1]
		last.Mirrors = append(last.Mirrors, shown)
		p.Count++
	}
	return p
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// apply returns what is left of a mirror, and whether anything is. Who asks for
// a version gets only mirrors that hold something of it.
func (f filter) apply(m *mirror) (mirror, bool) {
	out := *m
	out.Carries = nil
	if f.Country != "" && f.Country != m.Country {
		return out, false
	}
	for _, c := range m.Carries {
		if left, ok := f.carried(c); ok {
			out.Carries = append(out.Carries, left)
		}
	}
	return out, out.Carries != nil
}

// carried returns what is left of a category that a mirror carries, and whether
// anything is.
func (f filter) carried(c carried) (carried, bool) {
	if f.Category != "" && f.Category != c.Category || f.Product != "" && f.Product != c.Product {
		return c, false
	}
	if f.Scheme != "" {
		c.URLs = slices.DeleteFunc(slices.Clone(c.URLs), func(u string) bool { return scheme(u) != f.Scheme })
	}
	if f.Version == "" && f.Arch == "" {
		return c, len(c.URLs) > 0
	}
	c = c.only(func(o offer) bool {
		return (f.Version == "" || o.Version == f.Version) && (f.Arch == "" || o.Arch == f.Arch)
	})
	return c, c.Here() > 0 && len(c.URLs) > 0
}

// A mirrorFacts is a mirror with what crawls found out about its URLs.
type mirrorFacts struct {
	*mirror

	URLs []web.CrawledURL // public ones, as they were seen last
}

// mirrorPage is about one mirror. One that is not public is not there.
func (v *visit) mirrorPage() error {
	view, err := v.view()
	if err != nil {
		return err
	}
	m, ok := view.byKey[v.key()]
	if !ok {
		return missing()
	}
	p := mirrorFacts{mirror: m}
	for _, c := range m.Carries {
		var crawls web.Crawls
		err = v.know("/v1/crawls", &crawls, url.Values{"host": {m.Key}, "category": {c.Category}, "limit": {"5"}})
		if err != nil {
			return err
		}
		p.URLs = append(p.URLs, c.facts(crawls.Crawls)...)
	}
	v.public()
	return v.show("mirror", m.Key, p)
}

// facts returns what the newest crawls of a category found out about its public
// URLs.
func (c carried) facts(crawls []web.Crawled) (out []web.CrawledURL) {
	for _, u := range c.URLs {
		for _, k := range crawls {
			i := slices.IndexFunc(k.URLs, func(f web.CrawledURL) bool { return f.URL == u && !f.Private })
			if i >= 0 {
				fact := k.URLs[i]
				fact.Error = "" // it may tell of our network
				out = append(out, fact)
				break
			}
		}
	}
	return out
}

// propagationPage shows how far new metadata has got.
func (v *visit) propagationPage() error {
	view, err := v.view()
	if err != nil {
		return err
	}
	var all web.Propagation
	if err = v.know("/v1/propagation", &all, nil); err != nil {
		return err
	}
	var shown []spread
	for _, f := range all.Files {
		if view.open(f.Category) && !view.secret(f.Path) {
			shown = append(shown, spread{f})
		}
	}
	v.public()
	return v.show("propagation", "Propagation", shown)
}

// A spread is how far one file has got.
type spread struct{ web.Propagated }

// Total returns how many mirrors count.
func (s spread) Total() int {
	return s.SameDay + s.OneDay + s.TwoDays + s.Older + s.Unknown
}
