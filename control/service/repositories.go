package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/store"
)

// mostNames is how many repositories the result of a scan names at most.
const mostNames = 3

// addRepositories adds the repositories that the registry does not have, each
// with its version where the category's product lacks that. It returns what is
// to be said of those that nobody can ask for by name, "" if there are none.
func (s *Service) addRepositories(ctx context.Context, c *registry.Category, r *scan.Result) (said string, err error) {
	world, _, err := s.store.World(ctx)
	if err != nil {
		return "", err
	}
	var refused, nameless []string
	for _, found := range r.Found.Repositories {
		if _, ok := registry.Find[*registry.Repository](world, found.Key()); ok {
			continue
		}
		if err = s.addRepository(ctx, c, &found); errors.Is(err, store.ErrConflict) {
			continue // somebody is at it; the next scan will see
		} else if err != nil {
			s.log.Warn("a repository that was found is not added", "repository", found.Key(), "error", err)
			refused = append(refused, fmt.Sprintf("%s: %v", found.Key(), err))
		}
	}
	for _, u := range r.Found.Unmapped {
		if !u.Meant {
			nameless = append(nameless, u.Path+": "+u.Why)
		}
	}
	return some("not added", refused) + some("without a name", nameless), nil
}

// addRepository adds a repository, and its version where it is of a product that
// lacks it.
func (s *Service) addRepository(ctx context.Context, c *registry.Category, r *registry.Repository) error {
	changes := []store.Change{store.Put(r, store.New)}
	if r.Version != "" && c.Product != "" {
		entry, err := s.store.Get(ctx, registry.KindProduct, c.Product)
		if err != nil {
			return err
		}
		if p, ok := entry.Object.(*registry.Product); ok && !p.Has(r.Version) {
			more := *p
			more.Versions = append(slices.Clone(p.Versions), registry.Version{Name: r.Version})
			changes = append(changes, store.Put(&more, entry.Revision))
		}
	}
	_, err := s.store.Apply(ctx, "scan", changes...)
	return err
}

// some counts things that are wrong and names the first of them, for the end of
// a scan's result.
func some(what string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	first := strings.Join(list[:min(len(list), mostNames)], ", ")
	if len(list) > mostNames {
		first += ", …"
	}
	return fmt.Sprintf("; %d %s (%s)", len(list), what, first)
}
