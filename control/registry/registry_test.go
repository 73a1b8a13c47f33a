package registry_test

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
)

// good returns one flawless object of each kind.
func good(t *testing.T) map[registry.Kind]registry.Object {
	t.Helper()
	sealed, err := registry.SecretKey{1}.Seal("user:password", "Uni/X/de1")
	if err != nil {
		t.Fatal(err)
	}
	on := registry.Activity{AdminActive: true, UserActive: true}
	at := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	return map[registry.Kind]registry.Object{
		registry.KindSite: &registry.Site{
			Name: "Uni/X", URL: "https://www.example.org/?a=1", Admins: []string{"alice"}, Contacts: []string{"a@example.org"},
			Webhooks: []string{"http://hook.example.org/x"}, State: registry.Approved, Activity: on,
			PasswordHash: "pbkdf2-sha256$1$AA$" + strings.Repeat("A", 43),
		},
		registry.KindHost: &registry.Host{
			Name: "de1", Site: "Uni/X", Country: "DE", Location: &registry.Location{Lat: 52.5, Lon: 13.4}, Bandwidth: 1000,
			ASNs: []uint32{680}, PeerASNs: []uint32{553}, Allowed: []string{"DE"}, Excluded: []string{"FR"},
			Netblocks: []string{"192.0.2.0/24", "2001:db8::1", "192.0.2.1-192.0.2.9", "lab-1.example.org"},
			Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, DNS: true,
			Tier: 1, PullAddresses: []string{"192.0.2.1", "pull-1.example.org"}, PullSecret: sealed,
			Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{
				{URL: "https://de1.example.org/os"}, {URL: "rsync://de1.example.org/os", Private: true},
			}}},
			Maintenance: []registry.Window{{From: at, To: at.Add(time.Hour)}}, State: registry.Pending, Activity: on,
		},
		registry.KindCategory: &registry.Category{
			Name: "os", Path: "pub/os", Product: "OS", Origin: "https://origin.example.org/pub/os",
			Policy: registry.Policy{Order: "nearest", Minimum: 3, Scheme: "same", Bands: []string{"country", "everywhere"}},
		},
		registry.KindProduct:    &registry.Product{Name: "OS", Versions: []registry.Version{{Name: "43", Codename: "Elf"}}},
		registry.KindRepository: &registry.Repository{Name: "os-43", Arch: "x86_64", Path: "pub/os/43/x86_64", Category: "os", Version: "43"},
		registry.KindRelease:    &registry.Release{Name: "44", Paths: []string{"pub/os/44"}, LiftAt: at},
		registry.KindOverride:   &registry.Override{Name: "lab", Netblock: "192.0.2.0/24", Country: "DE"},
		registry.KindUser:       &registry.User{Name: "alice", Mail: "alice@example.org", Subject: "https://id.example.org alice"},
		registry.KindToken:      &registry.Token{Name: "ci", Hash: registry.HashToken("x"), User: "alice", Scopes: []registry.Scope{registry.ScopeRead}},
	}
}

