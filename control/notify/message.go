// Package notify tells people and programs what happened: by mail to the
// contacts of a site and host and to the operators, and by webhooks.
//
//	Message ──► store's outbox, by recipient ──► Digest ──► Sender.Mail ──► one mail to one recipient
//	       └──► one job for each webhook ─────────────────► Sender.Post ──► one signed POST
//
// The package composes and sends; control/service queues, and repeats what
// failed. An error that is [ErrRefused] says that repeating is of no use. Each
// mail has one recipient, so that nobody sees who else is told, and one bad
// address keeps no other from its mail. A repeated mail has the same
// Message-ID, by which mail systems know it again.
//
// # Webhooks
//
// The body is a [Message] as JSON, without To and Webhooks. Where there is a
// secret, the header Waypost-Signature is "t=SECONDS,v1=HEX": the time of
// sending in Unix seconds, and HMAC-SHA256 under the secret of SECONDS, a dot,
// and the body. A receiver refuses what it did not compute itself and times
// that are minutes away; see [Verify]. Any answer of 200 to 299 is success;
// redirects are not followed; 410 ends it; all else is repeated.
package notify

import "time"

// An Event is a kind of message.
type Event string

// The events.
const (
	HostDisabled      Event = "host-disabled"      // crawls have taken a host out
	HostEnabled       Event = "host-enabled"       // a good crawl has brought it back
	HostHeld          Event = "host-held"          // a crawl lost so much that it is not believed
	HostLeak          Event = "host-leak"          // it shows the world what is under embargo
	CertificateEnding Event = "certificate-ending" // of a host's https URL
	ScanHeld          Event = "scan-held"          // a master lost so much that the scan is not believed
	Application       Event = "application"        // a site or host waits for approval
	ReleaseAnnounced  Event = "release-announced"  // mirrors are to carry it before the lift
	ReleaseChanged    Event = "release-changed"    // its date or its directories are others
	ReleaseCancelled  Event = "release-cancelled"  // it will not come
	ReleaseLifted     Event = "release-lifted"     // the embargo has ended
)

// Events returns all events.
func Events() []Event {
	return []Event{
		HostDisabled, HostEnabled, HostHeld, HostLeak, CertificateEnding, ScanHeld, Application,
		ReleaseAnnounced, ReleaseChanged, ReleaseCancelled, ReleaseLifted,
	}
}

// A Message is what is to be told, as the payload of a job and of a webhook.
type Message struct {
	Event   Event     `json:"event"`
	About   string    `json:"about"` // the object: a host's key, a category, a release
	At      time.Time `json:"at"`
	Subject string    `json:"subject"` // one line
	Text    string    `json:"text"`    // for people, plain text

	// To are mail addresses beside those of the operators, whom the
	// configuration names; empty: only they.
	To []string `json:"to,omitempty"`

	// Webhooks are URLs of sites that are told, too, beside those of the
	// operators. Nobody is shown To and Webhooks.
	Webhooks []string `json:"webhooks,omitempty"`

	// Data is for programs; may be nil.
	Data map[string]any `json:"data,omitempty"`
}
