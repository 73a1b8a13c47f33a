package vote_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/geo"
)

// states are written as letters: one an observer.
func states(text string) []vote.State {
	var all []vote.State
	for _, c := range text {
		all = append(all, vote.State(strings.IndexRune("-gdfab", c)))
	}
	return all
}

// election has hosts of one kind, on which observers a, b, c … have reported as written.
func election(votes ...string) *vote.Question {
	q := &vote.Question{Book: vote.NewBook("self"), Fall: 2, MaxDown: 1}
	for i, text := range votes {
		h := vote.Host{Name: fmt.Sprint("h", i), Kinds: [health.Kinds]bool{true}, Country: geo.Country{'D', 'E'}, Continent: geo.Continent{'E', 'U'}}
		for o, s := range states(text) {
			name := string(rune('a' + o))
			h.Observers = append(h.Observers, name)
			report(q.Book, name, h.Name, s)
		}
		q.Hosts = append(q.Hosts, h)
	}
	return q
}

func report(b *vote.Book, observer, host string, s vote.State) {
	b.Merge(&vote.Report{Observer: observer, Host: host, Version: vote.Version{Incarnation: 1, Counter: 1}, Sights: vote.Sights{{State: s}}})
}

// drain has operators take out an edge or a host.
func drain(q *vote.Question, name string, edge bool) {
	q.Now = time.Unix(1_800_000_000, 0)
	q.Drains = vote.NewDrains()
	q.Drains.Order(q.Now, vote.Drain{Edge: edge, Name: name, On: true, Left: time.Hour})
}

func down(d *vote.Decision) string {
	var names []string
	for _, t := range d.Down {
		names = append(names, t.Host)
	}
	return strings.Join(names, " ")
}

func TestMajority(t *testing.T) {
	for _, x := range []struct {
		votes string // on one host
		fall  int
		want  bool
	}{
		{"ggggg", 2, false},
		{"ffggg", 2, false},
		{"fffgg", 2, true},
		{"fffff", 2, true},
		{"f", 2, true},
		{"d", 2, false},
		{"fg", 2, false},
		{"ff", 2, true},
		{"f----", 2, false},
		{"fg---", 2, false},
		{"fff--", 2, true},
		{"dff--", 2, true},
		{"-----", 2, false},
		{"ff-g-", 2, false},
		{"dd", 2, true},
		{"ddd", 3, true},
		{"dd-", 3, false},
		{"fd", 3, false}, // one failure each, of several places
		{"ddggg", 2, false},
		{"dddgg", 2, true},
		{"ddfgg", 2, true},
		{"d", 1, false},
		{"ffdgg", 4, false},
		{"aaf", 2, false},
		{"bbbbf", 2, true}, // a private host that answers only there
		{"bbbbd", 2, false},
		{"bbfgf", 2, true},
		{"bbbbb", 2, false},
	} {
		q := election(x.votes)
		q.Fall = x.fall
		d := vote.Decide(q)
		if got := len(d.Down) == 1; got != x.want {
			t.Errorf("%s with fall %d: down %v, want %v", x.votes, x.fall, got, x.want)
		}
	}
}

// TestStatusQuo: observers who have no opinion are for what was decided before.
func TestStatusQuo(t *testing.T) {
	for _, x := range []struct {
		votes string
		want  bool // where the host was down before
	}{
		{"ffggg", false},
		{"ff-gg", true},
		{"f--gg", true},
		{"f-ggg", false},
		{"-----", true},
		{"gg---", false},
		{"f----", true},
		{"ddg--", true},
		{"d----", true},
		{"d-ggg", false},
		{"g", false},
		{"-", true},
		{"", true},
		{"bbbb", true},
		{"bbbg", false},
		{"bbfg-", true},
		{"a---", false},
	} {
		q := election(x.votes)
		q.Before = func(health.Target) bool { return true }
		if d := vote.Decide(q); (len(d.Down) == 1) != x.want {
			t.Errorf("%q: %+v, want down %v", x.votes, d, x.want)
		}
	}
}

