package checkin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// An Outcome is what becomes of a [Claim] of a category.
type Outcome struct {
	Category string // as the registry calls it

	// Listing is what a private host holds from now on, in place of what was
	// known before. It is nil for a public host, whose word lists nothing.
	Listing *registry.Listing

	// Crawl are directories that a public host claims and that a crawl shall
	// look at now, sorted. A host that asked not to be crawled has none.
	Crawl []string

	// Embargoed are directories that the host claims, public or private, and
	// that the world may not read on the master yet, sorted. They count from the
	// lift of their release, so they are in neither of the others.
	Embargoed []string

	Counts
}

// Counts says what a claim changed, in directories. Updated, Added and Deleted
// are MirrorManager's: known before and claimed, only claimed, only known.
type Counts struct {
	Updated   int `json:"updated"`
	Added     int `json:"added"`
	Deleted   int `json:"deleted"`
	Crawl     int `json:"crawl"`
	Embargoed int `json:"embargoed"`

	// Unknown are claimed but not in the master's tree, and so ignored.
	Unknown int `json:"unknown"`

	// Lacking are files that are missing or old in directories that are held;
	// only where files were listed.
	Lacking int `json:"lacking"`
}

// Carried returns the name of the category among those that the host carries;
// names are compared without regard to case.
func Carried(h registry.Host, category string) (name string, ok bool) {
	for _, c := range h.Carries {
		if strings.EqualFold(c.Category, category) {
			return c.Category, true
		}
	}
	return "", false
}

// Weigh says what becomes of what h claims to hold of m's category. before is
// what was known of the host, or the zero value. It changes none of its
// arguments and costs a binary search for each directory, and a sort of the files.
func Weigh(h registry.Host, m Master, before registry.Listing, claim Claim, now time.Time) Outcome {
	w := weighing{Master: m, held: make([]bool, len(m.Directories))}
	o := Outcome{Category: m.Category}
	o.Unknown = w.locate(claim.Directories)
	if claim.Listed {
		w.compare(claim)
	}
	w.share(h, before, &o)
	if h.Private {
		w.listing.Host, w.listing.Category, w.listing.Seen = h.Key(), m.Category, now
		o.Lacking = len(w.listing.Lacks)
		o.Listing = &w.listing
	}
	return o
}

// A weighing is a claim on the scales.
type weighing struct {
	Master
	places  []int            // of the claim's directories in the tree; -1: it is not there
	held    []bool           // by place in the tree
	lacks   map[int][]string // files, by place
	listing registry.Listing // of what all the world may read
}

// locate finds the directories in the tree and returns how many are not there.
func (w *weighing) locate(directories []string) (unknown int) {
	w.places = make([]int, len(directories))
	for i, d := range directories {
		at, ok := slices.BinarySearchFunc(w.Directories, d, func(have registry.Directory, want string) int {
			return strings.Compare(have.Path, want)
		})
		if ok {
			w.places[i] = at
			w.held[at] = true
		} else {
			w.places[i] = -1
			unknown++
		}
	}
	return unknown
}

// compare finds the files that are missing or old, and the directories of which
// no file is as on the master: those are not held.
func (w *weighing) compare(claim Claim) {
	w.lacks = map[int][]string{}
	files := slices.Clone(claim.Files)
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(w.places[a.Directory], w.places[b.Directory]), strings.Compare(a.Name, b.Name))
	})
	next := 0
	for i, d := range w.Directories {
		for next < len(files) && w.places[files[next].Directory] < i {
			next++
		}
		end := next
		for end < len(files) && w.places[files[end].Directory] == i {
			end++
		}
		if !w.held[i] {
			continue
		}
		lacks := lacking(d, files[next:end])
		if len(d.Files) > 0 && len(lacks) == len(d.Files) {
			w.held[i] = false
		} else if len(lacks) > 0 {
			w.lacks[i] = lacks
		}
	}
}

// lacking returns the files of d that are not among have, which are sorted by
// name, or that differ there.
func lacking(d registry.Directory, have []File) (lacks []string) {
	for _, want := range d.Files {
		at, ok := slices.BinarySearchFunc(have, want.Name, func(f File, name string) int {
			return strings.Compare(f.Name, name)
		})
		if !ok || differs(have[at], want, d.Readable) {
			lacks = append(lacks, want.Name)
		}
	}
	return lacks
}

// differs reports whether a mirror's file is not the master's: it has another
// size, or it was last touched before the master's was changed. A later time
// says nothing: attributes change, and not all mirrors keep times. A file that
// is not for all the world is as good as none, unless all is under embargo.
func differs(have File, want registry.File, readable bool) bool {
	return want.Size >= 0 && have.Size != want.Size ||
		want.Changed > 0 && have.Changed < want.Changed ||
		readable && have.Hidden
}

// share divides what is held among listing, crawl and embargo.
func (w *weighing) share(h registry.Host, before registry.Listing, o *Outcome) {
	for i, d := range w.Directories {
		n := w.Numbers[i]
		had := h.Private && before.Holds.Has(n)
		switch {
		case w.held[i] && !d.Readable:
			o.Embargoed = append(o.Embargoed, d.Path)
		case w.held[i] && h.Private:
			w.list(i, n)
			if had {
				o.Updated++
			} else {
				o.Added++
			}
		case w.held[i] && !h.NoCrawl:
			o.Crawl = append(o.Crawl, d.Path)
		case had:
			o.Deleted++
		}
	}
	o.Counts.Crawl, o.Counts.Embargoed = len(o.Crawl), len(o.Embargoed)
}

// list lists the directory at a place, with its number.
func (w *weighing) list(place int, number uint32) {
	w.listing.Holds.Add(number)
	for _, name := range w.lacks[place] {
		w.listing.Lacks = append(w.listing.Lacks, registry.FileRef{Directory: number, Name: name})
	}
}
