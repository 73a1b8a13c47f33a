package importer

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/geo"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func (d *dump) site(r *row) {
	s := &registry.Site{
		Name: strings.TrimSpace(r.text("name")), URL: r.text("org_url"), Private: r.bool("private"), State: registry.Approved,
		Activity: registry.Activity{AdminActive: r.bool("admin_active"), UserActive: r.bool("user_active")},
	}
	if password := r.text("password"); password != "" {
		hash, err := registry.HashPassword(password)
		if err != nil {
			d.skip(r, "password", "%v", err)
		}
		s.PasswordHash = hash
	}
	if r.bool("all_sites_can_pull_from_me") {
		d.skip(r, "all_sites_can_pull_from_me", "who pulls from whom is said by hosts")
	}
	if text := r.text("downstream_comments"); text != "" {
		d.skip(r, "downstream_comments", "%.200q", text)
	}
	if problems := (&registry.Site{Name: "x", URL: s.URL, State: registry.Approved}).Check(); len(problems) > 0 {
		d.skip(r, "org_url", "%s", problems[0].Text)
		s.URL = ""
	}
	d.sites[r.int("id")] = s
	d.allSites = append(d.allSites, s)
}

// user notes the mail address of a person; who signs in elsewhere has none.
func (d *dump) user(r *row) {
	name, mail := strings.TrimSpace(r.text("user_name")), strings.TrimSpace(r.text("email"))
	if good := d.checked(r, "email", mail, &registry.User{Name: "x", Mail: mail}); good != nil {
		d.mails[name] = mail
	}
}

func (d *dump) siteAdmin(r *row) {
	name := strings.TrimSpace(r.text("username"))
	s, ok := of(d, r, "site_id", d.sites)
	if !ok || slices.Contains(s.Admins, name) {
		return
	}
	if !d.users[name] && !d.add(r.number, &registry.User{Name: name, Mail: d.mails[name]}) {
		return
	}
	d.users[name] = true
	s.Admins = append(s.Admins, name)
}

// addPeople adds sites and products, which are whole now. Hosts of a site that
// is left out stay as they are: the world's check names them.
func (d *dump) addPeople() {
	for _, s := range d.allSites {
		d.add(0, s)
	}
	for _, p := range d.allProducts {
		d.add(0, p)
	}
}

func (d *dump) host(r *row) {
	site, ok := of(d, r, "site_id", d.sites)
	if !ok {
		return
	}
	name := strings.TrimSpace(r.text("name"))
	h := &registry.Host{
		Name: strings.ReplaceAll(name, "/", "-"), Site: site.Name, Number: r.int("id"), Bandwidth: uint32(min(max(r.int("bandwidth_int"), 1), 1<<32-1)),
		Private: r.bool("private"), MaxConnections: int(max(r.int("max_connections"), 0)), Comment: r.text("comment"), State: registry.Approved,
		Activity: registry.Activity{
			AdminActive: r.bool("admin_active"), UserActive: r.bool("user_active"),
			Reason: strings.Join(strings.Fields(r.text("disable_reason")), " "),
		},
	}
	if h.Name != name {
		d.left(r.number, "host.name", "%q is named %q: a name has no slash", name, h.Name)
	}
	h.Country = d.country(r, "country")
	if mail := r.text("robot_email"); mail != "" {
		h.Contacts = d.checked(r, "robot_email", mail, &registry.Site{Name: "x", State: registry.Approved, Contacts: []string{mail}})
	}
	if asn := r.int("asn"); asn > 0 && asn < 1<<32 && r.bool("asn_clients") {
		h.ASNs = []uint32{uint32(asn)}
	} else if asn != 0 {
		d.skip(r, "asn", "%d, whose clients are not the host's", asn)
	}
	lat, hasLat := r.degrees("latitude")
	lon, hasLon := r.degrees("longitude")
	if hasLat && hasLon {
		h.Location = &registry.Location{Lat: lat, Lon: lon}
	}
	if r.bool("internet2") {
		d.skip(r, "internet2", "no server has used it since 2022")
	}
	d.hosts[r.int("id")] = h
	d.allHosts = append(d.allHosts, h)
}

// checked returns one text if an object that has it is good.
func (d *dump) checked(r *row, column, text string, o registry.Object) []string {
	for _, p := range o.Check() {
		d.skip(r, column, "%s", p.Text)
		return nil
	}
	return []string{text}
}

// country returns a country's code, "" if it is none.
func (d *dump) country(r *row, column string) string {
	c, err := geo.ParseCountry(strings.TrimSpace(r.text(column)))
	if err != nil {
		d.skip(r, column, "%v", err)
	}
	return c.String()
}

func (d *dump) pulls(r *row) {
	if h, ok := of(d, r, "host_id", d.hosts); ok {
		if text, good := d.block(r, "ip"); good && !slices.Contains(h.PullAddresses, text) {
			h.PullAddresses = append(h.PullAddresses, text)
		}
	}
}

func (d *dump) netblock(r *row) {
	if h, ok := of(d, r, "host_id", d.hosts); ok {
		if text, good := d.block(r, "netblock"); good && !slices.Contains(h.Netblocks, text) {
			h.Netblocks = append(h.Netblocks, text)
		}
	}
}

