package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

// A Category is a tree of content with one top directory.
type Category struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Path is the top directory as clients know it, such as pub/os; no other
	// category's. "" is the root.
	Path string `json:"path" yaml:"path"`

	// Product is the product it belongs to; may be empty.
	Product string `json:"product,omitempty" yaml:"product"`

	// Origin is the URL where clients go when no mirror is left.
	Origin string `json:"origin,omitempty" yaml:"origin"`

	// AdminOnly hides it from those who run mirrors.
	AdminOnly bool `json:"admin_only,omitempty" yaml:"admin_only"`

	Policy Policy `json:"policy" yaml:"policy"`
}

// A Policy says how a category's hosts are ordered, as in the catalogue file.
type Policy struct {
	Order   string   `json:"order,omitempty" yaml:"order"` // bandwidth or nearest
	Minimum int      `json:"minimum,omitempty" yaml:"minimum"`
	Sticky  bool     `json:"sticky,omitempty" yaml:"sticky"`
	Scheme  string   `json:"scheme,omitempty" yaml:"scheme"` // same, or empty
	Bands   []string `json:"bands,omitempty" yaml:"bands"`
}

// A Product is what is distributed, with its versions.
type Product struct {
	Name     string    `json:"name" yaml:"name"`
	Public   bool      `json:"public" yaml:"public"` // shown to everybody
	Versions []Version `json:"versions,omitempty" yaml:"versions"`
}

// A Version is a version of a product.
type Version struct {
	Name     string `json:"name" yaml:"name"`
	Codename string `json:"codename,omitempty" yaml:"codename"`
	Test     bool   `json:"test,omitempty" yaml:"test"`
}

// A Repository is what clients name by repo= and arch=.
type Repository struct {
	// Name is the value of repo=.
	Name string `json:"name" yaml:"name"`

	// Arch is the value of arch=, without a plus sign. The key of a repository
	// is NAME+ARCH.
	Arch string `json:"arch" yaml:"arch"`

	// Path is its directory.
	Path string `json:"path" yaml:"path"`

	Category string `json:"category,omitempty" yaml:"category"`

	// Version is a version of the category's product, if it has one; may be empty.
	Version  string `json:"version,omitempty" yaml:"version"`
	Disabled bool   `json:"disabled,omitempty" yaml:"disabled"`

	// RedirectTo makes the name, for all architectures, another one's, which
	// need not exist yet; then Arch, Path, Category and Version are empty.
	RedirectTo string `json:"redirect_to,omitempty" yaml:"redirect_to"`
}

var (
	_ Object = (*Category)(nil)
	_ Object = (*Product)(nil)
	_ Object = (*Repository)(nil)
)

// Kind returns [KindCategory].
func (*Category) Kind() Kind { return KindCategory }

// Key returns the category's name.
func (c *Category) Key() string { return c.Name }

// Redacted returns the category itself.
func (c *Category) Redacted() Object { return c }

// Kind returns [KindProduct].
func (*Product) Kind() Kind { return KindProduct }

// Key returns the product's name.
func (p *Product) Key() string { return p.Name }

// Redacted returns the product itself.
func (p *Product) Redacted() Object { return p }

// Kind returns [KindRepository].
func (*Repository) Kind() Kind { return KindRepository }

// Key returns NAME+ARCH; NAME+ where the name is redirected.
func (r *Repository) Key() string { return key("+", r.Name, r.Arch) }

// Redacted returns the repository itself.
func (r *Repository) Redacted() Object { return r }

// Check returns all that is wrong with the category by itself.
func (c *Category) Check() snapshot.Problems {
	k := check(c)
	k.name("name", c.Name)
	required[catalog.Path](k, "path", c.Path)
	k.optionalName("product", c.Product)
	optional[catalog.URL](k, "origin", c.Origin)
	if c.Origin != "" && !strings.HasPrefix(c.Origin, "http") {
		k.problem("origin", "want an http or https URL, got %q", c.Origin)
	}
	p := c.Policy
	optional[catalog.Order](k, "policy.order", p.Order)
	if p.Minimum < 0 {
		k.problem("policy.minimum", "want at least 1, or 0 for the default of %d, got %d", snapshot.DefaultMinimum, p.Minimum)
	}
	optional[catalog.Scheme](k, "policy.scheme", p.Scheme)
	unique(k, "policy.bands", p.Bands, func(key, s string) { required[catalog.Band](k, key, s) })
	return k.problems
}

// Check returns all that is wrong with the product by itself.
func (p *Product) Check() snapshot.Problems {
	c := check(p)
	c.name("name", p.Name)
	var names []string
	for i, v := range p.Versions {
		key := fmt.Sprintf("versions[%d]", i)
		c.name(key+".name", v.Name)
		if slices.Contains(names, v.Name) {
			c.problem(key+".name", "%q is given twice", v.Name)
		}
		names = append(names, v.Name)
		c.optionalName(key+".codename", v.Codename)
	}
	return c.problems
}

// Has reports whether the product has a version.
func (p *Product) Has(version string) bool {
	return slices.ContainsFunc(p.Versions, func(v Version) bool { return v.Name == version })
}

// Check returns all that is wrong with the repository by itself.
func (r *Repository) Check() snapshot.Problems {
	c := check(r)
	c.name("name", r.Name)
	if r.RedirectTo != "" {
		r.checkRedirect(c)
		return c.problems
	}
	c.name("arch", r.Arch)
	if strings.Contains(r.Arch, "+") {
		c.problem("arch", "want an architecture without a plus sign, got %q", r.Arch)
	}
	required[catalog.Path](c, "path", r.Path)
	c.optionalName("category", r.Category)
	if r.Version != "" && r.Category == "" {
		c.problem("version", "want a category whose product has the version %q, got none", r.Version)
	}
	return c.problems
}

func (r *Repository) checkRedirect(c *checker) {
	c.name("redirect_to", r.RedirectTo)
	if r.RedirectTo == r.Name {
		c.problem("redirect_to", "want another name, got its own")
	}
	if r.Arch+r.Path+r.Category+r.Version != "" {
		c.problem("redirect_to", "want no arch, path, category and version beside it: it is for all architectures")
	}
}
