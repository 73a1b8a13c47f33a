package probe

import (
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// A prober whose [Config.Tell] is set is one of several that share the work and
// decide together. It probes what it is assigned, tells what it sees, and
// decides nothing by itself.

// Assign tells which hosts to probe from now on, and at which turn of how many
// within the interval: the observers of a target take turns. All edges count
// turns by their own clocks; where these differ, turns come less evenly, and
// nothing else changes. Before the first call, and for nil, all hosts are
// probed. What is no longer probed is told as unseen.
func (p *Prober) Assign(of func(host string) (turn, turns int, mine bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.assigned = of
	p.replan(time.Now())
}

// Retell has all that this edge sees told again, what it has inherited, too.
func (p *Prober) Retell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tellAll()
	p.wake()
}

func (p *Prober) tellAll() {
	for _, t := range p.targets {
		p.tell(t)
	}
}

// phases returns what this edge is to probe, and when within the interval.
func (p *Prober) phases() map[health.Target]time.Duration {
	shifts := map[string]time.Duration{} // by host; negative: others probe it
	phases := make(map[health.Target]time.Duration, len(p.plans))
	for name := range p.plans {
		shift, known := shifts[name.Host]
		if !known {
			shift = p.shift(name.Host)
			shifts[name.Host] = shift
		}
		if shift >= 0 {
			phases[name] = (phaseOf(name, p.config.Interval) + shift) % p.config.Interval
		}
	}
	return phases
}

// shift returns by how much this edge's turn is later than the first one of the
// host; negative if it has none.
func (p *Prober) shift(host string) time.Duration {
	if p.assigned == nil {
		return 0
	}
	turn, turns, mine := p.assigned(host)
	if !mine {
		return -1
	}
	return p.config.Interval * time.Duration(turn) / time.Duration(max(turns, 1))
}

// Look has a target probed within a second, for it fails as others see it: by
// GET, for that may be how they saw it. Where this edge has seen it fail too, it
// is on its way already.
func (p *Prober) Look(name health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.targets[name]
	if t == nil || t.failing || t.streak > 0 {
		return
	}
	t.brief = t.plan.every()
	if due := t.seen.Add(p.config.retry()); t.at >= 0 && due.Before(t.due) {
		p.wait(t, due, seconds)
		p.wake()
	}
}

// Confirm makes a target fail for good whose last probe failed: others have
// seen it too, and it is down.
func (p *Prober) Confirm(name health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.targets[name]; t != nil && !t.failing && t.streak > 0 {
		t.turn(true, time.Now())
		p.tell(t)
		p.wake()
	}
}

// Doubt has all targets probed anew, within a tenth of the interval, and
// abstains from each kind until all of its targets are.
func (p *Prober) Doubt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, t := range p.targets {
		if !t.doubted {
			t.doubted = true
			p.kinds[t.kind()].doubted++
		}
		if due := now.Add(t.phase / 10); t.at >= 0 && due.Before(t.due) {
			t.hasten(due)
		}
	}
	p.wake()
}

// settled notes that a target is not in doubt any more.
func (p *Prober) settled(t *target) {
	if t.doubted {
		t.doubted = false
		p.kinds[t.kind()].doubted--
	}
}

// wake has Run look what is due, and to be told.
func (p *Prober) wake() {
	select {
	case p.updated <- struct{}{}:
	default: // Run has not yet seen the one before: it will see both
	}
}

// tell notes what is to be told of a target. A result that says nothing of the
// host changes nothing.
func (p *Prober) tell(t *target) {
	if p.config.Tell == nil || t.probed() && !t.gone && t.exists() && !t.result.Verdict.settles() {
		return
	}
	p.seen = append(p.seen, vote.Seen{Target: t.name, Sight: t.sight()})
}

// sight returns what this edge sees of a target.
func (t *target) sight() vote.Sight {
	switch {
	case t.gone || !t.probed():
		return vote.Sight{}
	case !t.exists(): // what nobody can reach is not down
		return vote.Sight{State: vote.Absent, Verdict: uint8(t.result.Verdict)}
	case !t.counts():
		return vote.Sight{State: vote.Blind, Verdict: uint8(t.result.Verdict)}
	}
	s := vote.Sight{
		State: vote.Good, Verdict: uint8(t.result.Verdict), RoundTrip: t.trips.millis(),
	}
	switch {
	case t.failing:
		s.State = vote.Failing
	case t.streak > 0:
		s.State = vote.Doubtful
	}
	return s
}

// share tells what is to be told. It is called from the goroutine of Run only.
func (p *Prober) share() {
	if p.config.Tell == nil {
		return
	}
	p.mu.Lock()
	var abstains [health.Kinds]bool
	for k := range p.kinds {
		abstains[k] = p.kinds[k].abstaining || p.kinds[k].doubted > 0 || p.kinds[k].unable
	}
	changed := abstains != p.told
	if changed { // what was seen meanwhile counts now, or no longer
		p.tellAll()
	}
	seen := p.seen
	p.seen, p.told = nil, abstains
	p.mu.Unlock()
	if changed || len(seen) > 0 {
		p.config.Tell(seen, abstains)
	}
}

// Hosts returns all hosts that may be probed, by whomever, by name: what votes
// decide on.
func (p *Prober) Hosts() []vote.Host {
	p.mu.Lock()
	plans := p.plans
	p.mu.Unlock()
	return hostsOf(plans)
}

// Hosts returns the hosts of an index that may be probed, for an edge that does
// not probe itself. It costs as much as [Prober.Update].
func Hosts(ix *index.Index) []vote.Host { return hostsOf(plansFor(ix)) }

func hostsOf(plans map[health.Target]plan) []vote.Host {
	at := map[string]int{}
	var hosts []vote.Host
	for name, how := range plans {
		i, ok := at[name.Host]
		if !ok {
			i = len(hosts)
			at[name.Host] = i
			hosts = append(hosts, vote.Host{Name: name.Host, Country: how.country, Continent: how.continent})
		}
		hosts[i].Kinds[name.Kind()] = true
	}
	slices.SortFunc(hosts, func(a, b vote.Host) int { return strings.Compare(a.Name, b.Name) })
	return hosts
}