func TestGoodObjects(t *testing.T) {
	objects := good(t)
	for _, kind := range registry.Kinds() {
		o := objects[kind]
		if problems := o.Check(); problems != nil {
			t.Errorf("%s: %v", kind, problems)
		}
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		back, err := registry.Decode(kind, data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, back, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s through JSON (-want +got):\n%s", kind, diff)
		}
		if o.Kind() != kind || o.Key() == "" {
			t.Errorf("%s: kind %s, key %q", kind, o.Kind(), o.Key())
		}
	}
	if problems := world(objects).Check(); problems != nil {
		t.Error(problems)
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		name string
		kind registry.Kind
		in   string
		want string
	}{
		{"no such kind", "moon", `{}`, `decoding an object: there is no kind "moon"`},
		{"unknown key", registry.KindSite, `{"titel":"x"}`, `decoding a site: json: unknown field "titel"`},
		{"two objects", registry.KindSite, `{} {}`, `decoding a site: want one JSON object, got more after it`},
		{"garbage behind", registry.KindSite, `{} x`, `decoding a site: want one JSON object, got more after it`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := registry.Decode(test.kind, []byte(test.in)); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Each case spoils a good object and names the only problem that may come of it.
func TestProblems(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(o objects)
		want  string
	}{
		{"no name", func(o objects) { o.site.Name = "" }, `site : name: want a name without control`},
		{"name with white space", func(o objects) { o.site.Name = " x" }, `site  x: name: want a name without control`},
		{"page of another scheme", func(o objects) { o.site.URL = "ftp://x/" }, `site Uni/X: url: want an http or https URL`},
		{"page with a password", func(o objects) { o.site.URL = "http://a:b@x/" }, `site Uni/X: url: want an http or https URL`},
		{"same admin twice", func(o objects) { o.site.Admins = []string{"a", "a"} }, `site Uni/X: admins[1]: a is given twice`},
		{"mail with a name", func(o objects) { o.site.Contacts[0] = "A <a@example.org>" }, `site Uni/X: contacts[0]: want a mail address`},
		{"mail with a line", func(o objects) { o.site.Contacts[0] = "a@example.org\r\nBcc: b@example.org" }, `site Uni/X: contacts[0]: want a mail address`},
		{"password in clear", func(o objects) { o.site.PasswordHash = "hunter2" }, `site Uni/X: password_hash: want what HashPassword returns`},
		{"redacted", func(o objects) { *o.site = *o.site.Redacted().(*registry.Site) }, `site Uni/X: password_hash: want what HashPassword returns`},
		{"state", func(o objects) { o.site.State = "maybe" }, `site Uni/X: state: want pending, approved or rejected, got "maybe"`},
		{"reason of two lines", func(o objects) { o.site.Reason = "a\nb" }, `site Uni/X: reason: want one line of text`},

		{"slash in a host's name", func(o objects) { o.host.Name = "a/b" }, `host Uni/X/a/b: name: want a name without a slash`},
		{"number", func(o objects) { o.host.Number = -1 }, `host Uni/X/de1: number: want a number above 0, got -1`},
		{"country in small letters", func(o objects) { o.host.Country = "de" }, `host Uni/X/de1: country: want it spelled "DE", got "de"`},
		{"country", func(o objects) { o.host.Allowed[0] = "Germany" }, `host Uni/X/de1: countries_allowed[0]: want a country code`},
		{"latitude", func(o objects) { o.host.Location.Lat = math.NaN() }, `host Uni/X/de1: location.lat: want degrees from -90 to 90, got NaN`},
		{"connections", func(o objects) { o.host.MaxConnections = -1 }, `host Uni/X/de1: max_connections: want a number`},
		{"no address", func(o objects) { o.host.Addresses[0] = netip.Addr{} }, `host Uni/X/de1: addresses[0]: want an address, got nothing`},
		{"address with a zone", func(o objects) { o.host.Addresses[0] = netip.MustParseAddr("fe80::1%eth0") }, `host Uni/X/de1: addresses[0]: want the IP address of a host`},
		{"DNS without addresses", func(o objects) { o.host.Addresses = nil }, `host Uni/X/de1: dns: want addresses`},
		{"ASN", func(o objects) { o.host.PeerASNs[0] = 0 }, `host Uni/X/de1: peer_asns[0]: want an AS number`},
		{"netblock with bits", func(o objects) { o.host.Netblocks[0] = "192.0.2.1/24" }, `host Uni/X/de1: netblocks[0]: want a prefix`},
		{"tier", func(o objects) { o.host.Tier = -1 }, `host Uni/X/de1: tier: want 0`},
		{"own upstream", func(o objects) { o.host.Upstream = "Uni/X/de1" }, `host Uni/X/de1: upstream: want another host`},
		{"range to pull from", func(o objects) { o.host.PullAddresses[0] = "192.0.2.1-192.0.2.2" }, `host Uni/X/de1: pull_addresses[0]: want an address`},
		{"secret in clear", func(o objects) { o.host.PullSecret = "x" }, `host Uni/X/de1: pull_secret: want text that SecretKey.Seal`},
		{"same category twice", func(o objects) { o.host.Carries = append(o.host.Carries, registry.Carry{Category: "os"}) }, `host Uni/X/de1: carries[1].category: "os" is given twice`},
		{"URL with a slash", func(o objects) { o.host.Carries[0].URLs[0].URL += "/" }, `host Uni/X/de1: carries[0].urls[0].url: want it spelled "https://de1.example.org/os"`},
		{"URL twice", func(o objects) { o.host.Carries[0].URLs[1] = o.host.Carries[0].URLs[0] }, `host Uni/X/de1: carries[0].urls[1].url: "https://de1.example.org/os" is given twice`},
		{"window of no time", func(o objects) { o.host.Maintenance[0].To = o.host.Maintenance[0].From }, `host Uni/X/de1: maintenance[0]: want an end after`},

		{"path", func(o objects) { o.category.Path = "pub/../os" }, `category os: path: want a path`},
		{"path with a slash", func(o objects) { o.category.Path = "/pub/os" }, `category os: path: want it spelled "pub/os"`},
		{"origin", func(o objects) { o.category.Origin = "rsync://x/os" }, `category os: origin: want an http or https URL`},
		{"order", func(o objects) { o.category.Policy.Order = "first" }, `category os: policy.order: want bandwidth or nearest`},
		{"minimum", func(o objects) { o.category.Policy.Minimum = -1 }, `category os: policy.minimum: want at least 1, or 0 for the default of 5`},
		{"scheme", func(o objects) { o.category.Policy.Scheme = "https" }, `category os: policy.scheme: want same`},
		{"band", func(o objects) { o.category.Policy.Bands[0] = "city" }, `category os: policy.bands[0]: want one of netblock`},

		{"version twice", func(o objects) { o.product.Versions = append(o.product.Versions, o.product.Versions[0]) }, `product OS: versions[1].name: "43" is given twice`},
		{"plus in an arch", func(o objects) { o.repository.Arch = "a+b" }, `repository os-43+a+b: arch: want an architecture without`},
		{"version of nothing", func(o objects) { o.repository.Category = "" }, `repository os-43+x86_64: version: want a category`},
		{"redirect and path", func(o objects) { o.repository.RedirectTo = "os-44" }, `repository os-43+x86_64: redirect_to: want no arch, path`},
		{"redirect to itself", func(o objects) { *o.repository = registry.Repository{Name: "a", RedirectTo: "a"} }, `repository a+: redirect_to: want another name`},

		{"release of nothing", func(o objects) { o.release.Paths = nil }, `release 44: paths: want at least one directory`},
		{"release never", func(o objects) { o.release.LiftAt = time.Time{} }, `release 44: lift_at: want the time`},
		{"override of nothing", func(o objects) { o.override.Netblock = "" }, `override lab: want a netblock, a continent or embargoed`},
		{"override of both", func(o objects) { o.override.Embargoed = true }, `override lab: netblock: want a netblock in a country, or`},

		{"subject", func(o objects) { o.user.Subject = "\x00" }, `user alice: subject: want one line`},
		{"token in clear", func(o objects) { o.token.Hash = "x" }, `token ci: hash: want what HashToken returns`},
		{"token for nobody", func(o objects) { o.token.User = "" }, `token ci: want one of user, host and edge`},
		{"token for nothing", func(o objects) { o.token.Scopes = nil }, `token ci: scopes: want at least one`},
		{"token for too much", func(o objects) { o.token.Scopes[0] = registry.ScopeEdge }, `token ci: scopes[0]: want one of [read write crawl publish checkin], got "edge"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := objectsOf(good(t))
			test.spoil(o)
			var got []string
			for _, object := range o.all() {
				for _, p := range object.Check() {
					got = append(got, p.String())
				}
			}
			if len(got) != 1 || !strings.HasPrefix(withoutEmpty(got[0]), test.want) {
				t.Errorf("got %q, want one problem that starts with %s", got, test.want)
			}
		})
	}
}

func withoutEmpty(s string) string { return strings.TrimSpace(s) }

type objects struct {
	site       *registry.Site
	host       *registry.Host
	category   *registry.Category
	product    *registry.Product
	repository *registry.Repository
	release    *registry.Release
	override   *registry.Override
	user       *registry.User
	token      *registry.Token
}

func objectsOf(m map[registry.Kind]registry.Object) objects {
	return objects{
		m[registry.KindSite].(*registry.Site), m[registry.KindHost].(*registry.Host),
		m[registry.KindCategory].(*registry.Category), m[registry.KindProduct].(*registry.Product),
		m[registry.KindRepository].(*registry.Repository), m[registry.KindRelease].(*registry.Release),
		m[registry.KindOverride].(*registry.Override), m[registry.KindUser].(*registry.User), m[registry.KindToken].(*registry.Token),
	}
}

func (o objects) all() []registry.Object {
	return []registry.Object{o.site, o.host, o.category, o.product, o.repository, o.release, o.override, o.user, o.token}
}

func TestRedacted(t *testing.T) {
	for kind, o := range good(t) {
		data, err := json.Marshal(o.Redacted())
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"pbkdf2", "aes256gcm", registry.HashToken("x")} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s shows %s", kind, data)
			}
		}
		if o.Check() != nil {
			t.Errorf("%s: Redacted changed the object", kind)
		}
	}
}

func TestResting(t *testing.T) {
	h := good(t)[registry.KindHost].(*registry.Host)
	from := h.Maintenance[0].From
	for after, want := range map[time.Duration]bool{-1: false, 0: true, time.Hour - 1: true, time.Hour: false} {
		if got := h.Resting(from.Add(after)); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
}
