package ctl

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/waypost/waypost/control/web"
)

type crawlsCommand struct {
	Host     string `arg:"" optional:"" help:"Only of this host, SITE/NAME."`
	Category string `arg:"" optional:"" help:"Only of this category."`
	Limit    string `help:"How many at most." default:"20"`
	Details  bool   `help:"Say what was found out about URLs, and what is wrong."`
}

// Run lists what crawls found.
func (k *crawlsCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Crawls
	a, err := c.into(ctx, http.MethodGet, query("/v1/crawls", "host", k.Host, "category", k.Category, "limit", k.Limit), nil, &got)
	if err != nil {
		return err
	}
	if k.Details {
		return p.table(a, []string{"HOST", "CATEGORY", "AT", "WHAT", "FOUND"}, detailRows(got.Crawls))
	}
	var rows [][]string
	for _, r := range got.Crawls {
		d := r.Directories
		rows = append(rows, []string{
			r.Host, r.Category, when(r.At), r.Mode, r.Outcome, r.Method, fmt.Sprint(d.Held), fmt.Sprint(d.Lacked), fmt.Sprint(d.Unknown),
			seconds(r.Seconds), cmp.Or(notBelieved(r.Held), r.Reason),
		})
	}
	return p.table(a, []string{"HOST", "CATEGORY", "AT", "MODE", "OUTCOME", "BY", "HELD", "LACKED", "UNKNOWN", "TOOK", "REASON"}, rows)
}

// seconds returns a time for people.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func notBelieved(why string) string {
	if why == "" {
		return ""
	}
	return "not believed: " + why
}

// detailRows returns a row for each thing that a crawl found.
func detailRows(crawls []web.Crawled) (rows [][]string) {
	for _, r := range crawls {
		add := func(what, found string) { rows = append(rows, []string{r.Host, r.Category, when(r.At), what, found}) }
		add(r.Mode, cmp.Or(notBelieved(r.Held), r.Reason, r.Outcome))
		for _, u := range r.URLs {
			add(u.URL, urlFacts(u))
		}
		for _, t := range r.Attempts {
			if t.Error != "" {
				add("listing "+t.URL, t.Error)
			}
		}
		for _, path := range r.Leaks {
			add(path, "is under embargo, and all the world can read it")
		}
		for _, problem := range r.Problems {
			add(problem.Path, problem.Text)
		}
		if r.Dropped > 0 {
			add("", fmt.Sprintf("%d more problems", r.Dropped))
		}
	}
	return rows
}

// urlFacts says what is known of a URL.
func urlFacts(u web.CrawledURL) string {
	text := cmp.Or(u.Error, "works")
	if !u.Works && u.Error == "" {
		text = fmt.Sprintf("does not work, status %d", u.Status)
	}
	if u.V4 != "" {
		text += fmt.Sprintf("; IPv4 %s, IPv6 %s", u.V4, u.V6)
	}
	if u.Certificate != "" {
		text += "; certificate: " + u.Certificate
	} else if !u.Expires.IsZero() {
		text += "; certificate until " + when(u.Expires)
	}
	if u.ToHTTP {
		text += "; redirects to http"
	}
	for _, host := range u.Elsewhere {
		text += "; redirects to " + host
	}
	if u.Soft {
		text += "; answers to names that do not exist"
	}
	return text
}

type propagationCommand struct {
	Category string `arg:"" optional:"" help:"Only of this category."`
}

// Run says how far the newest metadata has got.
func (k *propagationCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Propagation
	a, err := c.into(ctx, http.MethodGet, query("/v1/propagation", "category", k.Category), nil, &got)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, f := range got.Files {
		row := []string{f.Path, when(f.Newest)}
		for _, n := range []int{f.SameDay, f.OneDay, f.TwoDays, f.Older, f.Unknown} {
			row = append(row, fmt.Sprint(n))
		}
		rows = append(rows, row)
	}
	return p.table(a, []string{"METADATA", "NEWEST", "SAME DAY", "ONE DAY", "TWO DAYS", "OLDER", "UNKNOWN"}, rows)
}
