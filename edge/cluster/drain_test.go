package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// TestOrdersAreLogged: each order is logged when it comes into force and when it
// ends, with who gave it, and what it takes out is not said to fail.
func TestOrdersAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		c := &Cluster{
			Options: Options{Name: "edge1", Log: log.logger()}, council: newCouncil("edge1", 2, 1), queue: newQueue(func() int { return 1 }),
			members: map[string]*member{"edge1": {name: "edge1", alive: true}, "edge2": {name: "edge2", alive: true}},
			dirty:   make(chan struct{}, 1), ordered: make(chan struct{}, 1),
		}
		c.Verdict = func(v uint8) string { return fmt.Sprint("verdict", v) }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.decide(ctx) }()
		c.council.setMembers([]vote.Member{{Name: "edge1"}})
		c.SetHosts(hosts("h1"))
		steps := []struct {
			name string
			do   func() error
			want []string // patterns of all lines
		}{
			{"drain", func() error { return c.Drain("h1", false, time.Hour, false) }, []string{
				`INFO msg="drained by order" host=h1 by=edge1 for=1h0m0s`,
			}},
			{"once", func() error { c.SetHosts(hosts("h1")); return nil }, nil},
			{"for longer", func() error { return c.Drain("h1", false, 2*time.Hour, false) }, []string{`INFO msg="drained by order" host=h1 by=edge1 for=2h0m0s`}},
			{"undrain", func() error { return c.Undrain("h1", false) }, []string{
				`INFO msg="no longer drained: taken back by order" host=h1 by=edge1`,
			}},
			{"an edge", func() error { return c.Drain("edge2", true, time.Minute, false) }, []string{`INFO msg="drained by order" edge=edge2 by=edge1 for=1m0s`}},
			{"it ends", func() error { time.Sleep(2 * time.Minute); return nil }, []string{`INFO msg="no longer drained: the time of the order is over" edge=edge2`}},
			{"it fails", func() error {
				c.See([]vote.Seen{{Target: health.Kind(0).Of("h1"), Sight: vote.Sight{State: vote.Failing, Verdict: 7}}}, [health.Kinds]bool{})
				return nil
			}, []string{`WARN msg="mirror is down" host=h1 kind=.* observers=1 votes=1 against=1 verdict=verdict7 seen_by=edge1`}},
			{"it is back", func() error {
				c.See([]vote.Seen{{Target: health.Kind(0).Of("h1"), Sight: vote.Sight{State: vote.Good, Verdict: 1}}}, [health.Kinds]bool{})
				return nil
			}, []string{`INFO msg="mirror is up" host=h1 kind=.* observers=1 votes=1 against=0`}},
		}
		for _, x := range steps {
			synctest.Wait()
			before := len(log.String())
			if err := x.do(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			got := strings.Split(strings.TrimSpace(log.String()[before:]), "\n")
			if want := "^(time=.*level=" + strings.Join(x.want, "\n)(time=.*level=") + "\n)$"; len(x.want) == 0 && got[0] != "" ||
				len(x.want) > 0 && !regexp.MustCompile(want).MatchString(log.String()[before:]) {
				t.Errorf("%s: logged %q, want %q", x.name, got, x.want)
			}
		}
		stop()
		<-done
	})
}

// TestLastEdge: one edge is left that answers clients, unless an operator insists.
func TestLastEdge(t *testing.T) {
	c := &Cluster{
		Options: Options{Name: "edge1", Log: slog.New(slog.DiscardHandler)}, council: newCouncil("edge1", 2, 1), queue: newQueue(func() int { return 1 }),
		members: map[string]*member{
			"edge1": {name: "edge1", alive: true}, "edge2": {name: "edge2", alive: true},
			"edge3": {name: "edge3"}, "edge4": {name: "edge4", alive: true, meta: Meta{Leaving: true}},
		},
	}
	for _, x := range []struct {
		edge  string
		force bool
		want  string
	}{
		{"edge3", false, ""},
		{"edge2", false, ""},
		{"edge2", false, ""}, // for longer
		{"edge1", false, `"edge1" is the last edge that is alive and not drained`},
		{"edge1", true, ""},
		{"edge1", false, ""},
	} {
		err := c.Drain(x.edge, true, time.Hour, x.force)
		if (err == nil) != (x.want == "") || !strings.Contains(fmt.Sprint(err), x.want) {
			t.Errorf("%s: %v, want %q", x.edge, err, x.want)
		}
	}
}

// TestCause: what most of those say counts whose votes count, and the first of them is named.
func TestCause(t *testing.T) {
	c := newCouncil("a", 2, 1)
	for name, sight := range map[string]vote.Sight{
		"a": {State: vote.Failing, Verdict: 6}, "b": {State: vote.Doubtful, Verdict: 7}, "c": {State: vote.Failing, Verdict: 7},
		"d": {State: vote.Good, Verdict: 1}, "e": {State: vote.Failing, Verdict: 6}, "f": {State: vote.Failing, Verdict: 6},
	} {
		book := vote.NewBook(name)
		r, _ := book.Say("h", vote.Sights{sight})
		c.hear(&vote.Message{Reports: []vote.Report{r}}, time.Now())
		if name == "e" {
			r, _ = book.Say("", vote.Sights{{State: vote.Failing}}) // it abstains
			c.hear(&vote.Message{Reports: []vote.Report{r}}, time.Now())
		}
	}
	c.see([]vote.Seen{{Target: health.Kind(0).Of("h"), Sight: vote.Sight{State: vote.Failing, Verdict: 6}}}, [health.Kinds]bool{})
	c.order(time.Now(), vote.Drain{Edge: true, Name: "f", On: true, Left: time.Hour})
	h := vote.Host{Name: "h", Observers: []string{"a", "b", "c", "d", "e", "f"}}
	if verdict, observer := c.question(time.Now()).cause(&h, 0); verdict != 7 || observer != "b" {
		t.Errorf("%d, %s", verdict, observer)
	}
	if _, observer := c.question(time.Now()).cause(&h, 1); observer != "" {
		t.Errorf("%s is against nothing", observer)
	}
}
