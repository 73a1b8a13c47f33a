package pages

import "fmt"

// Repositories returns the repositories, and which of them a mirror holds.
func (c carried) Repositories() (list []held) {
	for i, o := range c.offers {
		list = append(list, held{o.Name, o.Arch, o.Path, c.has(i)})
	}
	return list
}

// has reports whether a mirror holds a repository.
func (c carried) has(i int) bool { return c.Always || c.here != nil && c.here[i] }

// Here returns how many of its repositories a mirror holds.
func (c carried) Here() (n int) {
	for i := range c.offers {
		if c.has(i) {
			n++
		}
	}
	return n
}

// only returns c with those of its repositories that are wanted.
func (c carried) only(wanted func(offer) bool) carried {
	all := c
	c.offers, c.here = nil, nil
	for i, o := range all.offers {
		if wanted(o) {
			c.offers, c.here = append(c.offers, o), append(c.here, all.has(i))
		}
	}
	return c
}

// Health is what is known of a mirror's copy, in a word for the stylesheet.
func (c carried) Health() string {
	switch here := c.Here(); {
	case c.Always:
		return "good"
	case c.Out:
		return "bad"
	case c.Seen.IsZero():
		return "unknown"
	case here < len(c.offers) && here > 0:
		return "partial"
	case here == 0 && len(c.offers) > 0, !c.Any:
		return "bad"
	}
	return "good"
}

// State says the same in words.
func (c carried) State() string {
	switch health := c.Health(); {
	case health == "bad" && c.Out:
		return "out of order"
	case health == "unknown":
		return "not checked yet"
	case health == "partial":
		return fmt.Sprintf("%d of %s", c.Here(), count(len(c.offers), "repository"))
	case health == "bad":
		return "out of date"
	}
	return "up to date"
}
