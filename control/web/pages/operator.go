package pages

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

func (s *site) operatorRoutes(mux *http.ServeMux) {
	for pattern, p := range map[string]page{
		"GET /applications":               (*visit).applications,
		"POST /decide/{kind}/{key...}":    (*visit).decide,
		"GET /list/{kind}":                (*visit).listPage,
		"GET /jobs":                       (*visit).jobsPage,
		"GET /snapshots":                  (*visit).snapshotsPage,
		"GET /audit":                      (*visit).auditPage,
		"POST /do/scan":                   (*visit).scanNow,
		"POST /do/publish":                (*visit).publishNow,
		"POST /do/rollback":               (*visit).rollBack,
		"POST /do/user-password/{key...}": (*visit).userPassword,
	} {
		mux.Handle(pattern, s.handler(operators, p))
	}
}

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

// A listPage lists the objects of a kind.
type listPage struct {
	Kind   registry.Kind
	Plural string
	Lines  []line
	Total  int

	// of hosts
	Hosts                 bool
	Filter                hostFilter
	Countries, Categories []string
	States                []string
}

// A line is an object in a list.
type line struct {
	Key, Where, Text string
	Seen             time.Time
	State            string
}

// A hostFilter says which hosts an operator wants to see.
type hostFilter struct{ State, Country, Category string }

func (v *visit) listPage() error {
	p := listPage{Kind: v.kind()}
	p.Plural = plural(p.Kind)
	var err error
	switch p.Kind {
	case registry.KindHost:
		err = v.listHosts(&p)
	case "":
		return missing()
	default:
		err = v.listObjects(&p)
	}
	if err != nil {
		return err
	}
	return v.show("list", p.Plural, p)
}

func (v *visit) listObjects(p *listPage) error {
	var raw struct {
		Objects []struct {
			Key    string
			Object map[string]any
		}
	}
	if err := v.ask(objectPath(p.Kind, ""), &raw); err != nil {
		return err
	}
	p.Total = len(raw.Objects)
	for _, o := range raw.Objects {
		l := line{Key: o.Key, Where: homeOf(p.Kind, o.Key), Text: summary(p.Kind, o.Object), State: stateText(o.Object)}
		if p.Kind == registry.KindToken {
			l.Where = "/delete/token/" + inPath(o.Key)
		}
		p.Lines = append(p.Lines, l)
	}
	return nil
}

// stateText says in a word whether something takes part, "" where that means nothing.
func stateText(o map[string]any) string {
	state, _ := o["state"].(string)
	switch {
	case o["disabled"] == true:
		return "disabled"
	case state == "approved" && (o["admin_active"] != true || o["user_active"] != true):
		return "inactive"
	}
	return state
}

// summary says what matters of an object in a list.
func summary(kind registry.Kind, o map[string]any) string {
	var keys []string
	switch kind {
	case registry.KindSite:
		keys = []string{"url", "admins", "reason"}
	case registry.KindCategory:
		keys = []string{"path", "product"}
	case registry.KindRepository:
		keys = []string{"path", "redirect_to", "version"}
	case registry.KindRelease:
		keys = []string{"lift_at", "paths"}
	case registry.KindOverride:
		keys = []string{"country", "continent", "netblock"}
	case registry.KindUser:
		keys = []string{"mail"}
		if o["admin"] == true {
			return strings.TrimSpace("operator " + shown(field{}, o["mail"]))
		}
	case registry.KindToken:
		keys = []string{"user", "host", "edge", "scopes", "expires"}
	case registry.KindProduct:
		versions, _ := o["versions"].([]any)
		return count(len(versions), "version")
	}
	var parts []string
	for _, key := range keys {
		if text := strings.ReplaceAll(shown(field{}, o[key]), "\n", ", "); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " · ")
}

func (v *visit) listHosts(p *listPage) error {
	q := v.r.URL.Query()
	p.Hosts, p.Filter = true, hostFilter{q.Get("state"), strings.ToUpper(q.Get("country")), q.Get("category")}
	p.States = []string{"pending", "approved", "rejected", "inactive", "private", "resting"}
	hosts, err := v.hostLines()
	if err != nil {
		return err
	}
	p.Total = len(hosts)
	for _, h := range hosts {
		p.Countries = append(p.Countries, h.Country)
		for _, carry := range h.Carries {
			p.Categories = append(p.Categories, carry.Category)
		}
		if !p.Filter.wants(h.Host, v.now) {
			continue
		}
		state := string(h.State)
		if h.State == registry.Approved && !h.On() {
			state = "inactive"
		}
		text := []string{country(h.Country)}
		if h.Private {
			text = append(text, "private")
		}
		if h.Reason != "" {
			text = append(text, h.Reason)
		}
		p.Lines = append(p.Lines, line{h.Key(), homeOf(registry.KindHost, h.Key()), strings.Join(text, " · "), h.Seen, state})
	}
	p.Countries, p.Categories = sorted(p.Countries), sorted(p.Categories)
	return nil
}

