package http

import (
	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/statistics"
)

// about notes what a request is about, so that its answer is counted.
// repository is the number of the one that was asked for by name, plus 1.
func (r *request) about(t *index.Target, repository uint32) {
	r.event = statistics.Event{Category: t.Category, Directory: t.Directory, Repository: repository}
	r.counts = true
}

// tally counts an answer by who asked for what and whom it names, if it is
// about content: not what is unknown, refused or malformed.
func (r *request) tally() {
	if !r.counts || r.kind == Other || r.view.Counter == nil {
		return
	}
	e := &r.event
	e.Kind = r.kind.counted()
	switch {
	case r.answer.View != nil: // hosts were asked for
		e.Country = r.answer.Place.Country
		r.tallyHosts()
	case r.client.IsValid():
		e.Country = r.view.Index.Place(r.client, r.client.BitLen()).Country
	}
	if r.ctx.Response.StatusCode() == fasthttp.StatusNotModified {
		e.Kind = statistics.NotModified
	}
	r.view.Counter.Add(e)
}

// tallyHosts notes who was named first. Lists in text, which have not all hosts
// in them, have noted it themselves.
func (r *request) tallyHosts() {
	text := r.kind == Mirrorlist && r.ctx.Response.StatusCode() == fasthttp.StatusOK
	if hosts := r.answer.Hosts(); len(hosts) > 0 && !text {
		r.event.Host = hosts[0] + 1
	}
	switch {
	case r.origin:
		r.event.Kind, r.event.Host = statistics.Origin, 0
	case r.event.Host == 0 && !r.offered:
		r.event.Kind = statistics.Unserved
	}
}

// counted returns what answers to requests of the kind are counted as.
func (k Kind) counted() statistics.Kind {
	return [Kinds]statistics.Kind{
		Redirect: statistics.Redirect, Mirrorlist: statistics.Mirrorlist, Metalink3: statistics.Metalink3,
		Metalink4: statistics.Metalink4, Page: statistics.Page, Hash: statistics.Hash,
	}[k]
}
