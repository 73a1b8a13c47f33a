// Package mapping finds the repositories in a tree and gives them the names
// that clients ask by. [Candidates] finds them by their metadata; a [Mapper]'s
// rules, regular expressions over their paths, name them:
//
//	{regex: '^pub/linux/releases/(?P<v>\d+)/Everything/[^/]+/os$', prefix: 'os-${v}', version: '${v}'}
//
// makes pub/linux/releases/43/Everything/x86_64/os repo=os-43 arch=x86_64. What
// has no name is reported with the reason, so that a new release does not go
// unnoticed. The default is to name nothing: names are every distribution's own.
package mapping

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/listing"
)

// A Config says which directories are repositories and how they are called.
// All expressions are Go's (RE2: no input makes them slow), match anywhere
// unless they are anchored, and see paths as clients know them, with the
// category's path, without slashes at either end.
type Config struct {
	// Skip are expressions for repositories that are none, such as those that
	// installation images unpack to.
	Skip []string `yaml:"skip"`

	// Rules are tried in order; the first whose Regex matches counts.
	Rules []Rule `yaml:"rules"`

	// Aliases change names that rules gave.
	Aliases []Alias `yaml:"aliases"`

	// Arches are the names of architectures that count as such in paths; by
	// default those of Fedora, Debian, Arch and openSUSE.
	Arches []string `yaml:"arches"`
}

// A Rule names repositories. Prefix, Version and Arch may use ${group} for
// each named group of Regex, and ${arch}, the architecture in the path;
// ${suffix}, which is -source below a directory of source packages, -debug
// below one of debugging symbols, else nothing; and for repositories of Debian
// ${suite} and ${component}, with - for each slash.
type Rule struct {
	Regex string `yaml:"regex"`

	// Prefix is the value of repo=. Empty: such repositories have no name.
	Prefix string `yaml:"prefix"`

	// Version is the product's version; may be empty.
	Version string `yaml:"version"`

	// Arch is the value of arch=; by default ${arch}.
	Arch string `yaml:"arch"`

	// Plain makes each directory that matches a repository, whatever it holds.
	Plain bool `yaml:"plain"`
}

// An Alias changes a name. A From with a - at its end stands for all names
// that begin so: os-beta- to os- makes os-beta-44 os-44.
type Alias struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// An Unmapped is a repository without a name.
type Unmapped struct {
	Candidate
	Why string

	// Meant says that the configuration wants no name for it: it is skipped, or
	// its rule has no prefix.
	Meant bool
}

// A Found is what a tree holds.
type Found struct {
	// Repositories are sorted by path.
	Repositories []registry.Repository

	// Unmapped are sorted by path.
	Unmapped []Unmapped
}

// A Mapper is a compiled Config. It is immutable and safe for concurrent use.
type Mapper struct {
	skip    []*regexp.Regexp
	rules   []rule
	aliases []Alias
	arches  map[string]bool
}

type rule struct {
	Rule
	regex *regexp.Regexp
}

// New compiles a configuration. The error names the key that is wrong.
func New(c Config) (*Mapper, error) {
	m := &Mapper{aliases: c.Aliases, arches: map[string]bool{}}
	for i, text := range c.Skip {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("skip[%d]: %w", i, err)
		}
		m.skip = append(m.skip, re)
	}
	for i, r := range c.Rules {
		compiled, err := compile(r)
		if err != nil {
			return nil, fmt.Errorf("rules[%d].%w", i, err)
		}
		m.rules = append(m.rules, compiled)
	}
	for i, a := range c.Aliases {
		if a.From == "" || a.To == "" {
			return nil, fmt.Errorf("aliases[%d]: want from and to, got %q and %q", i, a.From, a.To)
		}
	}
	arches := c.Arches
	if len(arches) == 0 {
		arches = defaultArches()
	}
	for _, arch := range arches {
		m.arches[arch] = true
	}
	return m, nil
}

func defaultArches() []string {
	return []string{
		"x86_64", "x86_64_v2", "x86_64_v3", "aarch64", "armhfp", "armv7hl", "armv7h", "arm", "i386", "i586", "i686", "ia64",
		"loongarch64", "mips64el", "noarch", "ppc", "ppc64", "ppc64le", "ppc64el", "riscv64", "s390", "s390x", "sparc64",
		"alpha", "amd64", "arm64", "armel", "armhf", "mipsel", "all",
	}
}

func compile(r Rule) (rule, error) {
	re, err := regexp.Compile(r.Regex)
	if err != nil || r.Regex == "" {
		return rule{}, fmt.Errorf("regex: want a regular expression, got %q: %w", r.Regex, err)
	}
	known := append([]string{"arch", "suffix", "suite", "component"}, re.SubexpNames()...)
	for _, part := range []struct{ key, text string }{{"prefix", r.Prefix}, {"version", r.Version}, {"arch", r.Arch}} {
		expand(part.text, func(name string) string {
			if err == nil && (name == "" || !slices.Contains(known, name)) {
				err = fmt.Errorf("%s: %q: no group is named %q", part.key, part.text, name)
			}
			return ""
		})
	}
	if r.Arch == "" {
		r.Arch = "${arch}"
	}
	return rule{r, re}, err
}

