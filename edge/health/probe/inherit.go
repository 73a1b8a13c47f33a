package probe

import (
	"slices"

	"github.com/waypost/waypost/edge/health"
)

// Failing returns the targets that are failing by rise and fall, for the prober
// of the next process of this edge.
func (p *Prober) Failing() (all []health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, t := range p.targets {
		if t.failing {
			all = append(all, name)
		}
	}
	slices.SortFunc(all, compareTargets)
	return all
}

// Inherit has these targets begin as failing ones: the process before has seen
// it, and clients must not be sent there until this one has, too. Call it before
// the first Update.
func (p *Prober) Inherit(failing []health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inherited = map[health.Target]bool{}
	for _, name := range failing {
		p.inherited[name] = true
	}
}
