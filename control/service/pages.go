package service

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/control/web/pages"
)

// pages returns what makes the pages for people. Their sessions are signed with
// a key that is made of the secret key, so that processes that share that take
// one another's sessions.
func (s *Service) pages(secret registry.SecretKey) (func(web.Inside) http.Handler, error) {
	key, err := hkdf.Key(sha256.New, secret[:], nil, "waypost sessions of pages", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("making a key for sessions: %w", err)
	}
	return func(api web.Inside) http.Handler {
		return pages.New(pages.Config{API: api, Store: s.store, Key: key, Log: s.log})
	}, nil
}

// application tells the operators of what waits for approval, and those who
// applied of what became of it. A message that cannot be queued is logged: the
// application itself is there.
func (s *Service) application(ctx context.Context, o registry.Object, who string) {
	m := notify.Message{Event: notify.Application, About: registry.Name(o), At: time.Now()}
	world, _, err := s.store.World(ctx)
	if err != nil {
		s.trouble(err)
		return
	}
	state, reason, to := applicants(world, o)
	tell := s.tellOnly
	switch state {
	case registry.Pending:
		tell = s.tell
		m.Subject = fmt.Sprintf("%s waits for approval", registry.Name(o))
		m.Text = fmt.Sprintf("%s has registered the %s. It is listed nowhere until an operator approves it.\n", who, registry.Name(o))
	default:
		m.To = to
		m.Subject = fmt.Sprintf("%s is %s", registry.Name(o), state)
		m.Text = fmt.Sprintf("An operator has %s the %s.\n", state, registry.Name(o))
		if reason != "" {
			m.Text += "\nThe reason: " + reason + "\n"
		}
	}
	s.trouble(tell(ctx, m))
}

// applicants returns what became of a site or host, and whom to tell.
func applicants(w *registry.World, o registry.Object) (state registry.State, reason string, to []string) {
	switch o := o.(type) {
	case *registry.Site:
		return o.State, o.Reason, contacts(w, o)
	case *registry.Host:
		site, ok := registry.Find[*registry.Site](w, o.Site)
		if !ok {
			site = &registry.Site{}
		}
		return o.State, o.Reason, contacts(w, site, o)
	}
	return "", "", nil
}
