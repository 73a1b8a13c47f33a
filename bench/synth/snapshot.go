package synth

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

func (m *maker) addCategories(s *snapshot.Snapshot) {
	for i := range m.c.Categories {
		c := snapshot.Category{
			Name: fmt.Sprintf("cat%d", i), Path: fmt.Sprintf("pub/cat%d", i),
			Policy:     snapshot.Policy{Minimum: snapshot.DefaultMinimum, Bands: snapshot.AllBands, Sticky: m.c.Sticky},
			Enumerated: i%2 == 0,
		}
		if m.c.Nearest {
			c.Policy.Order = snapshot.Nearest
		}
		if i%3 == 0 {
			c.Origin = "https://origin.example.org/" + c.Path
		}
		s.Categories = append(s.Categories, c)
	}
}

// addDirectories grows each category's tree, at most four levels below its top.
func (m *maker) addDirectories(s *snapshot.Snapshot) {
	for i := range s.Categories {
		n := m.c.Directories / m.c.Categories
		if i == 0 {
			n += m.c.Directories % m.c.Categories
		}
		paths, depth := []string{s.Categories[i].Path}, []int{0}
		for k := 1; k < n; k++ {
			up := m.IntN(len(paths))
			if depth[up] == 4 {
				up = 0
			}
			paths = append(paths, fmt.Sprintf("%s/dir-%d", paths[up], k))
			depth = append(depth, depth[up]+1)
		}
		for _, p := range paths[:min(max(n, 1), len(paths))] {
			s.Directories = append(s.Directories, snapshot.Directory{Path: p, Category: uint32(i), Complete: m.oneIn(3)})
		}
	}
	sort.Slice(s.Directories, func(i, j int) bool { return s.Directories[i].Path < s.Directories[j].Path })
	for i := range s.Directories {
		s.Directories[i].Number = uint32(i)
	}
}

func (m *maker) addHosts(s *snapshot.Snapshot) {
	for i := range m.c.Hosts {
		s.Hosts = append(s.Hosts, m.host(i))
	}
	sets := make([][]bool, m.c.HostSets)
	for i := range sets {
		sets[i] = make([]bool, m.c.Hosts)
		share := 50 + m.IntN(50) // most mirrors have most
		for h := range sets[i] {
			sets[i][h] = m.IntN(100) < share
		}
	}
	for d := range s.Directories {
		for h, has := range sets[m.IntN(len(sets))] {
			if has {
				s.Hosts[h].Has.Add(uint32(d))
			}
		}
	}
}

func (m *maker) host(i int) snapshot.Host {
	h := snapshot.Host{
		Name: fmt.Sprintf("m%d.example.org", i), ID: int64(1000 + i), Country: m.country(),
		Bandwidth: []uint32{0, 10, 100, 100, 1000, 1000, 10_000, 20_000}[m.IntN(8)],
		Private:   m.oneIn(8), Down: m.oneIn(40), DNS: !m.oneIn(8),
	}
	if m.oneIn(15) {
		h.Country = geo.Country{}
	}
	if middle, ok := geo.Centroid(h.Country); ok && !m.oneIn(3) {
		h.Place = &geo.Point{
			Lat: min(max(middle.Lat+m.Float32()*6-3, -90), 90),
			Lon: min(max(middle.Lon+m.Float32()*6-3, -180), 180),
		}
	}
	m.addClients(&h)
	m.addAddresses(&h)
	for c := range uint32(m.c.Categories) {
		if !m.oneIn(12) {
			h.Mounts = append(h.Mounts, snapshot.Mount{Category: c, URLs: m.urls(h.Name, c)})
		}
	}
	return h
}

