package index

import (
	"sort"

	"github.com/waypost/waypost/edge/snapshot"
)

// repositories answers repo= and arch=.
type repositories struct {
	byName map[string]uint32 // "NAME+ARCH" → position in the snapshot's Repositories
	sorted []uint32          // those positions by "NAME+ARCH"
}

// compileRepositories leaves out those under embargo.
func compileRepositories(s *snapshot.Snapshot, p *paths) repositories {
	r := repositories{byName: make(map[string]uint32, len(s.Repositories))}
	for i, repo := range s.Repositories {
		if !p.hidden([]byte(repo.Path)) {
			r.byName[repo.Name+"+"+repo.Arch] = uint32(i)
		}
	}
	names := make([]string, 0, len(r.byName))
	for name := range r.byName {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		r.sorted = append(r.sorted, r.byName[name])
	}
	return r
}

// RepositoryNumber returns the position of the repository of this name and
// architecture in the snapshot's Repositories.
func (ix *Index) RepositoryNumber(name, arch string) (number uint32, ok bool) {
	number, ok = ix.repos.byName[name+"+"+arch]
	return number, ok
}

// Repositories calls f with every repository, sorted by "NAME+ARCH".
func (ix *Index) Repositories(f func(*snapshot.Repository)) {
	for _, i := range ix.repos.sorted {
		f(&ix.in.Snapshot.Repositories[i])
	}
}

// RepositoryName returns the name that answers for name: the target of its
// redirect, one hop, or name itself.
func (ix *Index) RepositoryName(name string) string {
	if to, ok := ix.in.Snapshot.RepositoryRedirects[name]; ok {
		return to
	}
	return name
}

// Disabled reports whether the repository name is switched off.
func (ix *Index) Disabled(name string) bool { return ix.in.Snapshot.Disabled[name] }
