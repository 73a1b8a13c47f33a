package pages

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts keeps people from guessing passwords: each account, whether there is
// one or not, and each network has so many tries in a time, which come back
// evenly. It is for any number of goroutines.
type attempts struct {
	mu    *sync.Mutex
	spent map[string]*rate.Limiter // guarded by mu
	work  chan struct{}            // one slot for each password that may be hashed at a time
}

const (
	tries      = 10
	triesEvery = time.Minute // one comes back
	maxTried   = 50_000      // accounts and networks that are remembered
	hashing    = 2
)

func newAttempts() attempts {
	return attempts{mu: &sync.Mutex{}, spent: map[string]*rate.Limiter{}, work: make(chan struct{}, hashing)}
}

// allow takes a try of the account and of the network.
func (a attempts) allow(account string, from netip.Addr, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.spent) >= maxTried {
		a.forget(now)
	}
	byAccount, byNetwork := a.of("account "+account), a.of("network "+network(from))
	if byAccount.TokensAt(now) < 1 || byNetwork.TokensAt(now) < 1 {
		return false
	}
	return byAccount.AllowN(now, 1) && byNetwork.AllowN(now, 1)
}

// of returns what is left of a key's tries. mu is held.
func (a attempts) of(key string) *rate.Limiter {
	l, ok := a.spent[key]
	if !ok {
		l = rate.NewLimiter(rate.Every(triesEvery), tries)
		a.spent[key] = l
	}
	return l
}

// forget makes room: first what has come back, then whatever comes first. mu is held.
func (a attempts) forget(now time.Time) {
	for key, l := range a.spent {
		if l.TokensAt(now) >= tries {
			delete(a.spent, key)
		}
	}
	for key := range a.spent {
		if len(a.spent) < maxTried/2 {
			return
		}
		delete(a.spent, key)
	}
}

// good gives an account its tries back: its password was right.
func (a attempts) good(account string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.spent, "account "+account)
}

// network returns what counts as one client: an IPv4 address, or the /64 of an
// IPv6 address, which is what one subscriber has at least.
func network(a netip.Addr) string {
	if !a.Is6() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
