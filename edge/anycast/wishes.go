package anycast

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire/durable"
)

// wishes are what operators ordered, by prefix. They are kept in a file, so
// that an edge which is out for maintenance stays out when it is restarted.
type wishes map[netip.Prefix]order

type order struct {
	Forced bool `json:"forced,omitempty"` // though no other edge announces it
}

func (w wishes) of(p netip.Prefix) wish {
	if _, ok := w[p]; ok {
		return drain
	}
	return run
}

func (w wishes) forced(p netip.Prefix) bool { return w[p].Forced }

// readWishes reads the file; none is no wish.
func readWishes(file string) (wishes, error) {
	text, err := os.ReadFile(file) //nolint:gosec // in the data folder
	if errors.Is(err, os.ErrNotExist) {
		return wishes{}, nil
	}
	if err != nil {
		return nil, err
	}
	var out struct{ Drained wishes }
	if err = json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("reading %s, which has the prefixes that are drained: %w", file, err)
	}
	if out.Drained == nil {
		out.Drained = wishes{}
	}
	return out.Drained, nil
}

func (w wishes) write(file string) error {
	text, err := json.Marshal(struct{ Drained wishes }{w})
	if err != nil {
		return err
	}
	return durable.WriteFile(file, append(text, '\n'), 0o600)
}

// ErrLast says that no other edge that the cluster knows announces a prefix.
var ErrLast = errors.New("no other edge announces it")

// Drain has prefixes drained and then withdrawn until [Keeper.Resume]; none
// means all. Those that no other edge announces stay, and make it an error,
// unless force is given. Nothing is changed where there is an error.
func (k *Keeper) Drain(force bool, prefixes ...netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	prefixes, err := k.known(prefixes)
	if err != nil {
		return err
	}
	var others []Other
	if k.Others != nil {
		others = k.Others()
	}
	for _, p := range prefixes {
		if k.outlook(p, others, false).last && !force && k.machines[p].state == Up {
			err = errors.Join(err, fmt.Errorf("draining %s: %w", p, ErrLast))
		}
	}
	if err != nil {
		return err
	}
	return k.change(func(w wishes) {
		for _, p := range prefixes {
			w[p] = order{Forced: force}
		}
	})
}

// Resume takes orders to drain prefixes back; none means all.
func (k *Keeper) Resume(prefixes ...netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	prefixes, err := k.known(prefixes)
	if err != nil {
		return err
	}
	return k.change(func(w wishes) {
		for _, p := range prefixes {
			delete(w, p)
		}
	})
}

// change changes the wishes and keeps them.
func (k *Keeper) change(how func(wishes)) error {
	changed := maps.Clone(k.wishes)
	how(changed)
	if err := changed.write(k.File); err != nil {
		return err
	}
	k.wishes = changed
	k.decide(time.Now())
	return nil
}

// known returns all prefixes for none, and an error for one that is not ours.
func (k *Keeper) known(prefixes []netip.Prefix) ([]netip.Prefix, error) {
	if len(prefixes) == 0 {
		return k.Config.Prefixes, nil
	}
	for _, p := range prefixes {
		if !slices.Contains(k.Config.Prefixes, p) {
			return nil, fmt.Errorf("%s is no service prefix; want one of %v", p, k.Config.Prefixes)
		}
	}
	return prefixes, nil
}
