package dns

import "github.com/waypost/waypost/edge/statistics"

// tally counts a tailored answer: by the country of the client subnet, where
// there is one, else that of the resolver.
func (w *Work) tally(kind statistics.Kind) {
	l := &w.lookup
	if l.view == nil {
		return
	}
	l.view.Counter.Add(&statistics.Event{
		Kind: kind, Country: w.answer.Place.Country, Host: l.host,
		Category: l.query.Target.Category, Directory: l.query.Target.Directory,
	})
}