// wants reports whether a host is one of those that are asked for.
func (f hostFilter) wants(h *registry.Host, now time.Time) bool {
	if f.Country != "" && h.Country != f.Country {
		return false
	}
	if f.Category != "" && !slices.ContainsFunc(h.Carries, func(c registry.Carry) bool { return c.Category == f.Category }) {
		return false
	}
	switch f.State {
	case "":
		return true
	case "inactive":
		return h.State == registry.Approved && !h.On()
	case "private":
		return h.Private
	case "resting":
		return h.Resting(now)
	}
	return string(h.State) == f.State
}

// A jobsPage shows what is done.
type jobsPage struct {
	Jobs       []web.Job
	State      store.JobState
	Kind       string
	States     []store.JobState
	Categories []string
}

func (v *visit) jobsPage() error {
	q := v.r.URL.Query()
	p := jobsPage{
		State: store.JobState(q.Get("state")), Kind: q.Get("kind"),
		States: []store.JobState{store.Queued, store.Running, store.Done, store.Failed},
	}
	var jobs web.Jobs
	if err := v.ask("/v1/jobs", &jobs, "state", string(p.State), "kind", p.Kind, "limit", "200"); err != nil {
		return err
	}
	p.Jobs = jobs.Jobs
	var err error
	if p.Categories, err = namesOf[*registry.Category](v); err != nil {
		return err
	}
	return v.show("jobs", "Jobs", p)
}

func (v *visit) scanNow() error {
	return v.act("/v1/actions/scan", web.Scan{Category: v.r.PostFormValue("category")}, "/jobs?done=scan")
}

func (v *visit) publishNow() error {
	return v.act("/v1/actions/publish", web.Publish{}, "/snapshots?done=publish")
}

func (v *visit) rollBack() error {
	version, err := strconv.ParseUint(v.r.PostFormValue("version"), 10, 64)
	if err != nil {
		return missing()
	}
	return v.act("/v1/actions/rollback", web.Rollback{Version: version}, "/snapshots?done=rollback")
}

// act has the API do something and goes on to a page.
func (v *visit) act(path string, doc any, next string) error {
	err := v.order(path, doc, nil)
	var denied *denial
	switch {
	case errors.As(err, &denied):
		return &refusal{denied.status, sentence(denied.Failure.Error)}
	case err != nil:
		return err
	}
	return v.to(next)
}

func (v *visit) snapshotsPage() error {
	var out web.Snapshots
	if err := v.ask("/v1/snapshots", &out); err != nil {
		return err
	}
	return v.show("snapshots", "Snapshots", out.Snapshots)
}

// An auditPage is the log of changes, or that of one thing.
type auditPage struct {
	Kind, Key, Who string
	Events         []event
	Older          string // where older ones are
	All            bool
}

// An event is a change with what it changed.
type event struct {
	web.Event

	Changed []difference
}

// auditLines is how many lines a page of the log has.
const auditLines = "50"

func (v *visit) auditPage() error {
	q := v.r.URL.Query()
	return v.showAudit(auditPage{Kind: q.Get("kind"), Key: q.Get("key"), Who: q.Get("who"), All: true}, "Audit log")
}

// logPage is the log of one thing, for those who see the thing.
func (v *visit) logPage() error {
	if v.kind() == "" {
		return missing()
	}
	return v.showAudit(auditPage{Kind: string(v.kind()), Key: v.key()}, "Changes of "+v.key())
}

func (v *visit) showAudit(p auditPage, title string) error {
	var out web.Audit
	err := v.ask("/v1/audit", &out, "kind", p.Kind, "key", p.Key, "who", p.Who, "until", v.r.URL.Query().Get("until"), "limit", auditLines)
	var denied *denial
	if errors.As(err, &denied) {
		return &refusal{denied.status, sentence(denied.Failure.Error)}
	}
	if err != nil {
		return err
	}
	for _, e := range out.Events {
		p.Events = append(p.Events, event{e, differences(e.Before, e.After)})
	}
	if n := len(out.Events); strconv.Itoa(n) == auditLines {
		q := url.Values{"until": {strconv.FormatInt(out.Events[n-1].Change, 10)}}
		for name, value := range map[string]string{"kind": p.Kind, "key": p.Key, "who": p.Who} {
			if p.All && value != "" {
				q.Set(name, value)
			}
		}
		p.Older = v.r.URL.Path + "?" + q.Encode()
	}
	return v.show("audit", title, p)
}

// userPassword sets a user's password.
func (v *visit) userPassword() error {
	problems, err := v.setPassword(registry.KindUser, v.key())
	if err != nil {
		return err
	}
	if problems != nil {
		return &refusal{http.StatusUnprocessableEntity, strings.Join(problems, " ")}
	}
	return v.to(homeOf(registry.KindUser, v.key()) + "?done=password")
}
