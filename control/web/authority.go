package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// The widest netblocks that only administrators may give a host, as in
// MirrorManager: a wide one draws the clients of others.
const (
	widestV4 = 16
	widestV6 = 32

	// those that may pull what is not public yet: of one machine room
	widestPullV4 = 24
	widestPullV6 = 48
)

// administers reports whether the caller may change a site and its hosts.
func (c caller) administers(w *registry.World, site string) bool {
	if c.user == nil {
		return false
	}
	s, ok := registry.Find[*registry.Site](w, site)
	return c.user.Admin || ok && slices.Contains(s.Admins, c.user.Name)
}

// owns reports whether the caller may change a host, by its key.
func (c caller) owns(w *registry.World, host string) bool {
	h, ok := registry.Find[*registry.Host](w, host)
	return ok && c.administers(w, h.Site)
}

// sees reports whether the caller may read an object.
func (c caller) sees(w *registry.World, o registry.Object) bool {
	if c.user == nil || c.user.Admin {
		return c.user != nil
	}
	switch o := o.(type) {
	case *registry.Site:
		return c.administers(w, o.Name)
	case *registry.Host:
		return c.administers(w, o.Site)
	case *registry.Category:
		return !o.AdminOnly
	case *registry.Repository:
		category, ok := registry.Find[*registry.Category](w, o.Category)
		return (!ok || !category.AdminOnly) && !c.secret(w, o.Path)
	case *registry.Product:
		return o.Public
	case *registry.Release:
		return c.mirrors(w)
	case *registry.Override:
		return true
	case *registry.User:
		return o.Name == c.user.Name
	case *registry.Token:
		return o.User == c.user.Name || o.Host != "" && c.owns(w, o.Host)
	}
	return false
}

// mirrors reports whether the caller speaks for a mirror that operators have
// approved: what is under embargo is no secret from those.
func (c caller) mirrors(w *registry.World) bool {
	if c.admin() {
		return true
	}
	if c.user == nil {
		h, ok := registry.Find[*registry.Host](w, c.token.Host)
		return ok && registry.Listed(w, h)
	}
	return slices.ContainsFunc(registry.All[*registry.Site](w), func(s *registry.Site) bool {
		return s.State.Published() && slices.Contains(s.Admins, c.user.Name)
	})
}

// secret reports whether a path is under an embargo that the caller may not know
// of.
func (c caller) secret(w *registry.World, path string) bool {
	return slices.ContainsFunc(registry.All[*registry.Release](w), func(r *registry.Release) bool {
		return r.LiftAt.After(c.at) && r.Covers(path)
	}) && !c.mirrors(w)
}

// mayChange returns why the caller may not make after of before; nil before is
// a new object, nil after is its end.
func (c caller) mayChange(w *registry.World, before, after registry.Object) error {
	object := after
	if after == nil {
		object = before
	}
	if t, ok := after.(*registry.Token); ok {
		return c.mayChangeToken(w, before, t)
	}
	if c.admin() {
		return nil
	}
	if before != nil && !c.sees(w, before) {
		return c.no(object, "")
	}
	var g guard
	switch o := object.(type) {
	case *registry.Site:
		if after != nil {
			g.site(c, before, o)
		}
	case *registry.Host:
		if !c.administers(w, o.Site) {
			return c.no(object, "")
		}
		if after != nil {
			g.host(w, before, o)
		}
	case *registry.User:
		old, ok := before.(*registry.User)
		if !ok || after == nil {
			return c.no(object, "")
		}
		deny(&g, "admin", old.Admin, o.Admin)
		deny(&g, "disabled", old.Disabled, o.Disabled)
		deny(&g, "subject", old.Subject, o.Subject)
	case *registry.Token: // its end: the caller sees it
	default:
		return c.no(object, "")
	}
	if g.denied != nil {
		return c.no(object, strings.Join(g.denied, "; "))
	}
	return nil
}

// no says that something may not be done.
func (c caller) no(o registry.Object, why string) error {
	text := "may not change " + registry.Name(o)
	if why != "" {
		text += " like this; only an administrator may: " + why
	}
	return fail(http.StatusForbidden, "%s %s", c.name(), text)
}

// A guard collects what only an administrator may change.
type guard struct{ denied []string }

func (g *guard) deny(what string) { g.denied = append(g.denied, what) }

func deny[T comparable](g *guard, key string, before, after T) {
	if before != after {
		g.deny("change " + key)
	}
}