// TestAbstain: an observer that is cut off does not count, nor one that is
// drained; where nobody counts, all stays as it was.
func TestAbstain(t *testing.T) {
	q := election("ffg", "ggg", "fff", "--f")
	report(q.Book, "a", "", vote.Failing)
	if d := vote.Decide(q); down(&d) != "h2" || d.Unseen != 0 {
		t.Errorf("%+v", d)
	}
	drain(q, "b", true)
	d := vote.Decide(q)
	if down(&d) != "h2 h3" || d.Unseen != 0 {
		t.Errorf("%+v", d)
	}
	report(q.Book, "b", "", vote.Failing)
	report(q.Book, "c", "", vote.Failing)
	if d = vote.Decide(q); down(&d) != "" || d.Unseen != 4 {
		t.Errorf("%+v", d)
	}
	q.Before = func(t health.Target) bool { return t.Host == "h2" || t.Host == "h0" }
	if d = vote.Decide(q); down(&d) != "h0 h2" {
		t.Errorf("%+v", d)
	}
}

func TestCap(t *testing.T) {
	q := election("ffd", "fff", "ggg", "fff", "fff", "gff")
	q.MaxDown = 0.5
	d := vote.Decide(q)
	if down(&d) != "h1 h3 h4" || len(d.Kept) != 2 {
		t.Errorf("those about which all are sure go first: %+v", d)
	}
	drain(q, "h2", false)
	if d = vote.Decide(q); down(&d) != "h1 h3" || !d.IsDrained("h2") || len(d.Drained) != 1 || len(d.Kept) != 3 {
		t.Errorf("orders have no cap, and half of the others may be down: %+v", d)
	}
	q = election("fff", "fff", "fff") // too few for a cap
	q.MaxDown = 0.5
	if d = vote.Decide(q); len(d.Down) != 3 {
		t.Errorf("%+v", d)
	}
}

// TestCapOfThoseThatServe: hosts without an address of the family leave no more
// room for others to be down.
func TestCapOfThoseThatServe(t *testing.T) {
	q := election("aaa", "fff", "aaa", "a-a", "fff", "fff", "agg", "fff")
	q.MaxDown = 0.5
	if d := vote.Decide(q); len(d.Down) != 2 || len(d.Kept) != 2 {
		t.Errorf("%+v", d)
	}
}

// TestCapTurns: what is down without votes enough to say otherwise stays so; then
// go those about which all are sure, then the rest, by their names.
func TestCapTurns(t *testing.T) {
	q := election("ggg", "ggg", "ffg", "ffg", "ggg", "f--")
	q.MaxDown = 0.5
	var d vote.Decision
	q.Before = func(t health.Target) bool { return slices.Contains(d.Down, t) || t.Host == "h5" }
	for i, want := range []string{"h2 h3 h5", "h0 h3 h5", "h0 h1 h5", "h0 h1 h5"} {
		for o := range 3 {
			name := string(rune('a' + o))
			switch i {
			case 1, 2:
				q.Book.Merge(&vote.Report{Observer: name, Host: q.Hosts[i-1].Name, Version: vote.Version{Incarnation: 1, Counter: 2}, Sights: vote.Sights{{State: vote.Failing}}})
			case 3:
				q.Book.Merge(&vote.Report{Observer: name, Host: "h2", Version: vote.Version{Incarnation: 1, Counter: 2}, Sights: vote.Sights{{State: vote.Good}}})
			}
		}
		if d = vote.Decide(q); down(&d) != want {
			t.Errorf("step %d: %+v, want %s", i, d, want)
		}
	}
}

