package probe

import "time"

// A Verdict is what one probe found. The zero value says that there was none yet.
type Verdict uint8

// The verdicts. Edges tell one another their numbers: new ones go to the end.
// [Verdict.Failed] says which of them count against a host.
const (
	Unknown   Verdict = iota // not probed yet
	OK                       // answered as a mirror should
	NoAddress                // the host's name has no address of the family, but has one of the other
	Local                    // this machine could not try: no address of the family, no free socket
	NoRoute                  // network unreachable; where all targets of a kind say so, it is this machine's fault
	NoName                   // the host's name was not resolved
	Refused                  // no connection, and a clear no
	Timeout                  // no answer within the time for one file, at whatever stage
	TLS                      // the handshake failed, but not over the certificate
	Untrusted                // the certificate is for another name or from an unknown authority
	Expired                  // the certificate has expired or is not valid yet
	Protocol                 // the answer was not HTTP, or broke off
	BadStatus                // a status that means no content: 5xx, 401, a file's 403 …
	Missing                  // 404 or 410: the content is not where it should be
	WrongSize                // the file has another size than the one that is known, or it cannot be found out
	Elsewhere                // redirects to another host, or from https to http
	Soft404                  // a page with a status of success in place of a file, or of whatever is asked for
	Verdicts                 // how many there are
)

// String returns the verdict's name, as metrics and logs have it.
func (v Verdict) String() string {
	names := [Verdicts]string{
		"unknown", "ok", "no_address", "local", "no_route", "no_name", "refused", "timeout", "tls",
		"untrusted", "expired", "protocol", "bad_status", "missing", "wrong_size", "elsewhere", "soft_404",
	}
	if int(v) >= len(names) {
		return "invalid"
	}
	return names[v]
}

// Failed reports whether the verdict counts against the host.
func (v Verdict) Failed() bool { return v >= NoRoute }

// lacks reports whether the verdict is that a file is not there as it should be.
func (v Verdict) lacks() bool { return v == Missing || v == WrongSize || v == Soft404 }

// settles reports whether the verdict says anything about the host.
func (v Verdict) settles() bool { return v == OK || v.Failed() }

// A Result is what one probe found, in full.
type Result struct {
	Verdict   Verdict
	Latency   time.Duration // of the whole probe: name, connection, TLS, answer
	RoundTrip time.Duration // until the first connection was there; zero if none was
	Detail    string        // why it failed, for people; "" if it did not
	Expires   time.Time     // when the certificate expires; zero if none was seen
	Expiring  bool          // less than a tenth of the certificate's life is left
}
