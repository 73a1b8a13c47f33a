package pages

import (
	"net/http"

	"github.com/waypost/waypost/control/registry"
)

// A loginForm is what the page to sign in shows.
type loginForm struct {
	Name, Next, Problem string
}

func (v *visit) loginPage() error {
	next := local(v.r.URL.Query().Get("next"))
	if v.user != nil {
		return v.to(next)
	}
	return v.show("login", "Sign in", loginForm{Next: next})
}

// login signs somebody in. Whether there is an account of the name is told by
// neither the words of the answer nor its time.
func (v *visit) login() error {
	f := loginForm{Name: v.r.PostFormValue("name"), Next: local(v.r.PostFormValue("next"))}
	password, from := v.r.PostFormValue("password"), v.client()
	if len(f.Name) > 256 || len(password) > 1024 {
		return &refusal{http.StatusBadRequest, "Names have up to 256 bytes, passwords up to 1024."}
	}
	if !v.attempts.allow(f.Name, from, v.now) {
		v.Log.Warn("too many attempts to sign in", "user", f.Name, "client", from)
		f.Problem = "There were too many attempts. Wait a few minutes."
		v.w.Header().Set("Retry-After", "60")
		return v.render(http.StatusTooManyRequests, "login", "Sign in", f)
	}
	world, _, err := v.Store.World(v.r.Context())
	if err != nil {
		return err
	}
	user, ok := registry.Find[*registry.User](world, f.Name)
	hash := ""
	if ok && !user.Disabled {
		hash = user.PasswordHash
	}
	if right, err := v.isPassword(hash, password); err != nil || !right {
		v.Log.Info("could not sign in", "user", f.Name, "client", from)
		f.Problem = "Name and password do not match."
		return v.render(http.StatusUnauthorized, "login", "Sign in", f)
	}
	v.attempts.good(f.Name)
	v.Log.Info("signed in", "user", user.Name, "client", from)
	v.keep(v.sessions.begin(user, v.now))
	return v.to(f.Next)
}

// isPassword compares a password with a hash; few are hashed at a time.
func (v *visit) isPassword(hash, password string) (bool, error) {
	select {
	case v.attempts.work <- struct{}{}:
	case <-v.r.Context().Done():
		return false, v.r.Context().Err()
	}
	defer func() { <-v.attempts.work }()
	return registry.IsPassword(hash, password), nil
}

// logout ends the session.
func (v *visit) logout() error {
	if cookie, err := v.r.Cookie(v.cookieName()); err == nil && v.user != nil {
		v.sessions.finish(cookie.Value, v.now)
	}
	v.keep("")
	return v.to("/login?done=out")
}
