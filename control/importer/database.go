package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// MirrorManagerDB reads the database of a MirrorManager2: sites with their
// administrators, hosts and all that belongs to them, categories, products,
// versions, repositories, redirects and overrides, directories with files and
// hashes, and which host has which directory. name is the database's, for
// errors and Left, where lines are the rows of a table; now is when it is read.
//
// Tables are read one after the other; give it a transaction that sees all of
// them as they were at one moment. Passwords of sites, which it keeps in clear,
// are hashed: that costs about 0.1 s each. Administrators become users that
// cannot sign in yet, with the mail addresses of MirrorManager's own accounts
// where it has any.
func MirrorManagerDB(ctx context.Context, name string, db Querier, now time.Time) (*Result, error) {
	d := newDump(name, now)
	steps := []struct {
		table, columns string
		use            func(*row)
	}{
		{"site", "id, name, password, org_url, private, admin_active, user_active, all_sites_can_pull_from_me, downstream_comments", d.site},
		{"mm_user", "id, user_name, email", d.user},
		{"site_admin", "id, username, site_id", d.siteAdmin},
		{"host", "id, name, site_id, robot_email, admin_active, user_active, disable_reason, country, bandwidth_int, comment, private, " +
			"internet2, asn, asn_clients, max_connections, latitude, longitude", d.host},
		{"host_acl_ip", "id, ip, host_id", d.pulls},
		{"host_country", "id, host_id, country_id", d.hostCountry},
		{"host_country_allowed", "id, host_id, country", d.allowed},
		{"host_netblock", "id, host_id, netblock", d.netblock},
		{"host_peer_asn", "id, host_id, asn", d.peer},
		{"product", "id, name, publiclist", d.product},
		{"version", "id, name, product_id, codename, is_test", d.version},
		{"arch", "id, name", func(r *row) { d.arches[r.int("id")] = r.text("name") }},
		{"directory", "name, id, readable, ctime, files", d.directory},
		{"file_detail", "id, directory_id, filename, timestamp, size, sha1, md5, sha256, sha512", d.fileDetail},
		{"category", "id, name, product_id, topdir_id, admin_only", d.category},
		{"category_directory", "category_id, directory_id", d.categoryDirectory},
		{"host_category", "id, host_id, category_id, always_up2date", d.hostCategory},
		{"host_category_url", "id, host_category_id, url, private", d.hostURL},
		{"host_category_dir", "id, host_category_id, path, up2date, directory_id", d.hostDirectory},
		{"repository", "id, prefix, category_id, version_id, arch_id, directory_id, disabled", d.repository},
		{"repository_redirect", "id, from_repo, to_repo", d.redirect},
		{"country_continent_redirect", "id, country, continent", d.continent},
		{"netblock_country", "id, netblock, country", d.netblockCountry},
		{"embargoed_country", "id, country_code", d.embargoed},
	}
	for _, s := range steps {
		if s.table == "mm_user" && !has(ctx, db, s.table) {
			continue // people sign in elsewhere
		}
		if err := each(ctx, db, s.table, s.columns, s.use); err != nil {
			return nil, fmt.Errorf("importing %s: %w", name, err)
		}
	}
	d.finish()
	return d.done(), nil
}

// A dump is a database as far as it was read; objects by their ids there.
type dump struct {
	*collector
	now time.Time

	sites       map[int64]*registry.Site
	mails       map[string]string // of people, by name
	users       map[string]bool
	hosts       map[int64]*registry.Host
	products    map[int64]*registry.Product
	versions    map[int64]string
	arches      map[int64]string
	directories map[int64]*directory
	categories  map[int64]*category
	carries     map[int64]*carry

	// The same in the order of the tables, directories sorted by path in the end.
	allSites       []*registry.Site
	allHosts       []*registry.Host
	allProducts    []*registry.Product
	allDirectories []*directory
}

// A directory is one of the master's.
type directory struct {
	path     string
	number   uint32 // its position in Paths
	category *category
	readable bool
	changed  int64
	files    []registry.File
	details  map[string][]snapshot.Version
}

type category struct {
	*registry.Category

	directories []*directory
}

// A carry is a host's category.
type carry struct {
	host     *registry.Host
	category *category
	always   bool
	urls     []registry.URL
	holds    []*directory
}

func newDump(name string, now time.Time) *dump {
	return &dump{
		collector: newCollector(name), now: now,
		sites: map[int64]*registry.Site{}, mails: map[string]string{}, users: map[string]bool{}, hosts: map[int64]*registry.Host{},
		products: map[int64]*registry.Product{}, versions: map[int64]string{}, arches: map[int64]string{},
		directories: map[int64]*directory{}, categories: map[int64]*category{}, carries: map[int64]*carry{},
	}
}

// skip notes a row that was left out.
func (d *dump) skip(r *row, column, format string, args ...any) {
	d.left(r.number, r.table+"."+column, "left out: "+format, args...)
}

// of returns what an id in a column stands for; a row that refers to nothing is left out.
func of[T any](d *dump, r *row, column string, all map[int64]T) (value T, ok bool) {
	value, ok = all[r.int(column)]
	if !ok {
		d.skip(r, column, "there is no %s %d", strings.TrimSuffix(column, "_id"), r.int(column))
	}
	return value, ok
}

func (d *dump) directory(r *row) {
	dir := &directory{path: strings.Trim(r.text("name"), "/"), readable: r.bool("readable"), changed: r.int("ctime"), details: map[string][]snapshot.Version{}}
	d.directories[r.int("id")] = dir
	d.allDirectories = append(d.allDirectories, dir)
	files, err := readFiles(r.text("files"))
	if err != nil {
		d.skip(r, "files", "%v", err)
	}
	dir.files = files
}

