package ctl

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/waypost/waypost/control/web"
)

type statisticsCommand struct {
	By       string `help:"What to count by: country, host, repository, arch or kind." enum:"country,host,repository,arch,kind" default:"country"`
	Category string `help:"Only of this category."`
	Span     string `help:"One sum over all the time (total), or of each day or minute. Minutes of more than some days ago have been added up to days." enum:"total,day,minute" default:"total"`
	From     string `help:"Since this day or time, such as 2026-01-02 or 2026-01-02T03:04:05Z. Default: 30 days ago; of minutes, an hour." placeholder:"TIME"`
	To       string `help:"Before this day or time. Default: now." placeholder:"TIME"`
	Limit    uint   `help:"How many lines at most." placeholder:"N"`
	CSV      bool   `name:"csv" help:"Print CSV (RFC 4180)."`
}

// Run says what edges counted.
func (k *statisticsCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Counts
	limit := ""
	if k.Limit > 0 && (k.Span != "total" || k.CSV || p.json) { // shares are of all lines
		limit = fmt.Sprint(k.Limit)
	}
	path := query("/v1/statistics", "dimension", k.By, "category", k.Category, "span", k.Span,
		"from", timeOf(k.From), "to", timeOf(k.To), "limit", limit)
	a, err := c.into(ctx, http.MethodGet, path, nil, &got)
	if err != nil {
		return err
	}
	if k.CSV && !p.json {
		return k.csv(p, got.Counts)
	}
	total := int64(0)
	for _, n := range got.Counts {
		total += n.Count
	}
	title := []string{"CATEGORY", strings.ToUpper(k.By), "COUNT", "SHARE"}
	var rows [][]string
	for _, n := range got.Counts {
		row := []string{n.Category, n.Name, fmt.Sprint(n.Count), fmt.Sprintf("%.1f %%", 100*float64(n.Count)/float64(total))}
		if k.Span != "total" {
			row = append([]string{when(n.At)}, row[:3]...)
		}
		rows = append(rows, row)
	}
	if k.Limit > 0 {
		rows = rows[:min(uint(len(rows)), k.Limit)]
	}
	if k.Span != "total" {
		title = append([]string{"AT"}, title[:3]...)
	}
	return p.table(a, title, rows)
}

// csv prints counts as CSV: without a time for sums over all the time.
func (k *statisticsCommand) csv(p *printer, counts []web.Count) error {
	w := csv.NewWriter(p.out)
	write := func(at string, rest ...string) {
		if k.Span != "total" {
			rest = append([]string{at}, rest...)
		}
		_ = w.Write(rest) // w.Error has it
	}
	write("at", "category", k.By, "count")
	for _, n := range counts {
		write(n.At.UTC().Format(time.RFC3339), cell(n.Category), cell(n.Name), fmt.Sprint(n.Count))
	}
	w.Flush()
	return w.Error()
}

// cell returns a name as a cell that no spreadsheet takes for a formula: those who
// run mirrors choose names.
func cell(name string) string {
	name = strings.Map(printable, name)
	if name != "" && strings.Contains("=+-@", name[:1]) {
		return "'" + name
	}
	return name
}

// timeOf returns a day as the time when it begins, and anything else as it is.
func timeOf(text string) string {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Format(time.RFC3339)
	}
	return text
}
