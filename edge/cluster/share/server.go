package share

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// server returns what answers peers.
func (s *Share) server() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/manifest", s.serveLatest)
	mux.HandleFunc("GET /v1/manifest/{sha256}", s.serveManifest)
	mux.HandleFunc("GET /v1/sections/{sha256}", s.serveSection)
	config := s.ring.tls()
	config.NextProtos = []string{"http/1.1"}
	return &http.Server{
		Handler: s.peersOnly(mux), TLSConfig: config, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ReadHeaderTimeout: handshake, IdleTimeout: idle, MaxHeaderBytes: 8 << 10, ErrorLog: log.New(&sink{s}, "", 0),
		ConnState: admitActive,
	}
}

// A sink counts handshakes that failed, but for those that made room for others:
// the server only logs them. Anybody can cause them as often as they like, so there
// is no log of them.
type sink struct{ s *Share }

// Write takes a line.
func (k *sink) Write(line []byte) (int, error) {
	switch {
	case !bytes.Contains(line, []byte("TLS handshake error")):
		k.s.Log.Debug("sharing snapshots: " + string(bytes.TrimSpace(line)))
	case !bytes.Contains(line, []byte(net.ErrClosed.Error())):
		k.s.counters.refused.Add(1)
	}
	return len(line), nil
}

// peersOnly answers only those whose key still counts: a connection may be older
// than the ring is now.
func (s *Share) peersOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || s.ring.knows(r.TLS) != nil || r.ContentLength != 0 {
			s.counters.refused.Add(1)
			w.Header().Set("Connection", "close")
			http.Error(w, "the keys of this cluster have changed", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Share) serveLatest(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, 0, http.StatusNotFound, func() ([]byte, <-chan struct{}) { return s.Holder.Latest(), nil })
}

func (s *Share) serveManifest(w http.ResponseWriter, r *http.Request) {
	hash, wait, err := parseRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.serve(w, r, wait, http.StatusNotFound, func() ([]byte, <-chan struct{}) { return s.Holder.Manifest(hash) })
}

func (s *Share) serveSection(w http.ResponseWriter, r *http.Request) {
	hash, wait, err := parseRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.serve(w, r, wait, http.StatusServiceUnavailable, func() ([]byte, <-chan struct{}) { return s.Holder.Section(hash) })
}

// parseRequest returns what is asked for, and for how long it can be waited for.
func parseRequest(r *http.Request) (hash wire.Hash, wait time.Duration, err error) {
	if hash, err = wire.ParseHash(r.PathValue("sha256")); err != nil {
		return hash, 0, err
	}
	text, ok := strings.CutPrefix(r.URL.RawQuery, "wait=")
	if !ok {
		return hash, 0, nil
	}
	wait, err = time.ParseDuration(text)
	if err != nil || wait < 0 {
		return hash, 0, fmt.Errorf("wait: want a time such as 10s, got %.40q", text)
	}
	return hash, min(wait, longestWait), nil
}

// serve answers with what find returns. While that is nothing, but a channel, it
// waits for that, and at last answers with the status late. What it sends is in
// memory only while it is sent.
func (s *Share) serve(w http.ResponseWriter, r *http.Request, wait time.Duration, late int, find func() ([]byte, <-chan struct{})) {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	for {
		sent, coming := s.try(w, r, find)
		switch {
		case sent:
			return
		case coming == nil:
			http.Error(w, "it is not here", http.StatusNotFound)
			return
		}
		select {
		case <-coming:
		case <-ctx.Done():
			http.Error(w, "it is not here yet", late)
			return
		}
	}
}

// try sends what is there, when it is this answer's turn.
func (s *Share) try(w http.ResponseWriter, r *http.Request, find func() ([]byte, <-chan struct{})) (sent bool, coming <-chan struct{}) {
	free := s.sending.take(r.Context(), addressOf(r))
	if free == nil {
		return true, nil // nobody is there any more
	}
	defer free()
	b, coming := find()
	if len(b) == 0 {
		return false, coming
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWithin + time.Duration(len(b)/slowest)*time.Second))
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	n, _ := w.Write(b) // the peer may have gone
	s.counters.bytes.Add(uint64(n))
	if strings.HasPrefix(r.URL.Path, "/v1/sections/") {
		s.counters.sections.Add(1)
	} else {
		s.counters.manifests.Add(1)
	}
	return true, nil
}
