package checkin_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// set returns a set of numbers.
func set(numbers ...uint32) (b snapshot.Bitmap) {
	for _, n := range numbers {
		b.Add(n)
	}
	return b
}

// master is a small master: numbers are not places, and 44 is under embargo.
func master() checkin.Master {
	return checkin.Master{
		Tree: registry.Tree{Category: "Fedora Linux", Directories: []registry.Directory{
			{Path: "", Readable: true},
			{Path: "releases", Readable: true},
			{Path: "releases/43", Readable: true, Files: []registry.File{
				{Name: "a.iso", Size: 10, Changed: 1000}, {Name: "b.iso", Size: 20, Changed: 1000},
			}},
			{Path: "releases/44", Files: []registry.File{{Name: "c.iso", Size: 30, Changed: 1000}}},
		}},
		Numbers: []uint32{70, 3, 5, 100},
	}
}

func TestWeigh(t *testing.T) {
	private := registry.Host{Site: "uni-x", Name: "de1", Private: true}
	public := registry.Host{Site: "uni-x", Name: "de1"}
	shy := registry.Host{Site: "uni-x", Name: "de1", NoCrawl: true}
	before := registry.Listing{Holds: set(70, 5, 999)}
	listing := func(l registry.Listing) *registry.Listing {
		l.Host, l.Category, l.Seen = "uni-x/de1", "Fedora Linux", at
		return &l
	}
	all := []string{"releases/44", "", "nowhere", "releases", "releases", "Releases/43"}
	files := func(f ...checkin.File) checkin.Claim {
		return checkin.Claim{Listed: true, Directories: []string{"", "releases/43", "releases/44"}, Files: f}
	}
	tests := []struct {
		name  string
		host  registry.Host
		claim checkin.Claim
		want  checkin.Outcome
	}{
		{"a private host is listed", private, checkin.Claim{Directories: all}, checkin.Outcome{
			Listing: listing(registry.Listing{Holds: set(70, 3)}), Embargoed: []string{"releases/44"},
			Counts: checkin.Counts{Updated: 1, Added: 1, Deleted: 1, Embargoed: 1, Unknown: 2},
		}},
		{"a private host holds nothing", private, checkin.Claim{}, checkin.Outcome{
			Listing: listing(registry.Listing{}), Counts: checkin.Counts{Deleted: 2},
		}},
		{"a public host is crawled", public, checkin.Claim{Directories: all}, checkin.Outcome{
			Crawl: []string{"", "releases"}, Embargoed: []string{"releases/44"},
			Counts: checkin.Counts{Crawl: 2, Embargoed: 1, Unknown: 2},
		}},
		{"a public host that wants no crawl is not listed", shy, checkin.Claim{Directories: all}, checkin.Outcome{
			Embargoed: []string{"releases/44"}, Counts: checkin.Counts{Embargoed: 1, Unknown: 2},
		}},
		{
			"a file is missing", private, files(checkin.File{Directory: 1, Name: "a.iso", Size: 10, Changed: 1001}),
			checkin.Outcome{
				Listing: listing(registry.Listing{Holds: set(70, 5), Lacks: []registry.FileRef{{Directory: 5, Name: "b.iso"}}}),
				Counts:  checkin.Counts{Updated: 2, Lacking: 1},
			},
		},
		{
			"all files are wrong: other size, older, not for all the world", private, files(
				checkin.File{Directory: 1, Name: "a.iso", Size: 11, Changed: 1000},
				checkin.File{Directory: 1, Name: "b.iso", Size: 20, Changed: 999},
				checkin.File{Directory: 2, Name: "c.iso", Size: 30, Changed: 1000, Hidden: true},
			),
			checkin.Outcome{
				Listing: listing(registry.Listing{Holds: set(70)}), Embargoed: []string{"releases/44"},
				Counts: checkin.Counts{Updated: 1, Deleted: 1, Embargoed: 1},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Category = "Fedora Linux"
			got := checkin.Weigh(tt.host, master(), before, tt.claim, at)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error("want -, got +:\n" + diff)
			}
		})
	}
}

