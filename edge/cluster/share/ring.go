package share

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"sync"
	"time"
)

// serverName is what all edges are called in TLS; it means nothing.
const serverName = "edge.waypost.internal"

// derived is what keys are derived for.
const derived = "waypost share: Ed25519 key for TLS, 1"

var (
	errNoKeys   = errors.New("want a key of the gossip (cluster.key_files): private mirrors are in snapshots")
	errStranger = errors.New("it has no key of this cluster")
)

// A ring makes certificates of the keys of the gossip. It is safe for any number
// of goroutines.
type ring struct {
	keys func() [][]byte

	mu   sync.Mutex
	made identities // guarded by mu
}

// identities are what the keys of a ring give. They do not change.
type identities struct {
	of     [][]byte            // keys
	own    *tls.Certificate    // of the first
	public []ed25519.PublicKey // of all
}

// current returns what the keys give that count now.
func (r *ring) current() (identities, error) {
	keys := r.keys()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(keys) == 0 {
		return identities{}, errNoKeys
	}
	if slices.EqualFunc(keys, r.made.of, bytes.Equal) {
		return r.made, nil
	}
	var made identities
	for i, key := range keys {
		private, err := derive(key)
		if err != nil {
			return made, err
		}
		if i == 0 {
			if made.own, err = certificate(private); err != nil {
				return made, err
			}
		}
		made.of = append(made.of, bytes.Clone(key))
		made.public = append(made.public, public(private))
	}
	r.made = made
	return made, nil
}

// derive returns the key pair that a key of the gossip gives.
func derive(key []byte) (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, key, nil, derived, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func public(key ed25519.PrivateKey) ed25519.PublicKey {
	p, _ := key.Public().(ed25519.PublicKey)
	return p
}

// certificate returns a certificate of a key. Nobody looks at more of it than
// the key; it is the same at all edges.
func certificate(key ed25519.PrivateKey) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, section 4.1.2.5: never
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// knows returns nil if the other side of a connection has proven to have one of
// the keys. TLS has verified its signature over the handshake.
func (r *ring) knows(c *tls.ConnectionState) error {
	now, err := r.current()
	if err != nil {
		return err
	}
	if len(c.PeerCertificates) == 0 {
		return errStranger
	}
	key, ok := c.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || !slices.ContainsFunc(now.public, func(p ed25519.PublicKey) bool { return p.Equal(key) }) {
		return errStranger
	}
	return nil
}

// tls returns how both sides speak TLS. Nothing is resumed: a key that is no
// longer in the ring must not open a session once more.
func (r *ring) tls() *tls.Config {
	own := func() (*tls.Certificate, error) {
		now, err := r.current()
		return now.own, err
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		ServerName:             serverName,
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, //nolint:gosec // there is no authority: VerifyConnection wants one of a few keys
		VerifyConnection:       func(c tls.ConnectionState) error { return r.knows(&c) },
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own() },
		GetClientCertificate:   func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own() },
	}
}
