package crawl

import (
	"crypto/sha256"
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A verdict is what becomes of a directory.
type verdict uint8

const (
	unknown verdict = iota
	holds
	lacks
)

// A tally counts the states of a directory's files.
type tally [unsure + 1]int

// count counts.
func (l *ledger) count(d int) (t tally) {
	for _, s := range l.in(d) {
		t[s]++
	}
	return t
}

// verdict judges a directory. It is held if all that is in it was looked at
// and is right. With an older version of metadata that is still live it is
// held too, but for that metadata and all that is not right. kept says that a
// former crawl found it held and that a sample still agrees. Of a directory
// without files it is not known here what it is: see [ledger.presence].
func (c *crawler) verdict(d int, kept bool) verdict {
	l := c.ledger
	t := l.count(d)
	readable := l.tree.Directories[d].Readable
	known := len(l.in(d)) - t[unseen] - t[unsure]
	v := unknown
	switch bad := t[wrong] + t[missing]; {
	case t[older] > 0:
		v = holds
	case float64(bad) > c.limits.MaxHoles*float64(len(l.in(d))):
		v = lacks
	case len(l.in(d)) > 0 && (known == len(l.in(d)) || kept):
		v = holds
	}
	if v == lacks && !readable {
		return unknown // we were not meant to see it
	}
	return v
}

// listing judges all directories.
func (c *crawler) listing() registry.Listing {
	l := c.ledger
	out := registry.Listing{Host: c.job.Host.Key(), Category: c.job.Carry.Category, Seen: c.report.Started}
	verdicts := make([]verdict, len(l.dirs))
	there := make([]verdict, len(l.dirs)) // whether it is there at all
	for d := len(l.dirs) - 1; d >= 0; d-- {
		verdicts[d] = c.verdict(d, c.kept(d))
		there[d] = better(there[d], l.presence(d))
		if len(l.in(d)) == 0 {
			verdicts[d] = there[d]
			if there[d] == lacks && !l.tree.Directories[d].Readable {
				verdicts[d] = unknown // as in [crawler.verdict]
			}
		}
		if p, ok := l.parent(d); ok {
			there[p] = better(there[p], there[d])
		}
	}
	former := former(&c.job.Previous)
	for d, v := range verdicts {
		c.report.Directories.add(v)
		switch v {
		case holds:
			out.Holds.Add(l.number[d])
			c.holes(&out, d, former)
		case unknown:
			out.Unknown.Add(l.number[d])
		}
	}
	return out
}

// presence says whether a directory is there, whatever is in it.
func (l *ledger) presence(d int) verdict {
	t := l.count(d)
	switch {
	case l.dirs[d] == good || t[good]+t[older] > 0:
		return holds
	case l.dirs[d] == missing || t[missing] > 0 && t[missing] == len(l.in(d)):
		return lacks
	}
	return unknown
}

// better returns whether a directory is there with subdirectories of which a
// and b are known: it is, if one of them is.
func better(a, b verdict) verdict {
	switch {
	case a == holds || b == holds:
		return holds
	case a == lacks || b == lacks:
		return lacks
	}
	return unknown
}

// holes adds the files of a held directory that are not there as on the
// master. Those that were not looked at are as they were formerly; in a
// directory with older metadata they do not count as there.
func (c *crawler) holes(out *registry.Listing, d int, former map[registry.FileRef]*registry.OlderFile) {
	l := c.ledger
	stale := l.count(d)[older] > 0
	for i, s := range l.in(d) {
		p := pos{dir: uint32(d), file: uint32(i)}
		switch s {
		case good:
		case unseen, unsure:
			was, known := former[l.ref(p)]
			if was != nil {
				out.Older = append(out.Older, *was)
			} else if known || stale {
				out.Lacks = append(out.Lacks, l.ref(p))
			}
		case older:
			if sum := c.olderOf(p)[c.which[p]].Hashes[snapshot.SHA256]; len(sum) == sha256.Size {
				out.Older = append(out.Older, registry.OlderFile{FileRef: l.ref(p), SHA256: [sha256.Size]byte(sum)})
				continue
			}
			out.Lacks = append(out.Lacks, l.ref(p))
		default:
			out.Lacks = append(out.Lacks, l.ref(p))
		}
	}
}

// former returns the files that a listing lacks; those of which it has an older
// version, with that.
func former(l *registry.Listing) map[registry.FileRef]*registry.OlderFile {
	m := make(map[registry.FileRef]*registry.OlderFile, len(l.Lacks)+len(l.Older))
	for _, r := range l.Lacks {
		m[r] = nil
	}
	for i := range l.Older {
		m[l.Older[i].FileRef] = &l.Older[i]
	}
	return m
}

// kept reports whether a directory that was only sampled stays held: a sample
// never makes one held that was not, nor one that has changed since.
func (c *crawler) kept(d int) bool {
	p := &c.job.Previous
	return c.sampled(d) && p.Holds.Has(c.ledger.number[d])
}

// sampled reports whether it is enough to look at some files of a directory.
func (c *crawler) sampled(d int) bool {
	p := &c.job.Previous
	return c.job.Mode == Quick && p.Holds.Has(c.ledger.number[d]) && c.ledger.tree.Directories[d].Changed < p.Seen.Unix()
}

// loss returns which part of the directories that were held before is lacked
// now. Only directories that are still in the tree count.
func loss(before, now *registry.Listing, numbers []uint32) float64 {
	held, lost := 0, 0
	for _, d := range numbers {
		if !before.Holds.Has(d) {
			continue
		}
		held++
		if !now.Holds.Has(d) && !now.Unknown.Has(d) {
			lost++
		}
	}
	if held == 0 {
		return 0
	}
	return float64(lost) / float64(held)
}

// Update returns the listing to keep after a crawl that began with previous and
// a tree of these numbers, and ended with now. newest is the listing as it is at
// the end: what it holds beside previous, in directories that the tree did not
// have, was added by somebody else meanwhile and stays. All else is [Merge].
func Update(previous, newest, now registry.Listing, numbers []uint32) registry.Listing {
	out := Merge(newest, now)
	var known snapshot.Bitmap
	for _, n := range numbers {
		known.Add(n)
	}
	for w, held := range newest.Holds {
		added := held &^ word(previous.Holds, w) &^ word(known, w)
		if added == 0 {
			continue
		}
		for len(out.Holds) <= w {
			out.Holds = append(out.Holds, 0)
		}
		out.Holds[w] |= added
	}
	return out
}

// Merge returns now with what it could not tell filled in from before: the
// state of each directory that is Unknown in now. What before could not tell
// either stays Unknown.
func Merge(before, now registry.Listing) registry.Listing {
	out := now
	out.Holds, out.Unknown = nil, nil
	out.Lacks, out.Older = slices.Clone(now.Lacks), slices.Clone(now.Older)
	for w := range max(len(now.Holds), len(now.Unknown)) {
		open, told := word(now.Unknown, w), ^uint64(0)
		if before.Seen.IsZero() {
			told = 0
		}
		told &^= word(before.Unknown, w)
		out.Holds = append(out.Holds, word(now.Holds, w)&^open|word(before.Holds, w)&open&told)
		out.Unknown = append(out.Unknown, open&^told)
	}
	for _, r := range before.Lacks {
		if now.Unknown.Has(r.Directory) {
			out.Lacks = append(out.Lacks, r)
		}
	}
	for _, r := range before.Older {
		if now.Unknown.Has(r.Directory) {
			out.Older = append(out.Older, r)
		}
	}
	return out
}

// word returns 64 numbers of a set.
func word(b snapshot.Bitmap, i int) uint64 {
	if i < len(b) {
		return b[i]
	}
	return 0
}