func (g *guard) site(c caller, before registry.Object, after *registry.Site) {
	old, ok := before.(*registry.Site)
	if !ok {
		old = &registry.Site{State: registry.Pending, Activity: registry.Activity{AdminActive: true}}
		if !slices.Contains(after.Admins, c.user.Name) {
			g.deny("make a site that the maker does not administer")
		}
	}
	deny(g, "state", old.State, after.State)
	deny(g, "admin_active", old.AdminActive, after.AdminActive)
}

func (g *guard) host(w *registry.World, before registry.Object, after *registry.Host) {
	old, ok := before.(*registry.Host)
	if !ok {
		old = &registry.Host{State: registry.Pending, Activity: registry.Activity{AdminActive: true}}
	}
	if after.Number != 0 {
		deny(g, "number", old.Number, after.Number)
	}
	deny(g, "state", old.State, after.State)
	deny(g, "admin_active", old.AdminActive, after.AdminActive)
	if old.Country != after.Country && registry.Embargoed(w, after.Country) {
		g.deny("have a mirror in " + after.Country + ", which is under embargo")
	}
	if !slices.Equal(old.PeerASNs, after.PeerASNs) {
		g.deny("change peer_asns")
	}
	g.narrow("give the netblock", old.Netblocks, after.Netblocks, widestV4, widestV6)
	g.narrow("pull from", old.PullAddresses, after.PullAddresses, widestPullV4, widestPullV6)
	for _, carry := range after.Carries {
		was := carried(old, carry.Category)
		if carry.AlwaysUpToDate && (was == nil || !was.AlwaysUpToDate) {
			g.deny("set always_up_to_date")
		}
		category, ok := registry.Find[*registry.Category](w, carry.Category)
		if ok && category.AdminOnly && was == nil {
			g.deny("let a host carry " + carry.Category)
		}
	}
}

// narrow denies new netblocks that are wider than prefixes of so many bits.
func (g *guard) narrow(what string, before, after []string, v4, v6 int) {
	for _, text := range after {
		if !slices.Contains(before, text) && wide(text, v4, v6) {
			g.deny(what + " " + text + ", which is wide")
		}
	}
}

func carried(h *registry.Host, category string) *registry.Carry {
	for i := range h.Carries {
		if h.Carries[i].Category == category {
			return &h.Carries[i]
		}
	}
	return nil
}

// wide reports whether a netblock is wider than prefixes of so many bits.
func wide(text string, v4, v6 int) bool {
	n, err := registry.ParseNetblock(text)
	if err != nil || n.Name != "" {
		return false // a bad one is a problem of its own
	}
	for _, p := range n.Prefixes() {
		if p.Addr().Is4() && p.Bits() < v4 || p.Addr().Is6() && p.Bits() < v6 {
			return true
		}
	}
	return false
}

// mayChangeToken keeps tokens from growing: one that exists can only lose
// scopes and time, and a new one has no more of either than the caller's.
func (c caller) mayChangeToken(w *registry.World, before registry.Object, after *registry.Token) error {
	mine := c.admin() || c.sees(w, after)
	if before != nil {
		mine = mine && c.sees(w, before)
	}
	if !mine {
		return c.no(after, "")
	}
	limit := c.token
	if before != nil {
		old, ok := before.(*registry.Token)
		if !ok || old.Hash != after.Hash || old.User != after.User || old.Host != after.Host || old.Edge != after.Edge {
			return fail(http.StatusForbidden, "a token cannot be changed to another one: make a new one by POST /v1/tokens")
		}
		limit = old
	} else if after.User == "" {
		return nil // what a host or an edge may do is about itself
	}
	for _, scope := range after.Scopes {
		known := slices.Contains(registry.Scopes(), scope) // else the registry says which there are
		if known && !slices.Contains(limit.Scopes, scope) {
			return fail(http.StatusForbidden, "a token cannot have the scope %s, which the token %s lacks", scope, limit.Name)
		}
	}
	if later(after.Expires, limit.Expires) {
		return fail(http.StatusForbidden, "a token cannot last longer than the token %s, which ends %s", limit.Name, limit.Expires.Format(time.RFC3339))
	}
	return nil
}

// later reports whether an end is after another; zero is never.
func later(end, than time.Time) bool {
	return !than.IsZero() && (end.IsZero() || end.After(than))
}
