package node

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/cluster/vote"
)

// clusterPages are the pages of an edge of a cluster. Parameters of orders come
// in the query or, as curl -d sends them, in the body.
func (n *Node) clusterPages(all *http.ServeMux) {
	if n.config.Cluster == nil {
		return
	}
	mux := http.NewServeMux()
	there := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.peers.cluster() == nil {
			why := "the process before has yet to leave the cluster to this one"
			if n.isAlone() {
				why = "this edge cannot begin with the cluster, the log says why; it is tried again"
			}
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	})
	all.Handle("/cluster", there)
	all.Handle("/cluster/", there)
	show := func(path string, page func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { writePage(w, page()) })
	}
	drains, keys := func() any { return n.peers.cluster().Drains() }, func() any { return n.peers.cluster().Keys() }
	show("/cluster", func() any { return n.peers.cluster().Status() })
	show("/cluster/keys", keys)
	if n.sharing.Share != nil {
		show("/cluster/share", func() any { return n.sharing.Status() })
	}
	mux.HandleFunc("GET /cluster/votes", n.votesPage)
	order := func(path string, do func(p url.Values) error, then func() any) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := obey(r, do); err != nil {
				refuse(w, err)
				return
			}
			writePage(w, then())
		})
	}
	order("/cluster/drain", n.drain, drains)
	order("/cluster/undrain", n.undrain, drains)
	order("/cluster/keys/use", func(p url.Values) error { return onKey(p, n.peers.cluster().UseKey) }, keys)
	order("/cluster/keys/remove", func(p url.Values) error { return onKey(p, n.peers.cluster().RemoveKey) }, keys)
}

// votesPage shows the votes on the host= of a request.
func (n *Node) votesPage(w http.ResponseWriter, r *http.Request) {
	votes, err := n.peers.cluster().Votes(r.URL.Query().Get("host"))
	if err != nil {
		http.Error(w, "host: "+err.Error(), http.StatusNotFound)
		return
	}
	writePage(w, votes)
}

// misput marks an error in the parameters of an order. Other errors are of
// what it asks for.
type misput struct{ error }

// obey does what the parameters of a request order.
func obey(r *http.Request, do func(p url.Values) error) error {
	if err := r.ParseForm(); err != nil {
		return misput{err}
	}
	return do(r.Form)
}

// refuse answers an order that was not obeyed.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusConflict
	if errors.As(err, new(misput)) {
		status = http.StatusBadRequest
	}
	http.Error(w, err.Error(), status)
}

// drain drains the host= or the votes of the edge=, for= a time.
func (n *Node) drain(p url.Values) error {
	name, edge, err := drainee(p)
	if err != nil {
		return err
	}
	d, err := parsePeriod(p.Get("for"))
	if err != nil || d <= 0 || d > vote.MaxDrain {
		return misput{fmt.Errorf("for: want a time such as 2h30m or 2d, up to 30d, got %.60q", p.Get("for"))}
	}
	if !edge && !n.hasHost(name) {
		return fmt.Errorf("there is no host %.60q", name)
	}
	return n.peers.cluster().Drain(name, edge, d, p.Has("force"))
}

// undrain takes the host= or the edge= back in.
func (n *Node) undrain(p url.Values) error {
	name, edge, err := drainee(p)
	if err != nil {
		return err
	}
	return n.peers.cluster().Undrain(name, edge)
}

// drainee returns the host or the edge that parameters name.
func drainee(p url.Values) (name string, edge bool, err error) {
	if p.Has("host") == p.Has("edge") {
		return "", false, misput{errors.New("want host= or edge=, one of them")}
	}
	return p.Get("host") + p.Get("edge"), p.Has("edge"), nil
}

// onKey does something with the key=.
func onKey(p url.Values, do func(id cluster.KeyID, force bool) error) error {
	id, err := cluster.ParseKeyID(p.Get("key"))
	if err != nil {
		return misput{fmt.Errorf("key: %w", err)}
	}
	return do(id, p.Has("force"))
}

// parsePeriod parses a time as [time.ParseDuration] does, which may begin with
// days, such as 2d or 1d12h.
func parsePeriod(text string) (time.Duration, error) {
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("want a number of days before d, got %.20q", days)
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

// A period is a flag with a time that [parsePeriod] reads.
type period time.Duration

// UnmarshalText parses a time.
func (p *period) UnmarshalText(text []byte) error {
	d, err := parsePeriod(string(text))
	if err != nil {
		return errors.New("want a time such as 6h or 2d")
	}
	*p = period(d)
	return nil
}
