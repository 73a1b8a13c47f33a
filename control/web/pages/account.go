package pages

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// An accountPage is what somebody who has signed in may change about that.
type accountPage struct {
	Tokens   []*registry.Token
	Problems []string       // of a password
	Trouble  []string       // of a token
	Secret   *web.MadeToken // one that was just made
	Name     string         // of a token, as it was typed
	Scopes   []string
}

func (v *visit) account() error { return v.showAccount(http.StatusOK, accountPage{}) }

func (v *visit) showAccount(status int, p accountPage) error {
	tokens, err := list[*registry.Token](v)
	if err != nil {
		return err
	}
	p.Tokens = slices.DeleteFunc(tokens, func(t *registry.Token) bool { return t.User != v.user.Name })
	p.Scopes = []string{string(registry.ScopeRead), string(registry.ScopeWrite), string(registry.ScopeCrawl)}
	if v.user.Admin {
		p.Scopes = append(p.Scopes, string(registry.ScopePublish))
	}
	return v.render(status, "account", "Account", p)
}

// ownPassword sets the visitor's password: whoever finds an open browser cannot.
// All sessions end but this one, which begins anew.
func (v *visit) ownPassword() error {
	if !v.attempts.allow(v.user.Name, v.client(), v.now) {
		return v.showAccount(http.StatusTooManyRequests, accountPage{Problems: []string{"There were too many attempts. Wait a few minutes."}})
	}
	right, err := v.isPassword(v.user.PasswordHash, v.r.PostFormValue("old"))
	if err != nil {
		return err
	}
	if !right {
		return v.showAccount(http.StatusUnprocessableEntity, accountPage{Problems: []string{"The old password is not right."}})
	}
	v.attempts.good(v.user.Name)
	problems, err := v.setPassword(registry.KindUser, v.user.Name)
	if err != nil {
		return err
	}
	if problems != nil {
		return v.showAccount(http.StatusUnprocessableEntity, accountPage{Problems: problems})
	}
	entry, err := v.Store.Get(v.r.Context(), registry.KindUser, v.user.Name)
	if err != nil {
		return err
	}
	if user, ok := entry.Object.(*registry.User); ok {
		v.keep(v.sessions.begin(user, v.now))
	}
	return v.to("/account?done=password")
}

// ownToken makes a token that speaks for the visitor, and shows it once.
func (v *visit) ownToken() error {
	p := accountPage{Name: strings.TrimSpace(v.r.PostFormValue("name"))}
	ask := web.NewToken{Name: p.Name, User: v.user.Name, Expires: v.now.UTC().Truncate(time.Second).AddDate(1, 0, 0)}
	for _, scope := range v.r.PostForm["scope"] {
		ask.Scopes = append(ask.Scopes, registry.Scope(scope))
	}
	var made web.MadeToken
	trouble, err := denials(v.order("/v1/tokens", ask, &made))
	switch {
	case err != nil:
		return err
	case trouble != nil:
		p.Trouble = trouble
		return v.showAccount(http.StatusUnprocessableEntity, p)
	}
	return v.showAccount(http.StatusOK, accountPage{Secret: &made})
}