// slowWeigh is the twin of Weigh: it asks every question anew.
func slowWeigh(h registry.Host, m checkin.Master, before registry.Listing, c checkin.Claim) (o checkin.Outcome) {
	o.Category = m.Category
	l := registry.Listing{Host: h.Site + "/" + h.Name, Category: m.Category, Seen: at}
	for _, d := range c.Directories {
		if !slices.ContainsFunc(m.Directories, func(have registry.Directory) bool { return have.Path == d }) {
			o.Unknown++
		}
	}
	for i, d := range m.Directories {
		var lacks []string
		for _, f := range d.Files {
			good := slices.ContainsFunc(c.Files, func(have checkin.File) bool {
				return c.Directories[have.Directory] == d.Path && have.Name == f.Name && have.Size == f.Size &&
					have.Changed >= f.Changed && (!have.Hidden || !d.Readable)
			})
			if c.Listed && !good {
				lacks = append(lacks, f.Name)
			}
		}
		held := slices.Contains(c.Directories, d.Path) && (len(d.Files) == 0 || len(lacks) < len(d.Files))
		if held && !d.Readable {
			o.Embargoed = append(o.Embargoed, d.Path)
			continue
		}
		if held && !h.Private {
			o.Crawl = append(o.Crawl, d.Path)
		}
		if !h.Private {
			continue
		}
		had := before.Holds.Has(m.Numbers[i])
		if held {
			l.Holds.Add(m.Numbers[i])
			for _, name := range lacks {
				l.Lacks = append(l.Lacks, registry.FileRef{Directory: m.Numbers[i], Name: name})
			}
		}
		switch {
		case held && had:
			o.Updated++
		case held:
			o.Added++
		case had:
			o.Deleted++
		}
	}
	o.Counts.Crawl, o.Counts.Embargoed = len(o.Crawl), len(o.Embargoed)
	if h.Private {
		o.Listing, o.Lacking = &l, len(l.Lacks)
	}
	return o
}

func TestWeighTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		m := checkin.Master{Tree: registry.Tree{Category: "os"}}
		var before registry.Listing
		for d := range 8 {
			if r.IntN(4) == 0 {
				continue
			}
			dir := registry.Directory{Path: fmt.Sprint("d", d), Readable: r.IntN(4) > 0}
			for f := range r.IntN(4) {
				dir.Files = append(dir.Files, registry.File{Name: fmt.Sprint("f", f), Size: int64(r.IntN(2)), Changed: int64(1 + r.IntN(2))})
			}
			m.Directories = append(m.Directories, dir)
			m.Numbers = append(m.Numbers, uint32(d*37%64))
			if r.IntN(2) == 0 {
				before.Holds.Add(uint32(d * 37 % 64))
			}
		}
		c := checkin.Claim{Listed: r.IntN(2) == 0}
		for _, d := range r.Perm(8)[:r.IntN(9)] {
			c.Directories = append(c.Directories, fmt.Sprint("d", d))
			for f := range r.IntN(4) {
				if c.Listed {
					c.Files = append(c.Files, checkin.File{
						Directory: uint32(len(c.Directories) - 1), Name: fmt.Sprint("f", f),
						Size: int64(r.IntN(2)), Changed: int64(1 + r.IntN(2)), Hidden: r.IntN(5) == 0,
					})
				}
			}
		}
		r.Shuffle(len(c.Files), func(i, j int) { c.Files[i], c.Files[j] = c.Files[j], c.Files[i] })
		h := registry.Host{Site: "s", Name: "h", Private: r.IntN(2) == 0}
		got, want := checkin.Weigh(h, m, before, c, at), slowWeigh(h, m, before, c)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("master %+v\nclaim %+v\nwant -, got +:\n%s", m, c, diff)
		}
	}
}

func TestCarried(t *testing.T) {
	h := registry.Host{Carries: []registry.Carry{{Category: "Fedora Linux"}}}
	if name, ok := checkin.Carried(h, "fedora linux"); name != "Fedora Linux" || !ok {
		t.Errorf("got %q and %v", name, ok)
	}
	if _, ok := checkin.Carried(h, "fedora"); ok {
		t.Error("fedora is carried")
	}
}