// block returns a netblock in the registry's spelling: operators also write
// prefixes with bits beyond their length, and IPv4 netmasks.
func (d *dump) block(r *row, column string) (string, bool) {
	text := strings.TrimSuffix(strings.TrimSpace(r.text(column)), ".")
	if p, err := netip.ParsePrefix(text); err == nil {
		text = p.Masked().String()
	} else if address, mask, ok := strings.Cut(text, "/"); ok {
		for bits := range 33 {
			ones := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked().Addr()
			if addr, addrErr := netip.ParseAddr(address); addrErr == nil && addr.Is4() && mask == ones.String() {
				text = netip.PrefixFrom(addr, bits).Masked().String()
			}
		}
	}
	if _, err := registry.ParseNetblock(text); err != nil {
		d.skip(r, column, "%v", err)
		return "", false
	}
	return text, true
}

func (d *dump) hostCountry(r *row) {
	d.skip(r, "country_id", "no server looks at this table, but at host_country_allowed")
}

// allowed restricts a host. A country that is none must not open it to all.
func (d *dump) allowed(r *row) {
	h, ok := of(d, r, "host_id", d.hosts)
	if !ok {
		return
	}
	c := d.country(r, "country")
	if c == "" {
		h.UserActive, h.Reason = false, "a country it is allowed for could not be read when it was imported"
		return
	}
	if !slices.Contains(h.Allowed, c) {
		h.Allowed = append(h.Allowed, c)
	}
}

func (d *dump) peer(r *row) {
	h, ok := of(d, r, "host_id", d.hosts)
	asn := r.int("asn")
	if ok && (asn <= 0 || asn >= 1<<32) {
		d.skip(r, "asn", "want an AS number, got %d", asn)
	} else if ok && !slices.Contains(h.PeerASNs, uint32(asn)) {
		h.PeerASNs = append(h.PeerASNs, uint32(asn))
	}
}

func (d *dump) product(r *row) {
	p := &registry.Product{Name: r.text("name"), Public: r.bool("publiclist")}
	d.products[r.int("id")] = p
	d.allProducts = append(d.allProducts, p)
}

func (d *dump) version(r *row) {
	p, ok := of(d, r, "product_id", d.products)
	if !ok {
		return
	}
	d.versions[r.int("id")] = r.text("name")
	p.Versions = append(p.Versions, registry.Version{Name: r.text("name"), Codename: r.text("codename"), Test: r.bool("is_test")})
}

func (d *dump) hostCategory(r *row) {
	h, ok := of(d, r, "host_id", d.hosts)
	c, known := of(d, r, "category_id", d.categories)
	if ok && known {
		d.carries[r.int("id")] = &carry{host: h, category: c, always: r.bool("always_up2date")}
	}
}

func (d *dump) hostURL(r *row) {
	c, ok := of(d, r, "host_category_id", d.carries)
	if !ok {
		return
	}
	if u, good := d.url(c.host.Key(), strings.TrimRight(strings.TrimSpace(r.text("url")), "/")); good {
		c.urls = append(c.urls, registry.URL{URL: u, Private: r.bool("private")})
	}
}

// hostDirectory says that a host holds a directory. There are millions of them.
func (d *dump) hostDirectory(r *row) {
	if !r.bool("up2date") {
		return
	}
	c, ok := of(d, r, "host_category_id", d.carries)
	if !ok {
		return
	}
	dir := d.directories[r.int("directory_id")]
	if dir == nil {
		d.skip(r, "directory_id", "%q of %s is no directory of the master", r.text("path"), c.host.Key())
		return
	}
	c.holds = append(c.holds, dir)
}

func (d *dump) repository(r *row) {
	prefix := r.text("prefix")
	arch, ok := d.arches[r.int("arch_id")]
	dir := d.directories[r.int("directory_id")]
	if prefix == "" || !ok || dir == nil {
		d.skip(r, "prefix", "no client can name a repository without prefix, architecture and directory")
		return
	}
	out := &registry.Repository{Name: prefix, Arch: arch, Path: dir.path, Disabled: r.bool("disabled")}
	if c := d.categories[r.int("category_id")]; c != nil && registry.Below(dir.path, c.Path) {
		out.Category = c.Name
		if p := c.Product; p != "" {
			out.Version = d.versionOf(p, r.int("version_id"))
		}
	}
	d.add(r.number, out)
}

// versionOf returns the name of a version if it is one of the product's.
func (d *dump) versionOf(product string, id int64) string {
	for _, p := range d.allProducts {
		if p.Name == product && p.Has(d.versions[id]) {
			return d.versions[id]
		}
	}
	return ""
}

func (d *dump) redirect(r *row) {
	to := r.text("to_repo")
	if to == "" {
		d.skip(r, "to_repo", "%q is redirected to nothing", r.text("from_repo"))
		return
	}
	d.add(r.number, &registry.Repository{Name: r.text("from_repo"), RedirectTo: to})
}

func (d *dump) continent(r *row) {
	country := d.country(r, "country")
	d.add(r.number, &registry.Override{Name: "continent of " + country, Country: country, Continent: strings.ToUpper(r.text("continent"))})
}

func (d *dump) netblockCountry(r *row) {
	if text, ok := d.block(r, "netblock"); ok {
		if a, err := netip.ParseAddr(text); err == nil {
			text = netip.PrefixFrom(a, a.BitLen()).String()
		}
		d.add(r.number, &registry.Override{Name: "netblock " + text, Netblock: text, Country: d.country(r, "country")})
	}
}

func (d *dump) embargoed(r *row) {
	country := d.country(r, "country_code")
	d.add(r.number, &registry.Override{Name: fmt.Sprintf("embargo on %s", country), Country: country, Embargoed: true})
}
