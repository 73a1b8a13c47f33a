package pages

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

func (s *site) memberRoutes(mux *http.ServeMux) {
	for pattern, p := range map[string]page{
		"GET /my":                      (*visit).mine,
		"GET /account":                 (*visit).account,
		"POST /account/password":       (*visit).ownPassword,
		"POST /account/token":          (*visit).ownToken,
		"GET /new/{kind}":              (*visit).newPage,
		"POST /new/{kind}":             (*visit).save,
		"GET /edit/{kind}/{key...}":    (*visit).editPage,
		"POST /edit/{kind}/{key...}":   (*visit).save,
		"GET /delete/{kind}/{key...}":  (*visit).deletePage,
		"POST /delete/{kind}/{key...}": (*visit).delete,
		"GET /site/{key...}":           (*visit).sitePage,
		"GET /host/{key...}":           (*visit).hostPage,
		"POST /do/password/{key...}":   (*visit).sitePassword,
		"POST /do/token/{key...}":      (*visit).hostToken,
		"POST /do/crawl/{key...}":      (*visit).crawlNow,
		"GET /log/{kind}/{key...}":     (*visit).logPage,
	} {
		mux.Handle(pattern, s.handler(members, p))
	}
}

// A myPage is what somebody who runs mirrors sees first.
type myPage struct {
	Sites    []*registry.Site
	Hosts    map[string][]hostLine // by site
	Releases []*registry.Release
}

// A hostLine is a host in a list.
type hostLine struct {
	*registry.Host

	Seen time.Time // when any of its categories was looked at last
}

func (v *visit) mine() error {
	sites, err := list[*registry.Site](v)
	if err != nil {
		return err
	}
	if v.user.Admin { // operators see all elsewhere
		sites = slices.DeleteFunc(sites, func(s *registry.Site) bool { return !slices.Contains(s.Admins, v.user.Name) })
	}
	p := myPage{Sites: sites, Hosts: map[string][]hostLine{}}
	hosts, err := v.hostLines()
	if err != nil {
		return err
	}
	for _, h := range hosts {
		p.Hosts[h.Site] = append(p.Hosts[h.Site], h)
	}
	releases, err := list[*registry.Release](v)
	p.Releases = slices.DeleteFunc(releases, func(r *registry.Release) bool { return !v.now.Before(r.LiftAt) })
	if err != nil {
		return err
	}
	return v.show("my", "My mirrors", p)
}

// hostLines returns the hosts that the visitor sees.
func (v *visit) hostLines(parameters ...string) ([]hostLine, error) {
	view, err := v.view()
	if err != nil {
		return nil, err
	}
	hosts, err := list[*registry.Host](v, parameters...)
	lines := make([]hostLine, len(hosts))
	for i, h := range hosts {
		lines[i] = hostLine{Host: h}
		for _, held := range view.held[h.Key()] {
			if held.Seen.After(lines[i].Seen) {
				lines[i].Seen = held.Seen
			}
		}
	}
	return lines, err
}

// A sitePage is about one site.
type sitePage struct {
	Site     *registry.Site
	Hosts    []hostLine
	Problems []string // of a password
}

func (v *visit) sitePage() error { return v.showSite(http.StatusOK, nil) }

func (v *visit) showSite(status int, problems []string) error {
	p := sitePage{Site: &registry.Site{}, Problems: problems}
	if _, err := v.get(registry.KindSite, v.key(), p.Site); err != nil {
		return err
	}
	var err error
	if p.Hosts, err = v.hostLines("site", p.Site.Name); err != nil {
		return err
	}
	return v.render(status, "site", "Site "+p.Site.Name, p)
}

// sitePassword sets the password that a site's mirrors check in with.
func (v *visit) sitePassword() error {
	problems, err := v.setPassword(registry.KindSite, v.key())
	if err != nil {
		return err
	}
	if problems != nil {
		return v.showSite(http.StatusUnprocessableEntity, problems)
	}
	return v.to(homeOf(registry.KindSite, v.key()) + "?done=password")
}

