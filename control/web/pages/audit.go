package pages

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/waypost/waypost/control/web"
)

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
	if denied, ok := errors.AsType[*denial](err); ok {
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
