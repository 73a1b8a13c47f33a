package probe

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// describe returns the plans of ix as text: target → URL, size and addresses.
func describe(ix *index.Index) map[string]string {
	got := map[string]string{}
	for name, p := range plansFor(ix) {
		key := fmt.Sprintf("%s %s", name.Host, name.Kind())
		got[key] = fmt.Sprintf("%s %d %v", p.url, p.size, p.addrs)
		if p.other.url != nil {
			got[key] += fmt.Sprintf(" or %s %d", p.other.url, p.other.size)
		}
	}
	return got
}

func TestPlansAddresses(t *testing.T) {
	one := func(m mirror) []mirror { m.name = "a"; return []mirror{m} }
	tests := []struct {
		name string
		in   []mirror
		want map[string]string
	}{
		{"none", nil, map[string]string{}},
		{"no web", one(mirror{urls: []string{"rsync://a.test/os", "ftp://a.test/os"}}), map[string]string{}},
		{"out", one(mirror{urls: []string{"http://a.test/os"}, down: true}), map[string]string{}},
		{"by name", one(mirror{urls: []string{"http://a.test/os"}}), map[string]string{
			"a http over ipv4": "http://a.test/os/ -1 []",
			"a http over ipv6": "http://a.test/os/ -1 []",
		}},
		{"known addresses", one(mirror{urls: []string{"https://a.test/os"}, addresses: []string{"192.0.2.1", "::ffff:192.0.2.2"}}), map[string]string{
			"a https over ipv4": "https://a.test/os/ -1 [192.0.2.1 192.0.2.2]",
		}},
		{"literal", one(mirror{urls: []string{"http://[2001:db8::1]:8080/os"}, addresses: []string{"192.0.2.1"}}), map[string]string{
			"a http over ipv6": "http://[2001:db8::1]:8080/os/ -1 [2001:db8::1]",
		}},
		{"first of a scheme", one(mirror{urls: []string{"https://a.test/1", "http://a.test/2", "https://a.test/3"}, addresses: []string{"192.0.2.1"}}), map[string]string{
			"a https over ipv4": "https://a.test/1/ -1 [192.0.2.1]",
			"a http over ipv4":  "http://a.test/2/ -1 [192.0.2.1]",
		}},
		{"not a URL", one(mirror{urls: []string{"http://a b/%zz", "https://"}}), map[string]string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, describe(compile(t, test.in...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPlansFiles: which file of a tree is asked for.
func TestPlansFiles(t *testing.T) {
	const v4 = "192.0.2.1"
	all := mirror{name: "all", urls: []string{"http://all.test/os"}, addresses: []string{v4}}
	holed := mirror{name: "holed", urls: []string{"http://holed.test/os"}, addresses: []string{v4}}
	empty := mirror{name: "empty", urls: []string{"http://empty.test/os"}, addresses: []string{v4}}
	other := mirror{name: "other", urls: []string{"http://other.test/os"}, addresses: []string{v4}}
	s := &snapshot.Snapshot{
		Categories: []snapshot.Category{{Name: "os", Path: "pub/os"}, {Name: "top", Path: ""}},
		Directories: []snapshot.Directory{
			{Path: "", Category: 1}, {Path: "pub/os", Category: 0}, {Path: "pub/os/a b", Category: 0},
		},
		Hosts: []snapshot.Host{all.host(t), holed.host(t), empty.host(t), other.host(t)},
	}
	for h, dirs := range [][]uint32{{0, 1, 2}, {0, 1, 2}, {}, {0, 1, 2}} {
		s.Hosts[h].Has = nil
		for _, dir := range dirs {
			s.Hosts[h].Has.Add(dir)
		}
	}
	s.Hosts[3].Mounts = []snapshot.Mount{{Category: 1, URLs: []string{"http://other.test"}}}
	var b snapshot.FileBuilder
	known := func(size, mtime int64) snapshot.Version { return snapshot.Version{Size: size, MTime: mtime} }
	b.Add(0, "ROOT", []snapshot.Version{known(3, 0)}, nil)
	b.Add(1, "changing", []snapshot.Version{known(1, 100), known(2, 50)}, nil)
	b.Add(1, "unsized", []snapshot.Version{known(-1, 1)}, nil)
	b.Add(1, "empty", []snapshot.Version{known(0, 1)}, nil)
	b.Add(1, "new", []snapshot.Version{known(7, 1000)}, nil)
	b.Add(2, "old?100%", []snapshot.Version{known(9, 10)}, []uint32{1})
	b.Add(2, "newer", []snapshot.Version{known(8, 20)}, nil)
	s.Files = b.Build(len(s.Directories))
	want := map[string]string{
		"all http over ipv4":   "http://all.test/os/a%20b/old%3F100%25 9 [192.0.2.1] or http://all.test/os/new 7",
		"holed http over ipv4": "http://holed.test/os/new 7 [192.0.2.1]",
		"empty http over ipv4": "http://empty.test/os/ -1 [192.0.2.1]",
		"other http over ipv4": "http://other.test/ROOT 3 [192.0.2.1]",
	}
	if diff := cmp.Diff(want, describe(compileSnapshot(t, s))); diff != "" {
		t.Error(diff)
	}
}

// TestSpread: hosts are asked for different files, all of them old; the other
// file of each is newer and in another directory.
func TestSpread(t *testing.T) {
	const hosts, dirs = 300, 100
	s := &snapshot.Snapshot{Categories: []snapshot.Category{{Name: "os", Path: "pub/os"}}}
	var b snapshot.FileBuilder
	for d := range uint32(dirs) {
		s.Directories = append(s.Directories, snapshot.Directory{Path: fmt.Sprintf("pub/os/%d", d)})
		b.Add(d, "f", []snapshot.Version{{Size: 10, MTime: int64(d) + 1}}, nil)
	}
	s.Files = b.Build(dirs)
	for h := range hosts {
		m := mirror{name: fmt.Sprintf("mirror%d.example.org", h), urls: []string{"http://a.test/os"}, addresses: []string{"192.0.2.1"}}
		s.Hosts = append(s.Hosts, m.host(t))
		for d := range uint32(dirs) {
			s.Hosts[h].Has.Add(d)
		}
	}
	first, other := map[int]int{}, map[int]int{}
	for name, p := range plansFor(compileSnapshot(t, s)) {
		var old, newer int
		if _, err := fmt.Sscanf(p.url.Path+" "+p.other.url.Path, "/os/%d/f /os/%d/f", &old, &newer); err != nil {
			t.Fatal(name, err)
		}
		first[old]++
		other[newer]++
	}
	for _, x := range []struct {
		name string
		of   map[int]int
		from int
	}{{"first", first, 0}, {"other", other, dirs / 2}} {
		chi2 := 0.0
		for i := range choices {
			d := float64(x.of[x.from+i]) - hosts/choices
			chi2 += d * d / (hosts / choices)
		}
		if len(x.of) != choices || chi2 > 31.3 { // p = 0.001 at 11 degrees of freedom
			t.Errorf("%s: chi-square %.1f over %v", x.name, chi2, x.of)
		}
	}
}

// TestOtherName: where a host has categories by several names, both files are
// asked for by one of them.
func TestOtherName(t *testing.T) {
	s := &snapshot.Snapshot{Categories: []snapshot.Category{{Name: "os", Path: "os"}, {Name: "archive", Path: "archive"}}}
	var b snapshot.FileBuilder
	for d := range uint32(6) {
		category := d / 4
		s.Directories = append(s.Directories, snapshot.Directory{Path: fmt.Sprintf("%s/%d", s.Categories[category].Path, d), Category: category})
		b.Add(d, "f", []snapshot.Version{{Size: 10, MTime: int64(d) + 1}}, nil)
	}
	s.Files = b.Build(len(s.Directories))
	for h := range 50 {
		host := mirror{name: fmt.Sprint("m", h), addresses: []string{"192.0.2.1"}}.host(t)
		host.Mounts = []snapshot.Mount{{Category: 0, URLs: []string{"http://os.test"}}, {Category: 1, URLs: []string{"http://archive.test"}}}
		for d := range uint32(6) {
			host.Has.Add(d)
		}
		s.Hosts = append(s.Hosts, host)
	}
	alone, both := 0, 0
	for name, p := range plansFor(compileSnapshot(t, s)) {
		switch {
		case p.other.url == nil:
			alone++
		case p.other.url.Host != p.url.Host || p.other.url.Path == p.url.Path:
			t.Errorf("%s: %s or %s", name.Host, p.url, p.other.url)
		default:
			both++
		}
	}
	if alone == 0 || both == 0 {
		t.Errorf("%d with one file, %d with two", alone, both)
	}
}

// TestPhases: the probes of many targets are even over the interval.
func TestPhases(t *testing.T) {
	const bins, hosts = 30, 3000
	count := [bins]int{}
	for h := range hosts {
		name := newName(fmt.Sprintf("mirror%d.example.org", h))
		count[phaseOf(name, bins*time.Second)/time.Second]++
	}
	chi2 := 0.0
	for _, n := range count {
		d := float64(n) - hosts/bins
		chi2 += d * d / (hosts / bins)
	}
	if chi2 > 58.3 { // p = 0.001 at 29 degrees of freedom
		t.Errorf("chi-square %.1f over %v", chi2, count)
	}
}