// setPassword sets a password that was typed twice, and returns what is wrong with it.
func (v *visit) setPassword(kind registry.Kind, key string) (problems []string, err error) {
	password := v.r.PostFormValue("password")
	if password != v.r.PostFormValue("again") {
		return []string{"The two passwords differ."}, nil
	}
	err = v.order("/v1/actions/password", web.Password{Kind: kind, Key: key, Password: password}, nil)
	return denials(err)
}

// denials returns what the API says no for, in words.
func denials(err error) ([]string, error) {
	if denied, ok := errors.AsType[*denial](err); ok {
		return place(denied, nil, nil, noticed{}), nil
	}
	return nil, err
}

// A hostPage is about one host.
type hostPage struct {
	Host     *registry.Host
	Held     []heldLine
	Tokens   []*registry.Token
	Crawls   []web.Crawled
	Waiting  []web.Job // crawls that are queued or run
	Public   bool
	Problems []string
	Secret   *web.MadeToken // one that was just made
}

// A heldLine is a category of a host, and when it was looked at.
type heldLine struct {
	holding

	Always bool
}

func (v *visit) hostPage() error { return v.showHost(http.StatusOK, nil, nil) }

func (v *visit) showHost(status int, problems []string, secret *web.MadeToken) error {
	p := hostPage{Host: &registry.Host{}, Problems: problems, Secret: secret}
	if _, err := v.get(registry.KindHost, v.key(), p.Host); err != nil {
		return err
	}
	view, err := v.view()
	if err != nil {
		return err
	}
	_, p.Public = view.byKey[v.key()]
	for _, carry := range p.Host.Carries {
		p.Held = append(p.Held, heldLine{view.held[v.key()][carry.Category], carry.AlwaysUpToDate})
	}
	tokens, err := list[*registry.Token](v)
	if err != nil {
		return err
	}
	p.Tokens = slices.DeleteFunc(tokens, func(t *registry.Token) bool { return t.Host != v.key() })
	if err = v.crawls(&p); err != nil {
		return err
	}
	return v.render(status, "host", "Mirror "+v.key(), p)
}

// crawls reads the last crawls of a host, and which are to come.
func (v *visit) crawls(p *hostPage) error {
	var crawls web.Crawls
	if err := v.ask("/v1/crawls", &crawls, "host", p.Host.Key(), "limit", "10"); err != nil {
		return err
	}
	p.Crawls = crawls.Crawls
	for _, state := range []store.JobState{store.Running, store.Queued} {
		var jobs web.Jobs
		if err := v.ask("/v1/jobs", &jobs, "host", p.Host.Key(), "state", string(state)); err != nil {
			return err
		}
		p.Waiting = append(p.Waiting, jobs.Jobs...)
	}
	return nil
}

// hostToken makes a token with which a host checks in, and shows it once.
func (v *visit) hostToken() error {
	name := strings.TrimSpace(v.r.PostFormValue("name"))
	if name == "" {
		name = v.key() + " " + v.now.UTC().Format("2006-01-02 15:04:05")
	}
	var made web.MadeToken
	problems, err := denials(v.order("/v1/tokens", web.NewToken{Name: name, Host: v.key()}, &made))
	switch {
	case err != nil:
		return err
	case problems != nil:
		return v.showHost(http.StatusUnprocessableEntity, problems, nil)
	}
	return v.showHost(http.StatusOK, nil, &made)
}

// crawlNow queues crawls of a host. An operator may have what it has lost believed.
func (v *visit) crawlNow() error {
	problems, err := denials(v.order("/v1/actions/crawl", web.Crawl{
		Host: v.key(), Category: v.r.PostFormValue("category"), AcceptLoss: v.r.PostFormValue("accept") != "",
	}, nil))
	switch {
	case err != nil:
		return err
	case problems != nil:
		return v.showHost(http.StatusUnprocessableEntity, problems, nil)
	}
	return v.to(homeOf(registry.KindHost, v.key()) + "?done=crawl")
}
