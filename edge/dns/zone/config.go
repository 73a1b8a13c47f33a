package zone

import "net/netip"

// Defaults of a [Config].
const (
	DefaultTTL       = 3600  // seconds, of SOA, NS and static records
	DefaultMinimum   = 60    // seconds, how long NXDOMAIN and NODATA are kept
	DefaultRefresh   = 7200  // seconds
	DefaultRetry     = 1800  // seconds
	DefaultExpire    = 86400 // seconds
	DefaultMirrorTTL = 60    // seconds
	DefaultCount     = 2
	MaxCount         = 16
	maxTTL           = 1<<31 - 1 // RFC 2181 section 8
)

// A Config is one zone that an edge answers for.
type Config struct {
	// Name is the zone's apex, such as mirrors.example.org. Required.
	Name string `yaml:"name"`

	// NS are the zone's name servers, as full names, each with its addresses.
	// Addresses are required for names inside the zone, and refused for
	// others: they are not ours to give. At least one.
	NS map[string][]netip.Addr `yaml:"ns"`

	// SOA says who runs the zone, and for how long answers are kept.
	SOA SOA `yaml:"soa"`

	// Records are static records in the syntax of zone files (RFC 1035
	// section 5), relative to the zone; a record without a TTL has that of
	// $TTL, else of the record before, else an hour. Anything but SOA, DNAME, and NS of the zone itself. NS of a name
	// below makes a delegation.
	Records string `yaml:"records"`

	// Mirrors are the names whose answers are made for each client.
	Mirrors []Mirror `yaml:"mirrors"`

	// Fallback are the addresses that a mirror name gives to clients whom no
	// host may serve. Without one of the asked family, they get SERVFAIL.
	Fallback []netip.Addr `yaml:"fallback"`

	// PrivateByResolver lets a resolver's own address open private hosts, for
	// queries without a client subnet. It is safe where resolvers in a private
	// host's netblocks or ASNs serve nobody outside. Default: false.
	PrivateByResolver bool `yaml:"private_by_resolver"`

	// IgnoreECS places all clients by their resolver's address, and leaves
	// client subnets out of answers (RFC 7871 section 7.2.1). Default: false.
	IgnoreECS bool `yaml:"ignore_ecs"`
}

// A SOA is the start of authority of a zone (RFC 1035 section 3.3.13). Times
// are in seconds.
type SOA struct {
	// MName is the primary name server, a full name. Default: the first of NS
	// in alphabetical order.
	MName string `yaml:"mname"`

	// RName is the mailbox of who is responsible, as a full name: the dot is
	// for the @. Default: hostmaster. and the zone.
	RName string `yaml:"rname"`

	// TTL is that of the SOA and NS records and of the name servers'
	// addresses. Default: 3600.
	TTL uint32 `yaml:"ttl"`

	// Minimum is how long resolvers keep NXDOMAIN and NODATA, if TTL is not
	// shorter (RFC 2308 section 5). Default: 60.
	Minimum uint32 `yaml:"minimum"`

	// Serial, Refresh, Retry and Expire are for secondaries, which these zones
	// do not have: AXFR is refused. Defaults: 1, 7200, 1800, 86400.
	Serial  uint32 `yaml:"serial"`
	Refresh uint32 `yaml:"refresh"`
	Retry   uint32 `yaml:"retry"`
	Expire  uint32 `yaml:"expire"`
}

// A Mirror is a name that leads each client to its own mirrors. Answers with
// addresses have the first address of the asked family of each of the best
// hosts.
type Mirror struct {
	// Name is relative to the zone; @ is the zone itself. Required.
	Name string `yaml:"name"`

	// Path is the content that hosts must hold, such as pub/os. Required.
	Path string `yaml:"path"`

	// TTL is how long resolvers keep an answer, in seconds. Default: 60.
	TTL uint32 `yaml:"ttl"`

	// Count is how many hosts an answer names, at most 16. Default: 2, and 1
	// for answer: cname.
	Count int `yaml:"count"`

	// Answer is addresses, which is the default, or cname: the host in the
	// best host's URL, whatever type was asked.
	Answer string `yaml:"answer"`

	// Types are more types to answer beside A and AAAA: https (RFC 9460, with
	// address hints), uri (RFC 7553) and txt, both with base URLs, the best
	// first.
	Types []string `yaml:"types"`
}