// TestDecide decides at random, and checks what is promised: the cap, that the
// order of hosts does not matter, and that all that is called down has votes.
func TestDecide(t *testing.T) {
	countries := []string{"DE", "DE", "FR", "US", "US", "US"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		q := &vote.Question{Book: vote.NewBook("self"), Fall: 1 + r.IntN(3), MaxDown: []float64{0.2, 0.5, 1}[r.IntN(3)]}
		all := map[string]int{}
		for i := range 1 + r.IntN(30) {
			country := countries[r.IntN(len(countries))]
			h := vote.Host{
				Name: fmt.Sprintf("h%02d", i), Kinds: [health.Kinds]bool{true}, Country: geo.Country{country[0], country[1]},
				Continent: map[bool]geo.Continent{true: {'N', 'A'}, false: {'E', 'U'}}[country == "US"],
			}
			for o := range 1 + r.IntN(5) {
				h.Observers = append(h.Observers, string(rune('a'+o)))
				report(q.Book, string(rune('a'+o)), h.Name, vote.State(r.IntN(6)))
			}
			q.Hosts = append(q.Hosts, h)
		}
		if r.IntN(3) == 0 {
			report(q.Book, string(rune('a'+r.IntN(5))), "", vote.Failing)
		}
		d := vote.Decide(q)
		for i := range q.Hosts {
			if h := &q.Hosts[i]; slowExists(q, h) {
				all[string(h.Country[:])]++
				all[string(h.Continent[:])]++
			}
		}
		taken := map[string]int{}
		for _, target := range d.Down {
			h := q.Hosts[slices.IndexFunc(q.Hosts, func(h vote.Host) bool { return h.Name == target.Host })]
			taken[string(h.Country[:])]++
			taken[string(h.Continent[:])]++
			if f := q.Find(&h, 0); f != slowFind(q, &h) || !f.Down(q.Fall, false) {
				t.Fatalf("seed %d: %+v is down", seed, f)
			}
		}
		for area, n := range taken {
			if all[area] >= 4 && float64(n) > q.MaxDown*float64(all[area]) {
				t.Fatalf("seed %d: %d of %d down in %s, with %v", seed, n, all[area], area, q.MaxDown)
			}
		}
		if diff := cmp.Diff(d, vote.Decide(q)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// slowFind is the slow twin of Find.
func slowFind(q *vote.Question, h *vote.Host) vote.Finding {
	f := vote.Finding{Target: health.Kind(0).Of(h.Name)}
	for _, o := range h.Observers {
		if q.Book.Abstains(o, 0) {
			continue
		}
		state := q.Book.Sights(o, h.Name)[0].State
		if state == vote.Blind {
			continue
		}
		f.Observers++
		switch state {
		case vote.Absent:
			f.Votes, f.Absent = f.Votes+1, f.Absent+1
		case vote.Good:
			f.Votes++
		case vote.Doubtful:
			f.Votes, f.Against = f.Votes+1, f.Against+1
		case vote.Failing:
			f.Votes, f.Against, f.Firm = f.Votes+1, f.Against+1, f.Firm+1
		}
	}
	return f
}

// slowExists reports whether anybody thinks that there is such a target, or nobody knows.
func slowExists(q *vote.Question, h *vote.Host) bool {
	f := slowFind(q, h)
	return f.Votes == 0 || f.Votes > f.Absent
}

func BenchmarkDecide(b *testing.B) {
	q := &vote.Question{Book: vote.NewBook("self"), Fall: 2, MaxDown: 0.5}
	roll := vote.NewRoll(members(1000, 10))
	for i := range 1000 {
		h := vote.Host{Name: fmt.Sprint("host", i), Kinds: [health.Kinds]bool{true, true, true, true}}
		h.Observers = roll.Of(h.Name)
		for _, o := range h.Observers {
			s := vote.Sights{{State: vote.Good}, {State: vote.Good}, {State: vote.Good}, {State: vote.State(1 + i%20/19*2)}}
			q.Book.Merge(&vote.Report{Observer: o, Host: h.Name, Version: vote.Version{Incarnation: 1, Counter: 1}, Sights: s})
		}
		q.Hosts = append(q.Hosts, h)
	}
	for b.Loop() {
		vote.Decide(q)
	}
}
