package web_test

import (
	"testing"

	"github.com/waypost/waypost/control/registry"
)

// TestAuthority tries who may do what; each case has a registry of its own.
func TestAuthority(t *testing.T) {
	const host = "/v1/host/uni-x/de1"
	for _, tt := range []struct {
		name, who, method, path, body string
		want                          int
	}{
		{"nobody", "", "GET", "/v1/site", "", 401},
		{"an unknown token", "nonsense", "GET", "/v1/site", "", 401},
		{"an expired token", "expired", "GET", "/v1/site", "", 401},
		{"a disabled user", "gone", "GET", "/v1/site", "", 401},
		{"an edge reads no registry", "edge", "GET", "/v1/site", "", 403},
		{"an edge reads snapshots", "edge", "GET", "/v1/snapshot/manifest", "", 404},
		{"a host reads no registry", "host", "GET", host, "", 403},
		{"a host writes no registry", "host", "PATCH", host, `{"bandwidth":1}`, 403},
		{"a host reads no snapshots", "host", "GET", "/v1/snapshot/manifest", "", 403},
		{"a user reads no snapshots", "root", "GET", "/v1/snapshot/manifest", "", 403},
		{"a reader writes nothing", "reader", "PATCH", host, `{"bandwidth":1}`, 403},
		{"a reader publishes nothing", "reader", "POST", "/v1/actions/publish", `{}`, 403},

		{"own site", "alice", "PATCH", "/v1/site/uni-x", `{"url":"https://x.example.org/"}`, 200},
		{"own site, approval", "alice", "PATCH", "/v1/site/uni-x", `{"state":"pending"}`, 403},
		{"own site, admin_active", "alice", "PATCH", "/v1/site/uni-x", `{"admin_active":false}`, 403},
		{"own site, user_active", "alice", "PATCH", "/v1/site/uni-x", `{"user_active":false}`, 200},
		{"own site, another admin", "alice", "PATCH", "/v1/site/uni-x", `{"admins":["alice","bob"]}`, 200},
		{"a foreign site", "alice", "PATCH", "/v1/site/other", `{"admins":["alice"]}`, 403},
		{"a foreign site by replacing it", "alice", "PUT", "/v1/site/other", `{"name":"other","admins":["alice"],"state":"pending","admin_active":true,"user_active":true}`, 403},
		{"a new site waits", "bob", "PATCH", "/v1/site/bobs", `{}`, 201},
		{"a new site, approved", "bob", "PATCH", "/v1/site/bobs", `{"state":"approved"}`, 403},
		{"a new site for others", "bob", "PATCH", "/v1/site/bobs", `{"admins":["alice"]}`, 403},

		{"own host", "alice", "PATCH", host, `{"bandwidth":1}`, 200},
		{"own host, other's hands", "bob", "PATCH", host, `{"bandwidth":1}`, 403},
		{"own host, deleted", "alice", "DELETE", host, "", 422}, // its token still speaks for it
		{"own host, deleted by another", "bob", "DELETE", host, "", 403},
		{"own host, peers", "alice", "PATCH", host, `{"peer_asns":[680]}`, 403},
		{"own host, all the world", "alice", "PATCH", host, `{"netblocks":["0.0.0.0/0"]}`, 403},
		{"own host, half the world as a range", "alice", "PATCH", host, `{"netblocks":["0.0.0.0-127.255.255.255"]}`, 403},
		{"own host, wide v6", "alice", "PATCH", host, `{"netblocks":["2000::/3"]}`, 403},
		{"own host, pulled by all the world", "alice", "PATCH", host, `{"pull_addresses":["0.0.0.0/0"]}`, 403},
		{"own host, pulled by a large network", "alice", "PATCH", host, `{"pull_addresses":["2001:db8::/32"]}`, 403},
		{"own host, pulled by its machines", "alice", "PATCH", host, `{"pull_addresses":["198.51.100.0/28","mirror.example.org"]}`, 200},
		{"own host, its netblock", "alice", "PATCH", host, `{"netblocks":["198.51.100.0/24","2001:db8::/32"]}`, 200},
		{"own host, without crawling", "alice", "PATCH", host, `{"carries":[{"category":"os","always_up_to_date":true}]}`, 403},
		{"own host, hidden category", "alice", "PATCH", host, `{"carries":[{"category":"staff"}]}`, 403},
		{"own host, hidden category by an admin", "root", "PATCH", host, `{"carries":[{"category":"staff"}]}`, 200},
		{"a new host waits", "alice", "PATCH", "/v1/host/uni-x/de2", `{"country":"DE"}`, 201},
		{"a new host of a foreign site", "alice", "PATCH", "/v1/host/other/de2", `{"country":"DE"}`, 403},
		{"a new host with a number", "alice", "PATCH", "/v1/host/uni-x/de2", `{"number":1000000}`, 403},

		{"a category", "alice", "PATCH", "/v1/category/os", `{"origin":"https://a.example.org"}`, 403},
		{"a new override", "alice", "PATCH", "/v1/override/o", `{"country":"DE","embargoed":true}`, 403},
		{"a release", "alice", "PATCH", "/v1/release/r", `{"paths":["pub/os"],"lift_at":"2026-01-01T00:00:00Z"}`, 403},

		{"oneself", "alice", "PATCH", "/v1/user/alice", `{"mail":"alice@example.org"}`, 200},
		{"oneself, above oneself", "alice", "PATCH", "/v1/user/alice", `{"admin":true}`, 403},
		{"oneself, as another", "alice", "PATCH", "/v1/user/alice", `{"subject":"root"}`, 403},
		{"another user", "alice", "PATCH", "/v1/user/bob", `{"mail":"alice@example.org"}`, 403},
		{"a new user", "alice", "PATCH", "/v1/user/new", `{}`, 403},
		{"another's password", "alice", "POST", "/v1/actions/password", `{"kind":"user","key":"root","password":"12345678"}`, 404},

		{"own token", "alice", "POST", "/v1/tokens", `{"name":"t","user":"alice","scopes":["read"]}`, 201},
		{"own token, more scopes", "alice", "POST", "/v1/tokens", `{"name":"t","user":"alice","scopes":["checkin"]}`, 403},
		{"another's token", "alice", "POST", "/v1/tokens", `{"name":"t","user":"root","scopes":["read"]}`, 403},
		{"own host's token", "alice", "POST", "/v1/tokens", `{"name":"t","host":"uni-x/de1"}`, 201},
		{"another host's token", "alice", "POST", "/v1/tokens", `{"name":"t","host":"other/fr1"}`, 403},
		{"an edge's token", "alice", "POST", "/v1/tokens", `{"name":"t","edge":"edge2"}`, 403},
		{"an edge's token by an admin", "root", "POST", "/v1/tokens", `{"name":"t","edge":"edge2"}`, 201},
		{"a token that grows", "root", "PATCH", "/v1/token/reader", `{"scopes":["read","write"]}`, 403},
		{"a token that changes hands", "root", "PATCH", "/v1/token/alice", `{"user":"root"}`, 403},
		{"a token with another secret", "root", "PATCH", "/v1/token/alice", `{"hash":"` + registry.HashToken("x") + `"}`, 403},
		{"a token that shrinks", "root", "PATCH", "/v1/token/alice", `{"scopes":["read"],"expires":"2027-01-01T00:00:00Z"}`, 200},
		{"a token that ends", "alice", "DELETE", "/v1/token/host", "", 204},
		{"another's token that ends", "alice", "DELETE", "/v1/token/root", "", 403},
		{"a token's name twice", "root", "POST", "/v1/tokens", `{"name":"alice","user":"alice","scopes":["read"]}`, 422},

		{"crawl own host", "alice", "POST", "/v1/actions/crawl", `{"host":"uni-x/de1"}`, 202},
		{"crawl a foreign host", "alice", "POST", "/v1/actions/crawl", `{"host":"other/fr1"}`, 422},
		{"crawl in an unknown way", "root", "POST", "/v1/actions/crawl", `{"host":"uni-x/de1","mode":"fast"}`, 422},
		{"crawl what is not carried", "root", "POST", "/v1/actions/crawl", `{"host":"uni-x/de1","category":"staff"}`, 422},
		{"scan", "alice", "POST", "/v1/actions/scan", `{}`, 403},
		{"scan by an admin", "root", "POST", "/v1/actions/scan", `{}`, 202},
		{"scan what is not", "root", "POST", "/v1/actions/scan", `{"category":"oz"}`, 422},
		{"publish", "alice", "POST", "/v1/actions/publish", `{}`, 403},
		{"publish by an admin", "root", "POST", "/v1/actions/publish", `{}`, 202},
		{"roll back to nothing", "root", "POST", "/v1/actions/rollback", `{"version":1}`, 422},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, world(), nil)
			a.ask(tt.who, tt.method, tt.path, tt.body).want(t, tt.want)
		})
	}
}

// TestEmbargoedCountry: who runs mirrors cannot have one in a country under
// embargo; one that is there may be changed, but it is not published.
func TestEmbargoedCountry(t *testing.T) {
	a := start(t, append(world(), &registry.Override{Name: "embargo", Country: "DE", Embargoed: true}), nil)
	a.ask("alice", "PATCH", "/v1/host/uni-x/de2", `{"country":"DE"}`).want(t, 403, "have a mirror in DE, which is under embargo")
	a.ask("alice", "PATCH", "/v1/host/uni-x/de2", `{"country":"AT"}`).want(t, 201)
	a.ask("alice", "PATCH", "/v1/host/uni-x/de2", `{"country":"DE"}`).want(t, 403)
	a.ask("alice", "PATCH", "/v1/host/uni-x/de1", `{"bandwidth":7}`).want(t, 200)
}
