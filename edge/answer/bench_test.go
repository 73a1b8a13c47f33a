package answer_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// asked is a client and what it asks for.
type asked struct {
	client netip.Addr
	path   []byte
	target index.Target
	random uint64
}

// draw returns n clients, each with a directory, a third with a known file.
func draw(in index.Inputs, ix *index.Index, n int) []asked {
	r := rand.New(rand.NewPCG(1, 'A'))
	out := make([]asked, 0, n)
	for _, a := range synth.Clients(in, 1, n) {
		dir := uint32(r.IntN(ix.Directories()))
		path := []byte(in.Snapshot.Directories[dir].Path)
		if from, to := in.Snapshot.Files.In(dir); to > from {
			path = append(append(path, '/'), in.Snapshot.Files.Name(from)...)
		}
		target, _ := ix.Find(path)
		out = append(out, asked{a, path, target, r.Uint64()})
	}
	return out
}

// someDown returns a state in which one host in twenty is down.
func someDown(ix *index.Index) *health.State {
	var down []health.Target
	for h := uint32(0); h < uint32(ix.Hosts()); h += 20 {
		for _, f := range []index.Family{index.V4, index.V6} {
			down = append(down,
				health.Target{Host: ix.Registered(h).Name, Scheme: index.HTTP, Family: f},
				health.Target{Host: ix.Registered(h).Name, Scheme: index.HTTPS, Family: f})
		}
	}
	return health.New(ix, down)
}

// BenchmarkAnswer asks: what does one answer cost at 450 hosts × 60,000
// directories, with clients of all countries and a twentieth of the hosts down?
func BenchmarkAnswer(b *testing.B) {
	in := synth.Inputs(synth.Fedora())
	ix := index.Compile(in)
	view := &answer.View{Index: ix, Health: someDown(ix)}
	all := draw(in, ix, 1<<14)
	run := func(name string, query func(*asked) answer.Query) {
		b.Run(name, func(b *testing.B) {
			var a answer.Answer
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q := query(&all[i%len(all)])
				view.Answer(&q, &a)
			}
		})
	}
	run("redirect", redirect)
	run("DNS", dns)
	run("list", func(x *asked) answer.Query {
		return answer.Query{Client: x.client, Target: x.target, List: true, Random: x.random}
	})
	b.Run("find path", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ix.Find(all[i%len(all)].path)
		}
	})
}

func redirect(x *asked) answer.Query {
	return answer.Query{
		Client: x.client, Target: x.target, Random: x.random,
		Schemes: index.Web, Reach: index.FamilyOf(x.client), Count: 6,
	}
}

func dns(x *asked) answer.Query {
	return answer.Query{Client: x.client, Target: x.target, Record: index.V4, Sticky: true, Count: 2}
}

// BenchmarkCompile asks: how long does a swap to new data take?
func BenchmarkCompile(b *testing.B) {
	in := synth.Inputs(synth.Fedora())
	for b.Loop() {
		index.Compile(in)
	}
}
