package dns

import (
	"errors"
	"fmt"

	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/index"
)

// Check returns what is wrong with tailored names beside an index, a line for
// each, nil if nothing is: paths that are not there, names without any host.
// Call it when either changes; answers then are SERVFAIL or NODATA.
func Check(zs *zone.Zones, ix *index.Index) error {
	var problems []error
	for _, z := range zs.All() {
		for _, t := range z.Mirrors {
			if err := check(t, ix); err != nil {
				problems = append(problems, fmt.Errorf("zone %q: mirrors: %s: %w", z.Name, t.Name, err))
			}
		}
	}
	return errors.Join(problems...)
}

func check(t *zone.Tailored, ix *index.Index) error {
	target, ok := ix.Find(t.Path)
	if !ok {
		return fmt.Errorf("path: %s: the catalogue has no such content", t.Path)
	}
	l := lookup{name: t}
	l.query.Target = target
	if t.Types == zone.CNAME {
		return l.checkCNAME(ix)
	}
	if !l.exists(ix, nil, wire.TypeA) && !l.exists(ix, nil, wire.TypeAAAA) {
		return l.withoutAddress(ix)
	}
	return nil
}

// withoutAddress says why no host has an address for DNS answers: most often
// since the registry does not mark those that could be there.
func (l *lookup) withoutAddress(ix *index.Index) error {
	holders, unmarked := ix.Holders(l.query.Target.Directory), 0
	for h := holders.Next(0); h >= 0; h = holders.Next(h + 1) {
		if r := ix.Registered(uint32(h)); len(r.Addresses) > 0 && !r.DNS {
			unmarked++
		}
	}
	if unmarked == 0 {
		return errors.New("no host of this content has an address for DNS answers")
	}
	return fmt.Errorf("no host of this content is in DNS answers: %d have addresses, but not dns=true", unmarked)
}

// checkCNAME finds hosts that cannot be named because their URL has an address.
func (l *lookup) checkCNAME(ix *index.Index) error {
	var problems []error
	holders, named := ix.Holders(l.query.Target.Directory), false
	for h := holders.Next(0); h >= 0; h = holders.Next(h + 1) {
		n := uint32(h)
		for _, u := range ix.URLs(l.query.Target.Category, n) {
			if u.Scheme&index.Web == 0 {
				continue
			}
			if _, ok := wire.AppendHost(nil, hostOf(u.Base)); !ok {
				problems = append(problems, fmt.Errorf("host %q: %s has no host name that a CNAME could lead to", ix.Registered(n).Name, u.Base))
				continue
			}
			named = true
		}
	}
	if !named {
		problems = append(problems, errors.New("no host of this content has a URL with a host name"))
	}
	return errors.Join(problems...)
}
