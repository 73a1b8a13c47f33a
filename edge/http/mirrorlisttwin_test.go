package http

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// A listTwin makes text lists the slow way: out of the raw tables, a host at a
// time, step by step as MirrorManager's rules are written down.
type listTwin struct {
	in       index.Inputs
	client   netip.Addr
	country  geo.Country
	asn      uint32
	dir      uint32
	category uint32

	countries []geo.Country // country=
	noNear    bool
	protocols []string
}

func newListTwin(in index.Inputs, client netip.Addr, dir uint32) *listTwin {
	w := &listTwin{in: in, client: client, dir: dir, category: in.Snapshot.Directories[dir].Category}
	w.country = geo.CountryFromUint32(longest(in.Countries, client))
	w.asn = longest(in.ASNs, client)
	bits := -1
	for _, o := range in.Snapshot.CountryOverrides {
		if o.Prefix.Contains(client) && o.Prefix.Bits() > bits {
			w.country, bits = o.Country, o.Prefix.Bits()
		}
	}
	return w
}

// longest returns the value of the longest prefix around a.
func longest(t *netblock.Table, a netip.Addr) (value uint32) {
	bits := -1
	for p, v := range t.All() {
		if p.Contains(a) && p.Bits() > bits {
			value, bits = v, p.Bits()
		}
	}
	return value
}

func (w *listTwin) urls(h *snapshot.Host) []string {
	for _, m := range h.Mounts {
		if m.Category == w.category {
			return m.URLs
		}
	}
	return nil
}

// shown returns the URLs of a host that the list has.
func (w *listTwin) shown(h *snapshot.Host) (out []string) {
	protocols, most := []string{"https", "http", "ftp"}, 1
	if len(w.protocols) > 0 {
		protocols, most = w.protocols, len(w.protocols)
	}
	urls := slices.Clone(w.urls(h))
	if len(w.protocols) == 0 {
		sort.SliceStable(urls, func(i, j int) bool {
			return slices.Index(protocols, scheme(urls[i])) < slices.Index(protocols, scheme(urls[j]))
		})
	}
	for _, u := range urls {
		if slices.Contains(protocols, scheme(u)) && len(out) < most {
			out = append(out, u)
		}
	}
	return out
}

func scheme(url string) string { return url[:strings.IndexByte(url, ':')] }

// holds reports whether h is a host of the directory at all.
func (w *listTwin) holds(h *snapshot.Host) bool { return h.Has.Has(w.dir) && !h.Down }

// allowed reports whether h serves the client's country.
func (w *listTwin) allowed(h *snapshot.Host) bool {
	return (len(h.Allowed) == 0 || slices.Contains(h.Allowed, w.country)) && !slices.Contains(h.Excluded, w.country)
}

// bits returns the length of h's longest netblock around the client, or -1.
func (w *listTwin) bits(h *snapshot.Host) int {
	bits := -1
	for _, p := range h.Netblocks {
		if p.Contains(w.client) {
			bits = max(bits, p.Bits())
		}
	}
	return bits
}

// reaches reports whether h may have an address of the client's family.
func (w *listTwin) reaches(h *snapshot.Host) bool {
	same := func(a netip.Addr) bool { return a.Is4() == w.client.Is4() }
	return len(h.Addresses) == 0 || slices.ContainsFunc(h.Addresses, same)
}

// eligible reports whether h may be listed.
func (w *listTwin) eligible(h *snapshot.Host) bool {
	if !w.holds(h) || !w.allowed(h) || !w.reaches(h) || len(w.urls(h)) == 0 {
		return false
	}
	if len(w.protocols) > 0 && len(w.shown(h)) == 0 {
		return false
	}
	return !h.Private || !w.noNear && (w.bits(h) >= 0 || w.own(h) || w.peer(h))
}

func (w *listTwin) own(h *snapshot.Host) bool { return w.asn != 0 && slices.Contains(h.ASNs, w.asn) }

func (w *listTwin) peer(h *snapshot.Host) bool {
	return w.asn != 0 && slices.Contains(h.PeerASNs, w.asn)
}

func (w *listTwin) continent(c geo.Country) geo.Continent {
	return w.in.Continents.With(w.in.Snapshot.ContinentOverrides).Of(c)
}

func (w *listTwin) onContinent(h *snapshot.Host, c geo.Country) bool {
	k := w.continent(c)
	return k.Known() && h.Country.Known() && w.continent(h.Country) == k
}