// addClients gives a host clients of its own and restrictions.
func (m *maker) addClients(h *snapshot.Host) {
	hosted := max(m.c.ASNs/4, 1) // the table's other ASNs have no host
	for h.Private || m.oneIn(2) {
		h.ASNs = append(h.ASNs, 1+uint32(m.IntN(hosted)))
		if !m.oneIn(3) {
			break
		}
	}
	for m.oneIn(4) {
		h.PeerASNs = append(h.PeerASNs, 1+uint32(m.IntN(hosted)))
	}
	for h.Private || !m.oneIn(3) {
		p := m.prefix4(12, 28)
		if m.oneIn(4) {
			p = m.prefix6(32, 56)
		}
		h.Netblocks = append(h.Netblocks, p)
		if inner := p.Bits() + 1 + m.IntN(3); m.oneIn(4) { // a nest
			q, _ := m.within(p).Prefix(inner)
			h.Netblocks = append(h.Netblocks, q)
		}
		if !m.oneIn(3) {
			break
		}
	}
	switch m.IntN(16) {
	case 0:
		h.Allowed = []geo.Country{m.country(), m.country()}
	case 1:
		h.Excluded = []geo.Country{m.country(), m.country()}
	}
}

// addAddresses gives a host documentation addresses: of both families, of one, or none.
func (m *maker) addAddresses(h *snapshot.Host) {
	kind := m.IntN(6)
	if kind <= 3 || kind == 4 {
		h.Addresses = append(h.Addresses, netip.AddrFrom4([4]byte{198, 18, byte(m.IntN(256)), byte(m.IntN(256))}))
	}
	if kind <= 2 || kind == 5 && m.oneIn(2) {
		h.Addresses = append(h.Addresses, m.within(netip.MustParsePrefix("2001:db8::/32")))
	}
}

func (m *maker) urls(name string, c uint32) []string {
	var out []string
	schemes := []string{"https", "http", "rsync", "ftp"}
	for i, one := range []bool{!m.oneIn(5), !m.oneIn(4), m.oneIn(2), m.oneIn(5)} {
		if one {
			out = append(out, fmt.Sprintf("%s://%s/cat%d", schemes[i], name, c))
		}
	}
	return out
}

func (m *maker) addFiles(s *snapshot.Snapshot) {
	var b snapshot.FileBuilder
	for i := range m.c.Files {
		v := snapshot.Version{Size: m.Int64N(1 << 33), MTime: 1_700_000_000 + m.Int64N(1e8)}
		v.Hashes[snapshot.SHA256] = m.bytes(32)
		var lacks []uint32
		for range m.IntN(1 + 4*(i%10/9)) {
			lacks = append(lacks, uint32(m.IntN(m.c.Hosts)))
		}
		versions := []snapshot.Version{v}
		if i%20 == 19 {
			versions = append(versions, older(v, 1), older(v, 2))
		}
		b.Add(uint32(m.IntN(len(s.Directories))), fmt.Sprintf("file-%d.iso", i), versions, lacks)
	}
	s.Files = b.Build(len(s.Directories))
	addOlder(&s.Files)
}

// older returns a version before v.
func older(v snapshot.Version, days byte) snapshot.Version {
	sum := slices.Clone(v.Hashes[snapshot.SHA256])
	sum[0] += days
	v.MTime -= 86400 * int64(days)
	v.Hashes[snapshot.SHA256] = sum
	return v
}

// addOlder lets half of the hosts that lack a file with older versions hold one
// of these.
func addOlder(files *snapshot.Files) {
	all := map[uint32][]snapshot.Holder{}
	for file, lacks := range files.Holes() {
		current, end := files.Versions(file)
		lacks = slices.Compact(slices.Sorted(slices.Values(lacks)))
		for i, h := range lacks[:(len(lacks)+1)/2] {
			if older := end - current - 1; older > 0 {
				all[file] = append(all[file], snapshot.Holder{Host: h, Version: current + 1 + uint32(i)%older})
			}
		}
	}
	*files = files.WithOlder(all)
}

func (m *maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.IntN(256))
	}
	return b
}

func (m *maker) addRepositories(s *snapshot.Snapshot) {
	for i := range min(len(s.Directories), 2000) {
		s.Repositories = append(s.Repositories, snapshot.Repository{
			Name: fmt.Sprintf("repo-%d", i/2), Arch: []string{"x86_64", "aarch64"}[i%2],
			Path: s.Directories[m.IntN(len(s.Directories))].Path,
		})
	}
	s.RepositoryRedirects = map[string]string{"rawhide": "repo-0"}
	s.Disabled = map[string]bool{"repo-1": true}
}
