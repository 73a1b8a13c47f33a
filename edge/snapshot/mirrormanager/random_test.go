package mirrormanager_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/snapshot"
)

// A model is a random cache as plain maps, from which the test says in the
// obvious way what a snapshot of it must hold.
type model struct {
	urls map[int64]string
	dirs map[string]modelDirectory
}

type modelDirectory struct {
	top    string
	global []int64
	held   map[int64][]int64
}

func randomModel(rng *rand.Rand) model {
	m := model{urls: map[int64]string{}, dirs: map[string]modelDirectory{}}
	for id := range int64(40) {
		if rng.IntN(10) > 0 { // some ids are known to nobody
			m.urls[id] = fmt.Sprintf("https://h%d.example.org/%d", id/4, id)
		}
	}
	for i := range 30 {
		d := modelDirectory{top: []string{"", "pub", "pub/os"}[rng.IntN(3)], held: map[int64][]int64{}}
		for host := range int64(10) {
			id := host * host * 3000 // beyond the ids that are looked up in a slice, too
			shift := int64(0)
			if rng.IntN(8) == 0 { // a host with another URL list for a part of the tree
				shift = 1
			}
			if rng.IntN(4) > 0 {
				d.held[id] = []int64{host*4 + shift, host*4 + shift + 1}
			}
			if host > 2 && rng.IntN(4) > 0 { // the first three are private
				d.global = append(d.global, id)
			}
		}
		m.dirs[strings.TrimPrefix(fmt.Sprintf("%s/d%d", d.top, i), "/")] = d
	}
	return m
}

// encode writes the model with its fields, and the fields of its directories, in random order.
func (m model) encode(rng *rand.Rand) []byte {
	fields := []message{message{}.num(1, 1)}
	for id, url := range m.urls {
		fields = append(fields, message{}.sub(4, numText(id, url)))
	}
	for name, d := range m.dirs {
		parts := []message{message{}.text(1, name), message{}.packed(2, d.global...)}
		if sub := strings.TrimPrefix(strings.TrimPrefix(name, d.top), "/"); sub != "" {
			parts = append(parts, message{}.text(3, sub))
		}
		for id, urls := range d.held {
			parts = append(parts, message{}.sub(6, numNums(id, urls...)))
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		fields = append(fields, message{}.sub(16, join(parts)))
	}
	rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return join(fields)
}

// urlsOf returns what a snapshot must give for a host in a directory.
func (m model) urlsOf(d modelDirectory, id int64) (urls []string) {
	for _, url := range d.held[id] {
		if text, ok := m.urls[url]; ok {
			urls = append(urls, text)
		}
	}
	return urls
}

// holds reports whether a snapshot must say that a host holds a directory.
func (m model) holds(d modelDirectory, id int64) bool {
	if slices.Contains(d.global, id) {
		return true
	}
	_, held := d.held[id]
	return held && m.private(id)
}

func (m model) private(id int64) bool {
	held := false
	for _, d := range m.dirs {
		if slices.Contains(d.global, id) {
			return false
		}
		_, has := d.held[id]
		held = held || has
	}
	return held
}

// Whatever the order of fields and the mixture of URL lists, every directory
// gives every host that holds it exactly the URLs that the cache gives it there.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := randomModel(rng)
		snap, _ := decode(t, m.encode(rng))
		if len(snap.Directories) != len(m.dirs) {
			t.Fatalf("seed %d: %d directories, want %d", seed, len(snap.Directories), len(m.dirs))
		}
		for number, d := range snap.Directories {
			want, ok := m.dirs[d.Path]
			if !ok || snap.Categories[d.Category].Path != want.top {
				t.Fatalf("seed %d: %q is below %q, want %q", seed, d.Path, snap.Categories[d.Category].Path, want.top)
			}
			for _, h := range snap.Hosts {
				if h.Private != m.private(h.ID) {
					t.Fatalf("seed %d: host %d private: %v", seed, h.ID, h.Private)
				}
				has := h.Has.Has(uint32(number))
				if has != m.holds(want, h.ID) {
					t.Fatalf("seed %d: host %d holds %q: %v", seed, h.ID, d.Path, has)
				}
				if got := mounted(h, d.Category); has && !slices.Equal(got, m.urlsOf(want, h.ID)) {
					t.Fatalf("seed %d: host %d in %q: %q, want %q", seed, h.ID, d.Path, got, m.urlsOf(want, h.ID))
				}
			}
		}
	}
}

func mounted(h snapshot.Host, category uint32) []string {
	for _, m := range h.Mounts {
		if m.Category == category {
			return m.URLs
		}
	}
	return nil
}