// readFiles reads directory.files: a list of {name, size, timestamp}, which an
// old MirrorManager pickled instead.
func readFiles(text string) (out []registry.File, err error) {
	var list []struct {
		Name      string      `json:"name"`
		Size      json.Number `json:"size"`
		Timestamp json.Number `json:"timestamp"`
	}
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("want a JSON list of files, got %.40q", text)
	}
	for _, f := range list {
		size, sizeErr := f.Size.Float64()
		changed, timeErr := f.Timestamp.Float64()
		if f.Name == "" || strings.Contains(f.Name, "/") || sizeErr != nil || timeErr != nil || size < 0 || size > 1<<62 || changed < 0 || changed > 1<<40 {
			return nil, fmt.Errorf("want files with a name, a size and a timestamp, got %+v", f)
		}
		out = append(out, registry.File{Name: f.Name, Size: int64(size), Changed: int64(changed)})
	}
	return out, nil
}

func (d *dump) fileDetail(r *row) {
	dir, ok := of(d, r, "directory_id", d.directories)
	name := r.text("filename")
	if !ok || name == "" || strings.Contains(name, "/") {
		return
	}
	v := snapshot.Version{Size: r.int("size"), MTime: r.int("timestamp")}
	if v.Size == 0 {
		v.Size = -1 // no server shows it
	}
	for k := range snapshot.HashKinds {
		if err := v.SetHash(k, strings.TrimSpace(r.text(k.String()))); err != nil {
			d.skip(r, k.String(), "%v", err)
		}
	}
	dir.details[name] = append(dir.details[name], v)
}

func (d *dump) category(r *row) {
	top, ok := of(d, r, "topdir_id", d.directories)
	if !ok {
		return
	}
	out := &registry.Category{Name: r.text("name"), Path: top.path, AdminOnly: r.bool("admin_only")}
	if p := d.products[r.int("product_id")]; p != nil {
		out.Product = p.Name
	}
	if d.add(r.number, out) {
		d.categories[r.int("id")] = &category{Category: out}
	}
}

// categoryDirectory places a directory; the first category counts, as in
// MirrorManager's own cache.
func (d *dump) categoryDirectory(r *row) {
	c, ok := d.categories[r.int("category_id")]
	dir, known := d.directories[r.int("directory_id")]
	switch {
	case !ok || !known: // said already
	case !registry.Below(dir.path, c.Path):
		d.skip(r, "directory_id", "%q is not below %q", dir.path, c.Path)
	case dir.category == nil:
		dir.category = c
		c.directories = append(c.directories, dir)
	}
}

// finish puts together what stands in several tables.
func (d *dump) finish() {
	d.addPeople()
	slices.SortFunc(d.allDirectories, func(x, y *directory) int { return strings.Compare(x.path, y.path) })
	for i, dir := range d.allDirectories {
		dir.number = uint32(i)
		d.Paths = append(d.Paths, dir.path)
	}
	for _, id := range sortedKeys(d.categories) {
		d.tree(d.categories[id])
	}
	listings := map[*registry.Host][]*registry.Listing{}
	for _, id := range sortedKeys(d.carries) {
		c := d.carries[id]
		c.host.Carries = append(c.host.Carries, registry.Carry{Category: c.category.Name, URLs: c.urls, AlwaysUpToDate: c.always})
		if !c.always && len(c.holds) > 0 {
			listings[c.host] = append(listings[c.host], d.listing(c))
		}
	}
	for _, h := range d.allHosts {
		if d.add(0, h) {
			d.Listings = append(d.Listings, listings[h]...)
		}
	}
}

func (d *dump) tree(c *category) {
	t := &registry.Tree{Category: c.Name, Scanned: d.now}
	slices.SortFunc(c.directories, func(x, y *directory) int { return strings.Compare(x.path, y.path) })
	for _, dir := range c.directories {
		t.Directories = append(t.Directories, registry.Directory{
			Path: strings.TrimPrefix(strings.TrimPrefix(dir.path, c.Path), "/"), Changed: dir.changed,
			Readable: dir.readable, Partial: true, Files: d.files(dir),
		})
	}
	if len(t.Directories) > 0 {
		d.Trees = append(d.Trees, t)
	}
}

// files joins what is known of a directory's files: sizes and times, and the
// details of versions, of which the newest is the current one.
func (d *dump) files(dir *directory) []registry.File {
	all := map[string]registry.File{}
	for _, f := range dir.files {
		all[f.Name] = f
	}
	for name, versions := range dir.details {
		slices.SortStableFunc(versions, func(x, y snapshot.Version) int { return int(min(max(y.MTime-x.MTime, -1), 1)) })
		hashes := registry.Hashes(versions[0].Hashes)
		all[name] = registry.File{Name: name, Size: versions[0].Size, Changed: versions[0].MTime, Hashes: &hashes}
		if len(versions) > 1 {
			d.Older[path.Join(dir.path, name)] = versions[1:]
		}
	}
	var out []registry.File
	for _, name := range sortedKeys(all) {
		out = append(out, all[name])
	}
	return out
}

// listing returns what a host holds of a category.
func (d *dump) listing(c *carry) *registry.Listing {
	l := &registry.Listing{Host: c.host.Key(), Category: c.category.Name, Seen: d.now}
	for _, dir := range c.holds {
		l.Holds.Add(dir.number)
	}
	return l
}
