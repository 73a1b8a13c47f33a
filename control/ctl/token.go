package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// tokens are the commands for tokens.
type tokens struct {
	List   list[*registry.Token]   `cmd:"" help:"List all."`
	Show   show[*registry.Token]   `cmd:"" help:"Show one, without its secret."`
	Make   makeToken               `cmd:"" help:"Make one for a --user, a --host or an --edge, and print its secret, which nobody can see again."`
	Set    set[*registry.Token]    `cmd:"" help:"Take scopes or time from one."`
	Delete remove[*registry.Token] `cmd:"" help:"Delete one: it stops working at once."`
}

type makeToken struct {
	Name    string           `arg:"" help:"Its name, to tell tokens apart."`
	User    string           `help:"The user it speaks for." xor:"for"`
	Host    string           `help:"Or the host it speaks for, SITE/NAME, when that checks in." xor:"for"`
	Edge    string           `help:"Or the edge it speaks for, which fetches snapshots with it." xor:"for"`
	Scopes  []registry.Scope `help:"What it may do: for a user read, write, crawl, publish, checkin; for a host checkin, the default, and read."`
	Expires time.Duration    `help:"After what time it stops working, such as 720h. Default: never."`
	To      string           `help:"Write the secret to this new file, which nobody else may read." type:"path"`
}

// Validate says which flag is missing: with all three required, the usage would
// ask for all three.
func (m *makeToken) Validate() error {
	if m.User == "" && m.Host == "" && m.Edge == "" {
		return errors.New("want one of --user, --host and --edge")
	}
	return nil
}

// Run makes a token.
func (m *makeToken) Run(ctx context.Context, c *client, p *printer) error {
	want := web.NewToken{Name: m.Name, User: m.User, Host: m.Host, Edge: m.Edge, Scopes: m.Scopes}
	if m.Expires > 0 {
		want.Expires = time.Now().Add(m.Expires).UTC().Truncate(time.Second)
	}
	var f *os.File
	if m.To != "" {
		var err error // before the token is made: its secret must not be lost
		if f, err = os.OpenFile(m.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return fmt.Errorf("making a file for the secret: %w", err)
		}
	}
	var made web.MadeToken
	a, err := c.into(ctx, http.MethodPost, "/v1/tokens", want, &made)
	if f == nil {
		if err != nil {
			return err
		}
		return p.answer(a, "%s", made.Token)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, made.Token)
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(m.To))
	}
	if p.json {
		return nil
	}
	_, err = fmt.Fprintf(p.out, "token %s made, its secret is in %s\n", made.Name, m.To)
	return err
}
