package pages

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// An application is a site or host that waits for approval.
type application struct {
	Kind     registry.Kind
	Key      string
	Revision int64
	Object   registry.Object
	Country  string
	Lines    []string // what it says of itself
}

// An applicationsPage is the queue.
type applicationsPage struct {
	Waiting  []application
	Problems []string
}

func (v *visit) applications() error { return v.showApplications(http.StatusOK, nil) }

func (v *visit) showApplications(status int, problems []string) error {
	p := applicationsPage{Problems: problems}
	var sites struct{ Objects []listed[*registry.Site] }
	if err := v.ask(objectPath(registry.KindSite, ""), &sites); err != nil {
		return err
	}
	for _, s := range sites.Objects {
		if s.Object.State == registry.Pending {
			p.Waiting = append(p.Waiting, application{Kind: registry.KindSite, Key: s.Key, Revision: s.Revision, Object: s.Object, Lines: aboutSite(s.Object)})
		}
	}
	var hosts struct{ Objects []listed[*registry.Host] }
	if err := v.ask(objectPath(registry.KindHost, ""), &hosts); err != nil {
		return err
	}
	for _, h := range hosts.Objects {
		if h.Object.State == registry.Pending {
			p.Waiting = append(p.Waiting, application{
				Kind: registry.KindHost, Key: h.Key, Revision: h.Revision, Object: h.Object, Country: h.Object.Country, Lines: aboutHost(h.Object),
			})
		}
	}
	return v.render(status, "applications", "Applications", p)
}

func aboutSite(s *registry.Site) (out []string) {
	out = append(out, "Web site: "+s.URL, "Users: "+strings.Join(s.Admins, ", "), "Contacts: "+strings.Join(s.Contacts, ", "))
	if s.Private {
		out = append(out, "Private")
	}
	return out
}

func aboutHost(h *registry.Host) (out []string) {
	for _, carry := range h.Carries {
		for _, u := range carry.URLs {
			out = append(out, carry.Category+": "+u.URL)
		}
	}
	if h.Bandwidth > 0 {
		out = append(out, "Bandwidth: "+strconv.Itoa(int(h.Bandwidth))+" Mbit/s")
	}
	if h.Netblocks != nil {
		out = append(out, "Netblocks: "+strings.Join(h.Netblocks, ", "))
	}
	if h.Private {
		out = append(out, "Private")
	}
	if h.Comment != "" {
		out = append(out, "Comment: "+h.Comment)
	}
	return out
}

// decide approves or rejects an application.
func (v *visit) decide() error {
	kind, reason := v.kind(), strings.TrimSpace(v.r.PostFormValue("reason"))
	state := registry.State(v.r.PostFormValue("state"))
	if kind != registry.KindSite && kind != registry.KindHost || state != registry.Approved && state != registry.Rejected {
		return missing()
	}
	if state == registry.Rejected && reason == "" {
		return v.showApplications(http.StatusUnprocessableEntity, []string{"Say why " + v.key() + " is rejected: those who run it read the reason."})
	}
	doc := map[string]any{"state": state, "reason": reason}
	if reason == "" {
		doc["reason"] = nil
	}
	problems, err := denials(v.patch(kind, v.key(), v.r.PostFormValue("revision"), doc))
	switch {
	case err != nil:
		return err
	case problems != nil:
		return v.showApplications(http.StatusConflict, problems)
	}
	return v.to("/applications?done=decided")
}
