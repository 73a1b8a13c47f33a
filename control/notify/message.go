// Package notify tells people and programs what happened: by mail to the
// contacts of a site and host and to the operators, and by webhooks.
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
	ReleaseLifted     Event = "release-lifted"     // the embargo has ended
)

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

	// Data is for programs; may be nil.
	Data map[string]any `json:"data,omitempty"`
}
