package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Certificate says in a few words what is wrong with a server's certificate,
// "" if err is of another kind.
func Certificate(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var other *tls.CertificateVerificationError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired or not yet valid"
	case errors.As(err, &invalid):
		return "invalid: " + invalid.Error()
	case errors.As(err, &name):
		return "for another name"
	case errors.As(err, &authority):
		return "signed by an unknown authority"
	case errors.As(err, &other):
		return "not verified: " + other.Err.Error()
	}
	return ""
}
