package service

import (
	"slices"

	"github.com/waypost/waypost/control/registry"
)

// contacts returns the mail addresses of those who run a site, and hosts of it:
// theirs, the site's, and those of the site's administrators, each once.
func contacts(w *registry.World, site *registry.Site, hosts ...*registry.Host) []string {
	to := slices.Clone(site.Contacts)
	for _, h := range hosts {
		to = append(to, h.Contacts...)
	}
	for _, name := range site.Admins {
		if u, ok := registry.Find[*registry.User](w, name); ok && u.Mail != "" && !u.Disabled {
			to = append(to, u.Mail)
		}
	}
	slices.Sort(to)
	return slices.Compact(to)
}
