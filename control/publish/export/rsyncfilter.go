package export

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// RsyncFilter writes the rules of rsync(1), "FILTER RULES", that transfer only
// the directories of the trees that changed after a time, Unix seconds, and
// those above them: MirrorManager's /rsyncFilter, for
//
//	rsync -r --exclude-from=FILE rsync://master/pub/fedora/ fedora/
//
// strip is a directory that the transfer starts at, and is not in the rules;
// what is not below it is left out, as are directories that the world may not
// read. Everything else is excluded, and so is kept by --delete.
func RsyncFilter(w io.Writer, world *registry.World, trees []*registry.Tree, since int64, strip string) error {
	changed, above := map[string]bool{}, map[string]bool{}
	for _, t := range trees {
		category, ok := registry.Find[*registry.Category](world, t.Category)
		if !ok {
			continue
		}
		for _, d := range t.Directories {
			whole := path.Join(category.Path, d.Path)
			if !d.Readable || d.Changed <= since || !registry.Below(whole, strip) {
				continue
			}
			below := strings.TrimPrefix(strings.TrimPrefix(whole, strip), "/")
			changed[below] = true
			for up := below; up != "" && up != "."; up = path.Dir(up) {
				above[up] = true
			}
		}
	}
	out := printer{w: w}
	out.line("# rsync --exclude-from=(this file)")
	out.line("# includes")
	for _, dir := range slices.Sorted(maps.Keys(above)) {
		out.line("+ /%s/", pattern(dir, false))
		if changed[dir] {
			out.line("+ /%s/*", pattern(dir, true))
		}
	}
	if changed[""] {
		out.line("+ /*")
	}
	out.line("# excludes")
	out.line("- *")
	out.line("# end of list")
	if out.err != nil {
		return fmt.Errorf("writing an rsync filter: %w", out.err)
	}
	return nil
}

// pattern returns a name as a pattern. A backslash means itself where rsync sees
// no wildcard in the pattern, and there is no other way to say a line break than
// a wildcard.
func pattern(name string, wild bool) string {
	if !wild && !strings.ContainsFunc(name, isWild) {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case r < ' ':
			b.WriteByte('?')
		case isWild(r), r == '\\':
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isWild(r rune) bool { return r < ' ' || strings.ContainsRune("*?[", r) }
