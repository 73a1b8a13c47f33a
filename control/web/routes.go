package web

import (
	"net/http"

	"github.com/waypost/waypost/control/registry"
)

// A route is a line of the table of which the API is made.
type route struct {
	method, path string
	scope        registry.Scope // "": open to all
	text         string         // what it does, for people
	query        []string       // parameters of the query that it knows
	in, out      any            // zero values of the documents that it reads and answers with; nil: none
	status       int            // of a good answer; 0: 200
	do           func(*call) error
	raw          http.HandlerFunc // instead of do: it sees to everything itself
}

// routes returns the table.
func (s *server) routes() []route {
	const r, w = registry.ScopeRead, registry.ScopeWrite
	list := []route{
		{method: "GET", path: "/healthz", text: "Whether the process runs.", do: s.healthy},
		{method: "GET", path: "/readyz", text: "Whether the database answers.", do: s.ready},
		{method: "GET", path: "/openapi.json", text: "This document.", do: s.openAPI},
		{method: "GET", path: "/v1/status", scope: r, text: "How the mirrors and the control plane do.", out: Status{}, do: s.status},
		{
			method: "GET", path: "/v1/audit", scope: r, text: "Who changed what, the newest first. For others than administrators: of one thing, by kind and key.",
			query: []string{"kind", "key", "who", "since", "until", "limit"}, out: Audit{}, do: s.audit,
		},
		{
			method: "GET", path: "/v1/jobs", scope: r, text: "What is being done, those first whose state changed last. For others than administrators: the crawls of a host, by host, or by kind and key.",
			query: []string{"kind", "key", "host", "state", "limit"}, out: Jobs{}, do: s.jobs,
		},
		{
			method: "GET", path: "/v1/crawls", scope: r, text: "What crawls found, the newest first. For others than administrators: of a host, by its key.",
			query: []string{"host", "category", "limit"}, out: Crawls{}, do: s.crawls,
		},
		{
			method: "GET", path: "/v1/propagation", scope: r, text: "How many mirrors have which age of each repository's metadata.",
			query: []string{"category"}, out: Propagation{}, do: s.propagation,
		},
		{method: "GET", path: "/v1/snapshots", scope: r, text: "What was published, the newest first.", out: Snapshots{}, do: s.snapshots},
		{method: "POST", path: "/v1/tokens", scope: w, text: "Make a token. Its secret is told once.", in: NewToken{}, out: MadeToken{}, status: 201, do: s.makeToken},
		{method: "POST", path: "/v1/actions/password", scope: w, text: "Set the password of a user or a site.", in: Password{}, do: s.password},
		{method: "POST", path: "/v1/actions/pull-secret", scope: w, text: "Set what other mirrors need to pull from a host.", in: PullSecret{}, do: s.pullSecret},
		{method: "POST", path: "/v1/actions/crawl", scope: registry.ScopeCrawl, text: "Crawl a host now.", in: Crawl{}, out: Enqueued{}, status: 202, do: s.crawl},
		{method: "POST", path: "/v1/actions/scan", scope: registry.ScopeCrawl, text: "Scan the master now. For administrators.", in: Scan{}, out: Enqueued{}, status: 202, do: s.scan},
		{method: "POST", path: "/v1/actions/publish", scope: registry.ScopePublish, text: "Publish what is known now. For administrators.", in: Publish{}, out: Enqueued{}, status: 202, do: s.publish},
		{method: "POST", path: "/v1/actions/rollback", scope: registry.ScopePublish, text: "Publish an old snapshot again. For administrators.", in: Rollback{}, out: Enqueued{}, status: 202, do: s.rollback},
		{method: "GET", path: "/v1/release-status", scope: r, text: "Which mirrors hold a release. For administrators.", query: []string{"name"}, out: ReleaseStatus{}, do: s.releaseStatus},
		{method: "POST", path: "/v1/actions/announce", scope: w, text: "Tell mirrors of a release. For administrators.", in: Announce{}, out: Enqueued{}, status: 202, do: s.announce},
		{method: "POST", path: "/v1/actions/release-move", scope: w, text: "Make a version in development a release. For administrators.", in: MoveRelease{}, out: Moves{}, do: s.moveRelease},
		{method: "POST", path: "/v1/actions/release-archive", scope: w, text: "Make an old version one of the archive. For administrators.", in: ArchiveRelease{}, out: Moves{}, do: s.archiveRelease},
		{method: "POST", path: "/v1/actions/expire-metadata", scope: registry.ScopePublish, text: "Take old metadata out of metalinks at once. For administrators.", in: ExpireMetadata{}, out: Expired{}, do: s.expireMetadata},
		{
			method: "GET", path: "/v1/snapshot/manifest", scope: registry.ScopeEdge, text: "The manifest that was published last. With If-None-Match and wait, up to 1m, it waits for a new one.",
			query: []string{"wait"}, do: s.serveManifest,
		},
		{method: "POST", path: "/v1/statistics", scope: registry.ScopeEdge, text: "An edge sends what it counted.", in: Batch{}, status: 204, do: s.addCounts},
		{
			method: "GET", path: "/v1/statistics", scope: r,
			text:  "What edges counted by a dimension: country, host, repository, arch or kind. With span minute, day, or total, a sum over all the time. For administrators.",
			query: []string{"dimension", "category", "span", "from", "to", "limit"}, out: Counts{}, do: s.counts,
		},
		{
			method: "GET", path: "/v1/exports/{format}", text: "What is published, for other programs. Open to all: json, text, html, nginx, apache, haproxy, varnish, " +
				"squid-refresh, squid-storeid. With a token with the scope read: rsync-acl (upstream), rsync-filter (categories, since, strip). For administrators: mirrorlists (a tar archive), catalog, mirrormanager.",
			query: []string{"upstream", "categories", "since", "strip"}, do: s.export,
		},
		{method: "GET", path: "/v1/snapshot/sections/{sha256}", scope: registry.ScopeEdge, text: "A section of a snapshot.", do: s.serveSection},
	}
	for _, kind := range registry.Kinds() {
		list = append(list, s.objectRoutes(kind)...)
	}
	if s.Checkins != nil {
		list = append(list,
			route{method: "POST", path: "/v1/checkin", text: "A mirror reports what it holds, with a token of its own: see package control/checkin.", raw: s.Checkins.ServeAPI},
			route{method: "POST", path: "/xmlrpc", text: "The XML-RPC call checkin of report_mirror and quick-fedora-mirror.", raw: s.Checkins.ServeXMLRPC})
	}
	return list
}

