package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// bootstrap is the name of the first user and token.
const bootstrap = "admin"

// EnsureAdmin makes the user admin with a token for everything, unless there is
// an administrator with a way in already: a token to write with, a password or a
// sign-in service. It returns the token, to be told once. Of several processes
// that start together one makes it.
func EnsureAdmin(ctx context.Context, s *store.Store) (token string, made bool, err error) {
	world, _, err := s.World(ctx)
	if err != nil || hasAdmin(world) {
		return "", false, err
	}
	user := registry.User{Name: bootstrap}
	revision, tokenRevision := store.New, store.New
	entry, err := s.Get(ctx, registry.KindUser, bootstrap)
	if old, ok := entry.Object.(*registry.User); ok {
		user, revision = *old, entry.Revision
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", false, err
	}
	user.Admin, user.Disabled = true, false
	if entry, err = s.Get(ctx, registry.KindToken, bootstrap); err == nil {
		tokenRevision = entry.Revision
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", false, err
	}
	token = newSecret()
	first := registry.Token{
		Name: bootstrap, Hash: registry.HashToken(token), User: bootstrap,
		Scopes: []registry.Scope{registry.ScopeRead, registry.ScopeWrite, registry.ScopeCrawl, registry.ScopePublish, registry.ScopeCheckin},
	}
	_, err = s.Apply(ctx, "waypost", store.Put(&user, revision), store.Put(&first, tokenRevision))
	switch {
	case errors.Is(err, store.ErrConflict):
		return "", false, nil // another process was faster
	case err != nil:
		return "", false, fmt.Errorf("making the first administrator: %w", err)
	}
	return token, true, nil
}

// hasAdmin reports whether an administrator has a way in.
func hasAdmin(w *registry.World) bool {
	ways := map[string]bool{}
	for _, t := range registry.All[*registry.Token](w) {
		for _, scope := range t.Scopes {
			if scope == registry.ScopeWrite && t.Expires.IsZero() {
				ways[t.User] = true
			}
		}
	}
	for _, u := range registry.All[*registry.User](w) {
		if u.Admin && !u.Disabled && (ways[u.Name] || u.PasswordHash != "" || u.Subject != "") {
			return true
		}
	}
	return false
}