// expand replaces each ${NAME} in text.
func expand(text string, value func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			name = ""
		}
		b.WriteString(value(name))
		text = after
	}
}

// Find finds the repositories of a category's tree and names them. top is the
// category's path. Where two have the same name and architecture, the first by
// path has it.
func (m *Mapper) Find(tree *registry.Tree, top string) Found {
	var f Found
	taken := map[string]string{}
	for _, c := range m.candidates(tree, top) {
		r, why, meant := m.name(c)
		if other, ok := taken[r.Name+"+"+r.Arch]; ok && why == "" {
			why = fmt.Sprintf("%s %s is %s already", r.Name, r.Arch, other)
		}
		if why != "" {
			f.Unmapped = append(f.Unmapped, Unmapped{c, why, meant})
			continue
		}
		taken[r.Name+"+"+r.Arch] = r.Path
		r.Category = tree.Category
		f.Repositories = append(f.Repositories, r)
	}
	return f
}

// candidates returns the tree's repositories and what plain rules add, with
// the paths clients know.
func (m *Mapper) candidates(tree *registry.Tree, top string) []Candidate {
	all := Candidates(tree)
	has := map[string]bool{}
	for i := range all {
		has[all[i].Path] = true
		all[i].Path = join(top, all[i].Path)
	}
	for i := range m.rules {
		if !m.rules[i].Plain {
			continue
		}
		for _, d := range tree.Directories {
			if full := join(top, d.Path); !has[d.Path] && m.rules[i].regex.MatchString(full) {
				has[d.Path] = true
				all = append(all, Candidate{Path: full, Kind: Plain})
			}
		}
	}
	slices.SortFunc(all, func(a, b Candidate) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

func join(top, path string) string { return strings.Trim(listing.Join(top, path), "/") }

// name names one repository, or says why not and whether that is meant.
func (m *Mapper) name(c Candidate) (r registry.Repository, why string, meant bool) {
	for i, re := range m.skip {
		if re.MatchString(c.Path) {
			return r, fmt.Sprintf("skip[%d]", i), true
		}
	}
	for i := range m.rules {
		if match := m.rules[i].regex.FindStringSubmatch(c.Path); match != nil {
			r, why = m.apply(&m.rules[i], match, c)
			if why != "" {
				why = fmt.Sprintf("rules[%d]: %s", i, why)
			}
			return r, why, m.rules[i].Prefix == ""
		}
	}
	return r, "no rule matches", false
}

func (m *Mapper) apply(rule *rule, match []string, c Candidate) (r registry.Repository, why string) {
	if rule.Prefix == "" {
		return r, "has no prefix"
	}
	arch := m.archOf(c)
	value := func(name string) string {
		if i := rule.regex.SubexpIndex(name); i >= 0 {
			return match[i]
		}
		return map[string]string{
			"arch": arch, "suffix": suffix(c.Path), "suite": dashed(c.Suite), "component": dashed(c.Component),
		}[name]
	}
	r = registry.Repository{
		Name: m.alias(expand(rule.Prefix, value)), Version: expand(rule.Version, value),
		Arch: expand(rule.Arch, value), Path: c.Path,
	}
	switch {
	case r.Arch == "":
		return r, "no architecture in the path"
	case r.Name == "":
		return r, "its name is empty"
	}
	return r, ""
}

func dashed(s string) string { return strings.ReplaceAll(s, "/", "-") }

func (m *Mapper) alias(name string) string {
	for _, a := range m.aliases {
		if name == a.From {
			return a.To
		}
		if rest, ok := strings.CutPrefix(name, a.From); ok && strings.HasSuffix(a.From, "-") {
			return a.To + rest
		}
	}
	return name
}

// archOf returns the architecture that a path names: that of source packages
// before others, as x86_64/source is source; "" if it names none.
func (m *Mapper) archOf(c Candidate) string {
	arch := c.Arch
	for part := range strings.SplitSeq(c.Path, "/") {
		switch {
		case isSource(part):
			return "source"
		case arch == "" && m.arches[part]:
			arch = part
		}
	}
	return arch
}

func isSource(part string) bool {
	return part == "SRPMS" || part == "source" || part == "src" || part == "Sources"
}

// suffix returns what a path adds to the names of repositories.
func suffix(path string) string {
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case isSource(part):
			return "-source"
		case part == "debug" || part == "debuginfo":
			return "-debug"
		}
	}
	return ""
}
