package vote_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// A slow book keeps all reports it ever got, and looks for the newest.
type slow []vote.Report

func (s slow) newest() map[[2]string]vote.Report {
	lives := map[string]uint64{}
	for _, r := range s {
		lives[r.Observer] = max(lives[r.Observer], r.Version.Incarnation)
	}
	newest := map[[2]string]vote.Report{}
	for _, r := range s {
		key := [2]string{r.Observer, r.Host}
		if r.Version.Incarnation == lives[r.Observer] && r.Version.Counter >= newest[key].Version.Counter {
			newest[key] = r
		}
	}
	return newest
}

// contents returns all reports of a book.
func contents(b *vote.Book) map[[2]string]vote.Report {
	all := map[[2]string]vote.Report{}
	for _, o := range b.Observers() {
		for r := range b.Of(o) {
			all[[2]string{r.Observer, r.Host}] = r
		}
	}
	return all
}

// sights returns some that belong to a version: an observer never says
// different things under one version.
func sights(v vote.Version) (s vote.Sights) {
	r := rand.New(rand.NewPCG(v.Incarnation, v.Counter))
	for k := range s {
		if state := vote.State(r.IntN(6)); state != vote.Unseen {
			s[k] = vote.Sight{State: state, Verdict: uint8(r.IntN(16)), RoundTrip: uint16(r.IntN(3000))}
		}
	}
	return s
}

func randomReports(r *rand.Rand, n int) []vote.Report {
	all := make([]vote.Report, n)
	for i := range all {
		observer := fmt.Sprint("edge", r.IntN(4))
		v := vote.Version{Incarnation: 1 + uint64(r.IntN(3)), Counter: uint64(r.IntN(12))}
		all[i] = vote.Report{Observer: observer, Host: fmt.Sprint("host", int(v.Counter)%5), Version: v, Sights: sights(v)}
	}
	return all
}

// TestMergeInAnyOrder merges the same reports in random orders, some of them
// several times and in groups: each time the book is that of the slow twin.
func TestMergeInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		reports := randomReports(r, r.IntN(60))
		want := slow(reports).newest()
		for range 4 {
			b := vote.NewBook("self")
			for _, i := range r.Perm(len(reports)) {
				b.Merge(&reports[i])
				b.Merge(&reports[r.IntN(len(reports))])
			}
			if diff := cmp.Diff(want, contents(b)); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
			for i := range reports {
				if b.Merge(&reports[i]) != vote.Old {
					t.Fatalf("seed %d: news that is not", seed)
				}
			}
		}
	}
}

// TestGossip has books that tell one another of news over a network that loses
// three of four messages, and then compare all they know, in any order. In the
// end all are alike. Merging whole books in either direction and either
// grouping leads to the same.
func TestGossip(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		books := make([]*vote.Book, 6)
		for i := range books {
			books[i] = vote.NewBook(fmt.Sprint("edge", i))
		}
		for range 200 {
			from := r.IntN(len(books))
			report, tell := books[from].Say(fmt.Sprint("host", r.IntN(5)), sights(vote.Version{Incarnation: seed, Counter: uint64(r.IntN(9))}))
			for i := range books {
				if tell != vote.Old && i != from && r.IntN(4) == 0 {
					books[i].Merge(&report)
				}
			}
		}
		for range 2 { // each with each, and the last ones learn what the first ones learnt
			for _, i := range r.Perm(len(books)) {
				for _, j := range r.Perm(len(books)) {
					pull(books[i], books[j])
				}
			}
		}
		for i := range books {
			if diff := cmp.Diff(contents(books[0]), contents(books[i])); diff != "" {
				t.Fatalf("seed %d: edge0 and edge%d: %s", seed, i, diff)
			}
		}
	}
}

// pull has to learn all that from knows, by way of the wire.
func pull(to, from *vote.Book) {
	m, err := vote.Parse((&vote.Message{Reports: slices.Collect(maps.Values(contents(from)))}).Append(nil))
	if err != nil {
		panic(err)
	}
	for i := range m.Reports {
		to.Merge(&m.Reports[i])
	}
}

// TestRestart has an observer start anew, with other things to say: others
// believe the new life, and nothing of the old one is left.
func TestRestart(t *testing.T) {
	good, bad := vote.Sights{{State: vote.Good}}, vote.Sights{{State: vote.Failing}}
	other := vote.NewBook("other")
	old := vote.NewBook("a")
	for _, host := range []string{"h1", "h2", "h3"} {
		old.Say(host, bad)
	}
	old.Say("h1", good)
	pull(other, old)

	fresh := vote.NewBook("a")
	fresh.Say("h1", bad) // before it hears of its old life
	pull(other, fresh)
	renewed := false
	for r := range other.Of("a") {
		renewed = fresh.Merge(&r) == vote.Renewed || renewed
	}
	if !renewed {
		t.Fatal("it does not notice its old life")
	}
	pull(other, fresh)
	for r := range other.Of("a") { // which others now know from the new one only
		if fresh.Merge(&r) != vote.Old {
			t.Errorf("%+v is news to its author", r)
		}
	}
	if diff := cmp.Diff(contents(fresh), contents(other)); diff != "" {
		t.Error(diff)
	}
	if s := other.Sights("a", "h2"); s != (vote.Sights{}) {
		t.Errorf("h2 is still %+v", s)
	}
	if s := other.Sights("a", "h1"); s != bad {
		t.Errorf("h1 is %+v, want the new life's", s)
	}
}