// bands returns the indices of the listed hosts, band by band.
func (w *listTwin) bands() (bands [][]int) {
	hosts := w.in.Snapshot.Hosts
	taken := map[int]bool{}
	listed := 0
	add := func(in func(h *snapshot.Host) bool) {
		var band []int
		for i := range hosts {
			if !taken[i] && w.eligible(&hosts[i]) && in(&hosts[i]) {
				taken[i] = true
				band = append(band, i)
			}
		}
		if len(band) > 0 {
			bands, listed = append(bands, band), listed+len(band)
		}
	}
	add(func(h *snapshot.Host) bool { return slices.Contains(w.countries, h.Country) })
	if listed > 0 {
		return bands
	}
	for _, c := range w.countries {
		add(func(h *snapshot.Host) bool { return w.onContinent(h, c) })
	}
	if listed > 0 {
		return [][]int{slices.Concat(bands...)}
	}
	if !w.noNear {
		for bits := 128; bits >= 0; bits-- {
			add(func(h *snapshot.Host) bool {
				return slices.ContainsFunc(h.Netblocks, func(p netip.Prefix) bool { return p.Bits() == bits && p.Contains(w.client) })
			})
		}
		add(w.own)
		add(w.peer)
	}
	add(func(h *snapshot.Host) bool { return h.Country.Known() && h.Country == w.country })
	add(func(h *snapshot.Host) bool { return w.onContinent(h, w.country) })
	if listed < w.in.Snapshot.Categories[w.category].Policy.Minimum {
		add(func(*snapshot.Host) bool { return true })
	}
	return bands
}

// header returns the fragments of the header after the title, where no country
// was asked for.
func (w *listTwin) header() string {
	var near, netblock bool
	countries := map[geo.Country]bool{}
	for i := range w.in.Snapshot.Hosts {
		h := &w.in.Snapshot.Hosts[i]
		if !w.holds(h) {
			continue
		}
		near = near || w.allowed(h) && (w.own(h) || w.peer(h))
		netblock = netblock || w.allowed(h) && w.bits(h) >= 0
		countries[h.Country] = countries[h.Country] || !h.Private
	}
	var b strings.Builder
	if netblock && !w.noNear {
		b.WriteString("Using preferred netblock ")
	}
	if near && !w.noNear {
		fmt.Fprintf(&b, "Using ASN %d ", w.asn)
	}
	if countries[w.country] && w.country.Known() {
		fmt.Fprintf(&b, "country = %s ", w.country)
	}
	var names []string
	for c, public := range countries {
		if public && c != w.country && w.onContinent(&snapshot.Host{Country: c}, w.country) {
			names = append(names, c.String())
		}
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&b, "country = %s ", name)
	}
	return b.String()
}

func TestMirrorlistTwin(t *testing.T) {
	for seed := range uint64(4) {
		in := synth.Inputs(synth.Small(seed))
		e := &answer.Engine{}
		e.Swap(index.Compile(in), nil)
		s := New(Config{Engine: e, MirrorlistServer: true})
		rnd := rand.New(rand.NewPCG(seed, 0))
		for _, client := range synth.Clients(in, seed, 60) {
			for range 3 {
				compareLists(t, s, newListTwin(in, client, uint32(rnd.IntN(len(in.Snapshot.Directories)))), rnd)
			}
		}
	}
}

// compareLists asks for one list with random parameters.
func compareLists(t *testing.T, s *Server, w *listTwin, rnd *rand.Rand) {
	t.Helper()
	path := w.in.Snapshot.Directories[w.dir].Path
	uri := "/mirrorlist?path=" + path + "&ip=" + w.client.String()
	title := "# path = " + path + " "
	switch rnd.IntN(4) {
	case 0:
		w.noNear, uri = true, uri+"&netblock=0"
	case 1:
		w.noNear, w.countries = true, []geo.Country{{'D', 'E'}, {'I', 'S'}}
		uri += "&country=IS,DE"
	}
	if rnd.IntN(3) == 0 {
		w.protocols, uri = []string{"http", "rsync"}, uri+"&protocol=http,rsync"
	}
	body := string(get(t, s, german, uri).Body())
	header, list, _ := strings.Cut(body, "\n")
	bands := w.bands()
	if want := title + w.header(); len(w.countries) == 0 && !strings.HasPrefix(header, want) {
		t.Errorf("%s\nheader %q, want it to start with %q", uri, header, want)
	}
	top := w.in.Snapshot.Categories[w.category].Path
	compareBands(t, w, uri, bands, strings.Split(strings.TrimSuffix(list, "\n"), "\n"), strings.TrimPrefix(path, top)+"/")
}

// compareBands compares a list with the bands it should have, each in any order.
func compareBands(t *testing.T, w *listTwin, uri string, bands [][]int, got []string, suffix string) {
	t.Helper()
	if len(got) == 1 && got[0] == "" {
		got = nil
	}
	for n, band := range bands {
		var want []string
		for _, i := range band {
			for _, u := range w.shown(&w.in.Snapshot.Hosts[i]) {
				want = append(want, u+suffix)
			}
		}
		have := slices.Clone(got[:min(len(want), len(got))])
		got = got[len(have):]
		slices.Sort(want)
		slices.Sort(have)
		if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(have, "\n")); diff != "" {
			t.Fatalf("%s\nband %d (-want +got):\n%s", uri, n, diff)
		}
	}
	if len(got) > 0 {
		t.Fatalf("%s\nunexpected: %q", uri, got)
	}
}
