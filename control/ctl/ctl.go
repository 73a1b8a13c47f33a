// Package ctl is waypost ctl: the control plane's API as commands.
//
//	waypost ctl host list
//	waypost ctl host show uni-x/de1
//	waypost ctl host set uni-x/de1 country=DE bandwidth=1000 netblocks+=198.51.100.0/24
//	waypost ctl host set -f de1.yaml
//	waypost ctl url add uni-x/de1 os https://de1.example.org/os
//	waypost ctl crawl uni-x/de1 --wait
//
// People get tables, and with --output json what the API said. What show prints, set -f
// reads. A command that the server refuses fails with the server's words. The
// exit code is 0 if all went well, 1 if not, 2 if the command line is wrong.
package ctl

import (
	"io"

	"github.com/alecthomas/kong"

	"github.com/waypost/waypost/control/registry"
)

// Command is waypost ctl.
type Command struct {
	URL       string `help:"The control plane's URL. Default: ${default}." env:"WAYPOST_URL" default:"http://127.0.0.1:8081" placeholder:"URL"`
	TokenFile string `help:"File with the token to show." env:"WAYPOST_TOKEN_FILE"`
	Output    string `short:"o" help:"table: for people; json: what the API answers." enum:"table,json" default:"table"`
	JSON      bool   `help:"The same as --output json."`

	Site       objects[*registry.Site]       `cmd:"" help:"Organisations that run mirrors."`
	Host       objects[*registry.Host]       `cmd:"" help:"Mirrors, named SITE/NAME."`
	Category   objects[*registry.Category]   `cmd:"" help:"Trees of content."`
	Product    objects[*registry.Product]    `cmd:"" help:"What is distributed, and its versions."`
	Repository objects[*registry.Repository] `cmd:"" help:"What clients name by repo= and arch=, named NAME+ARCH."`
	Release    releases                      `cmd:"" help:"Content under embargo until a time."`
	Override   objects[*registry.Override]   `cmd:"" help:"Corrections of where clients are, and embargoed countries."`
	User       objects[*registry.User]       `cmd:"" help:"People who may sign in."`
	Token      tokens                        `cmd:"" help:"What programs show instead of a password."`
	URLs       urls                          `cmd:"" name:"url" help:"Where a host carries a category."`
	Netblock   netblocks                     `cmd:"" help:"Whose clients a host serves first."`

	Password   passwordCommand   `cmd:"" help:"Set the password of a user or a site."`
	PullSecret pullSecretCommand `cmd:"" help:"Set what other mirrors need to pull from a host."`
	Crawl      crawlCommand      `cmd:"" help:"Crawl a host now."`
	Scan       scanCommand       `cmd:"" help:"Scan the master now."`
	Crawls     crawlsCommand     `cmd:"" help:"Say what crawls found."`
	Publish    publishCommand    `cmd:"" help:"Publish what is known now."`
	Rollback   rollbackCommand   `cmd:"" help:"Publish an old snapshot again."`
	Snapshots  snapshotsCommand  `cmd:"" help:"List what was published."`
	Audit      auditCommand      `cmd:"" help:"Say who changed what."`
	Jobs       jobsCommand       `cmd:"" help:"List what is being done, and was."`
	Status     statusCommand     `cmd:"" help:"Say how the mirrors do."`
	Statistics statisticsCommand `cmd:"" help:"Say what edges counted."`

	Propagation propagationCommand `cmd:"" help:"Say how far the newest metadata has got."`
}

// AfterApply gives the commands below a client.
func (c *Command) AfterApply(k *kong.Context, out io.Writer) error {
	client, err := newClient(c.URL, c.TokenFile)
	if err != nil {
		return err
	}
	k.Bind(client, &printer{out: out, json: c.JSON || c.Output == "json"})
	return nil
}