// objectRoutes returns the routes of a kind of objects.
func (s *server) objectRoutes(kind registry.Kind) []route {
	const r, w = registry.ScopeRead, registry.ScopeWrite
	one, object, name := "/v1/"+string(kind)+"/{key...}", registry.New(kind), string(kind)
	var query []string
	if kind == registry.KindSite || kind == registry.KindHost || kind == registry.KindToken {
		query = []string{"site"}
	}
	return []route{
		{method: "GET", path: "/v1/" + name, scope: r, text: "All of kind " + name + " that the caller sees, without secrets.", query: query, out: Objects{}, do: s.list(kind)},
		{method: "GET", path: one, scope: r, text: "One " + name + ", without secrets. The ETag is its revision.", out: object, do: s.show(kind)},
		{method: "PUT", path: one, scope: w, text: "Make or replace one " + name + ". With If-Match only of that revision, with If-None-Match: * only a new one. " +
			"What stands for a secret keeps it.", in: object, out: object, do: s.put(kind)},
		{method: "PATCH", path: one, scope: w, text: "Change one " + name + " by a merge patch (RFC 7396), or make it with defaults.", in: object, out: object, do: s.patch(kind)},
		{method: "DELETE", path: one, scope: w, text: "Delete one " + name + ".", status: 204, do: s.delete(kind)},
	}
}
