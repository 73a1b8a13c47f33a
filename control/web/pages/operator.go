package pages

import (
	"errors"
	"net/http"
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
		"GET /release/{key...}":           (*visit).releasePage,
		"POST /do/announce":               (*visit).announce,
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

// A releasePage says which mirrors are ready for a release.
type releasePage struct {
	web.ReleaseStatus

	Coming bool // its embargo has not ended
}

func (v *visit) releasePage() error {
	var p releasePage
	if _, err := v.get(registry.KindRelease, v.key(), &map[string]any{}); err != nil {
		return err
	}
	if err := v.ask("/v1/release-status", &p.ReleaseStatus, "name", v.key()); err != nil {
		return err
	}
	p.Coming = v.now.Before(p.LiftAt)
	return v.show("release", "Release "+v.key(), p)
}

// announce tells mirrors of a release.
func (v *visit) announce() error {
	name := v.r.PostFormValue("release")
	return v.act("/v1/actions/announce", web.Announce{Release: name}, homeOf(registry.KindRelease, name)+"?done=announce")
}
