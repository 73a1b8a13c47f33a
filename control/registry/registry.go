// Package registry is what a control plane knows of a mirror network: sites
// and their hosts, categories of content, repositories, releases, and the
// people and programs that may change them. It has the words and the rules;
// control/store keeps them, control/web speaks of them.
//
// An [Object] is one thing of the registry, a struct with yaml and json tags
// whose doc comments are the documentation of the API. Each has a [Kind] and a
// name, unique in its kind; objects refer to one another by name:
//
//	Site "uni-x" ◄── Host "uni-x/de1" ──► Category "os" ◄── Repository "os-43+x86_64"
//
// Objects are plain values. [Object.Check] finds what is wrong with one by
// itself; [World.Check] what is wrong between them.
package registry

import (
	"net/netip"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Kind is a kind of object.
type Kind string

// The kinds.
const (
	KindSite       Kind = "site"
	KindHost       Kind = "host"
	KindCategory   Kind = "category"
	KindProduct    Kind = "product"
	KindRepository Kind = "repository"
	KindRelease    Kind = "release"
	KindOverride   Kind = "override"
	KindUser       Kind = "user"
	KindToken      Kind = "token"
)

// An Object is one thing of the registry.
type Object interface {
	// Kind returns the object's kind.
	Kind() Kind

	// Key returns the object's name, unique in its kind.
	Key() string

	// Check returns all that is wrong with the object by itself.
	Check() snapshot.Problems
}

// A State is what became of an application.
type State string

// The states of sites and hosts. Only approved ones are published.
const (
	Pending  State = "pending"
	Approved State = "approved"
	Rejected State = "rejected"
)

// Activity is whether something takes part. It does only if both its
// administrators and ours say so.
type Activity struct {
	// AdminActive is the word of those who run this control plane.
	AdminActive bool `json:"admin_active" yaml:"admin_active"`

	// UserActive is the word of those who run the mirror.
	UserActive bool `json:"user_active" yaml:"user_active"`

	// Reason says why it does not take part.
	Reason string `json:"reason,omitempty" yaml:"reason"`
}

// On reports whether both say that it takes part.
func (a Activity) On() bool { return a.AdminActive && a.UserActive }

// A Site is an organisation that runs mirrors.
type Site struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// URL is the organisation's own.
	URL string `json:"url,omitempty" yaml:"url"`

	// Admins are the users that may change the site and its hosts. One user may
	// administer several sites.
	Admins []string `json:"admins,omitempty" yaml:"admins"`

	// Contacts are mail addresses that are told of releases and of trouble.
	Contacts []string `json:"contacts,omitempty" yaml:"contacts"`

	// Webhooks are URLs that are told the same, as JSON.
	Webhooks []string `json:"webhooks,omitempty" yaml:"webhooks"`

	// Private makes all hosts private.
	Private bool `json:"private,omitempty" yaml:"private"`

	// PasswordHash is the hash of the password that report_mirror and
	// quick-fedora-mirror send.
	PasswordHash string `json:"password_hash,omitempty" yaml:"password_hash"`

	State State `json:"state" yaml:"state"`
	Activity
}

// A Host is one mirror.
type Host struct {
	// Name is unique in its site. The key of a host is SITE/NAME.
	Name string `json:"name" yaml:"name"`

	// Site is the name of its site.
	Site string `json:"site" yaml:"site"`

	// Number is assigned once and never again to another host: exports know
	// hosts by it.
	Number int64 `json:"number,omitempty" yaml:"number"`

	// Country is where it is, two letters.
	Country string `json:"country,omitempty" yaml:"country"`

	// Location is where it stands; without it, in the middle of its country.
	Location *Location `json:"location,omitempty" yaml:"location"`

	// Bandwidth is in Mbit/s, the weight of its draws.
	Bandwidth uint32 `json:"bandwidth,omitempty" yaml:"bandwidth"`

	// MaxConnections is how many connections at a time downloads may open.
	MaxConnections int `json:"max_connections,omitempty" yaml:"max_connections"`

	ASNs     []uint32 `json:"asns,omitempty" yaml:"asns"`
	PeerASNs []uint32 `json:"peer_asns,omitempty" yaml:"peer_asns"`

	// Netblocks are its own clients': a prefix, an address, a range
	// FIRST-LAST, or a DNS name that is resolved whenever data is published.
	Netblocks []string `json:"netblocks,omitempty" yaml:"netblocks"`

	Private  bool     `json:"private,omitempty" yaml:"private"`
	Allowed  []string `json:"countries_allowed,omitempty" yaml:"countries_allowed"`
	Excluded []string `json:"countries_excluded,omitempty" yaml:"countries_excluded"`

	// Addresses are for DNS answers.
	Addresses []netip.Addr `json:"addresses,omitempty" yaml:"addresses"`
	DNS       bool         `json:"dns,omitempty" yaml:"dns"`

	// Tier is 0 for a master, 1 for those that pull from it, and so on.
	Tier int `json:"tier,omitempty" yaml:"tier"`

	// Upstream is the key of the host it pulls from; "" is the master.
	Upstream string `json:"upstream,omitempty" yaml:"upstream"`

	// PullAddresses are the addresses and names it pulls from, for the ACL of
	// its upstream.
	PullAddresses []string `json:"pull_addresses,omitempty" yaml:"pull_addresses"`

	// PullSecret is what other mirrors need to pull from it, encrypted.
	PullSecret string `json:"pull_secret,omitempty" yaml:"pull_secret"`

	// Contacts are told beside those of the site.
	Contacts []string `json:"contacts,omitempty" yaml:"contacts"`

	// Carries are the categories it carries.
	Carries []Carry `json:"carries,omitempty" yaml:"carries"`

	// AutoCarry takes new releases of its categories without being asked.
	AutoCarry bool `json:"auto_carry,omitempty" yaml:"auto_carry"`

	// Maintenance are times in which it gets no clients and is not crawled.
	Maintenance []Window `json:"maintenance,omitempty" yaml:"maintenance"`

	// NoCrawl asks crawlers to stay away; such a host is listed by check-in
	// only where it is private, and not at all where it is public.
	NoCrawl bool `json:"no_crawl,omitempty" yaml:"no_crawl"`

	Comment string `json:"comment,omitempty" yaml:"comment"`

	State State `json:"state" yaml:"state"`
	Activity
}

// A Location is a place in degrees.
type Location struct {
	Lat float64 `json:"lat" yaml:"lat"`
	Lon float64 `json:"lon" yaml:"lon"`
}

// A Carry is a category that a host carries.
type Carry struct {
	Category string `json:"category" yaml:"category"`

	// URLs lead to the category's top directory.
	URLs []URL `json:"urls,omitempty" yaml:"urls"`

	// AlwaysUpToDate takes it as complete without crawling: a cache or a CDN.
	AlwaysUpToDate bool `json:"always_up_to_date,omitempty" yaml:"always_up_to_date"`
}

// A URL is where a host carries a category.
type URL struct {
	URL string `json:"url" yaml:"url"`

	// Private URLs are for other mirrors, never for clients.
	Private bool `json:"private,omitempty" yaml:"private"`
}

// A Window is a stretch of time.
type Window struct {
	From time.Time `json:"from" yaml:"from"`
	To   time.Time `json:"to" yaml:"to"`
}