// TestUrgent: what may change a decision is told before the rest.
func TestUrgent(t *testing.T) {
	states := map[rune]vote.State{'-': vote.Unseen, 'g': vote.Good, 'd': vote.Doubtful, 'f': vote.Failing, 'a': vote.Absent, 'b': vote.Blind}
	for change, want := range map[string]vote.Outcome{
		"-g": vote.News, "g-": vote.News, "ga": vote.News, "bg": vote.News, "-b": vote.News,
		"-f": vote.Urgent, "gd": vote.Urgent, "df": vote.Urgent, "fg": vote.Urgent, "fb": vote.Urgent, "f-": vote.Urgent, "dg": vote.Urgent,
	} {
		a, b := vote.NewBook("a"), vote.NewBook("b")
		for i, c := range change {
			r, said := a.Say("h", vote.Sights{{}, {State: states[c]}})
			heard := b.Merge(&r)
			if i == 1 && (said != want || heard != want) {
				t.Errorf("%s: %v to say and %v to hear, want %v", change, said, heard, want)
			}
		}
	}
}

// TestPoisoned: a report of an incarnation that nobody gets to silences nobody.
func TestPoisoned(t *testing.T) {
	a, x := vote.NewBook("a"), vote.NewBook("x")
	said, _ := x.Say("h", vote.Sights{{State: vote.Good}})
	for _, b := range []*vote.Book{a, x, vote.NewBook("new")} {
		b.Merge(&said)
		poison := vote.Report{Observer: "x", Host: "h", Version: vote.Version{Incarnation: 1<<62 - 1, Counter: 9}, Sights: vote.Sights{{State: vote.Failing}}}
		if b.Merge(&poison) != vote.Old {
			t.Error("it is believed")
		}
	}
	said, _ = x.Say("h", vote.Sights{{State: vote.Failing}})
	pull(a, x)
	if got := a.Sights("x", "h"); got != said.Sights {
		t.Errorf("%+v", got)
	}
}

// TestSweep: what was taken back is forgotten in time, by all, although they
// sweep at different times and compare all they know after each; and nobody
// takes what is left of it for a life before.
func TestSweep(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 9))
		books := make([]*vote.Book, 5)
		for i := range books {
			books[i] = vote.NewBook(fmt.Sprint("edge", i))
		}
		books[0].Say("gone", vote.Sights{{State: vote.Good}})
		books[0].Say("stays", vote.Sights{{State: vote.Good}})
		books[0].Say("gone", vote.Sights{})
		for range 6 {
			for _, i := range r.Perm(len(books)) {
				for range 10 {
					pull(books[r.IntN(len(books))], books[r.IntN(len(books))])
				}
				books[i].Sweep()
			}
		}
		for i, b := range books {
			all := slices.Collect(b.Of("edge0"))
			if len(all) != 1 || all[0].Host != "stays" || all[0].Version.Incarnation != 1 || b.Len("edge0") != 1 {
				t.Fatalf("seed %d: edge%d has %+v, and %d in all", seed, i, all, b.Len("edge0"))
			}
		}
	}
}

func TestSay(t *testing.T) {
	b := vote.NewBook("a")
	s := vote.Sights{{State: vote.Good, RoundTrip: 20}}
	if _, tell := b.Say("h", vote.Sights{}); tell != vote.Old {
		t.Error("nothing is told")
	}
	first, tell := b.Say("h", s)
	if tell != vote.News || first.Version != (vote.Version{Incarnation: 1, Counter: 1}) {
		t.Errorf("%+v, tell %v", first, tell)
	}
	s[0].RoundTrip = 30
	slower, tell := b.Say("h", s)
	if tell != vote.Old || slower.Version.Counter != 2 {
		t.Errorf("%+v, tell %v: other latency is for those who ask", slower, tell)
	}
	same, tell := b.Say("h", s)
	if tell != vote.Old || same.Version.Counter != 2 {
		t.Errorf("%+v, tell %v: nothing changed", same, tell)
	}
	if taken, tell := b.Say("h", vote.Sights{}); tell != vote.News || taken.Version.Counter != 3 {
		t.Errorf("%+v, tell %v: taken back", taken, tell)
	}
	b.Forget("a")
	if len(b.Own()) != 1 {
		t.Error("an observer forgets itself")
	}
}
