package catalog

import (
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// File is a catalogue file. Categories and hosts are required, all other keys of
// this and the following types optional where they do not say otherwise.
type File struct {
	Categories []Category `yaml:"categories"`
	Hosts      []Host     `yaml:"hosts"`

	// Files is what is known of single files. Sizes and hashes are what
	// metalinks are made of.
	Files []FileEntry `yaml:"files"`

	// Complete are directories at and below which a file or directory that is
	// not listed here does not exist (404).
	Complete []Path `yaml:"complete"`

	// Repositories are what clients name by repo= and arch=.
	Repositories []Repository `yaml:"repositories"`

	// RepositoryRedirects maps a repository name to the one that answers for it.
	RepositoryRedirects map[string]Name `yaml:"repository_redirects"`

	// DisabledRepositories are names that are answered with "repo disabled".
	DisabledRepositories []Name `yaml:"disabled_repositories"`

	// NetblockCountries place prefixes in a country whatever the database says.
	NetblockCountries []NetblockCountry `yaml:"netblock_countries"`

	// Continents move countries to another continent, such as {IL: EU}.
	Continents map[string]Continent `yaml:"continents"`
}

// Category is a tree of content with one top directory and one policy.
type Category struct {
	Name   Name   `yaml:"name"`   // required, no other category's
	Path   Path   `yaml:"path"`   // required, no other category's: its top directory, "" for the root; categories may be nested
	Origin URL    `yaml:"origin"` // http or https URL of the top directory at the origin: where clients go when no mirror is left
	Policy Policy `yaml:"policy"`
}

// Policy says how the hosts of a category are ordered.
type Policy struct {
	// Order inside a band: "bandwidth", the default, draws at random weighted by
	// bandwidth; "nearest" goes by distance in coarse rings, then by bandwidth.
	Order Order `yaml:"order"`

	// Minimum is how many hosts are enough: shorter lists are filled up from
	// everywhere. At least 1; default 5.
	Minimum *int `yaml:"minimum"`

	// Sticky gives clients of one /24 or /48 always the same order.
	Sticky bool `yaml:"sticky"`

	// Scheme "same" keeps a plain-http client on plain http; otherwise it gets
	// the https URL of a host that has one.
	Scheme Scheme `yaml:"scheme"`

	// Bands are the reasons to prefer a host that count here: netblock, asn,
	// peer_asn, country, continent, everywhere. Default: all.
	Bands []Band `yaml:"bands"`
}

// Host is one mirror.
type Host struct {
	Name      Name      `yaml:"name"` // required, no other host's
	Country   Country   `yaml:"country"`
	Location  *Location `yaml:"location"`  // default: the middle of its country
	Bandwidth *uint32   `yaml:"bandwidth"` // Mbit/s, the weight of its draws; 0: after all others; default [DefaultBandwidth]

	ASNs      []ASN    `yaml:"asn"`       // clients of these ASNs are its own; one number or a list
	PeerASNs  []ASN    `yaml:"peer_asns"` // ASNs it peers with
	Netblocks []Prefix `yaml:"netblocks"` // its own clients

	Private  bool      `yaml:"private"`            // true: named only to clients inside its netblocks, ASNs or peer ASNs; no access control, a client subnet can be forged
	Allowed  []Country `yaml:"countries_allowed"`  // only for clients of these countries; empty: of all
	Excluded []Country `yaml:"countries_excluded"` // not for clients of these countries
	Down     bool      `yaml:"down"`               // true: taken out by the operator

	Addresses []Address `yaml:"addresses"` // for DNS answers, and to know its address families
	DNS       *bool     `yaml:"dns"`       // answers for tailored names; default: true where addresses are given

	// URLs are, by category, those of its top directory here, the best first:
	// http, https, ftp or rsync. At least one category; a host with addresses
	// may leave the list of URLs empty, to be in DNS answers only.
	URLs map[string][]URL `yaml:"urls"`

	// Lacks are directories at and below which nothing is here, and files of
	// the list of files that are not here.
	Lacks []Path `yaml:"lacks"`
}

// DefaultBandwidth is a host's bandwidth in Mbit/s where the file has none, as in
// MirrorManager.
const DefaultBandwidth = 100

// Location is a place in degrees; both keys are required.
type Location struct {
	Lat *float64 `yaml:"lat"` // -90 (south) to 90
	Lon *float64 `yaml:"lon"` // -180 (west) to 180
}

// FileEntry is what is known of one file.
type FileEntry struct {
	Path       Path       `yaml:"path"`  // required, no other file's
	Size       *int64     `yaml:"size"`  // bytes
	MTime      *time.Time `yaml:"mtime"` // time of last change, RFC 3339
	MD5        *string    `yaml:"md5"`   // hexadecimal, like the following
	SHA1       *string    `yaml:"sha1"`
	SHA256     *string    `yaml:"sha256"`
	SHA512     *string    `yaml:"sha512"`
	Alternates []Version  `yaml:"alternates"` // older versions that mirrors may still have, newest first
	Lacks      []Name     `yaml:"lacks"`      // hosts whose directory is here, but not this file
}

// Version is what is known of an older version of a file: at least one key.
type Version struct {
	Size   *int64     `yaml:"size"`  // bytes
	MTime  *time.Time `yaml:"mtime"` // time of last change, RFC 3339
	MD5    *string    `yaml:"md5"`   // hexadecimal, like the following
	SHA1   *string    `yaml:"sha1"`
	SHA256 *string    `yaml:"sha256"`
	SHA512 *string    `yaml:"sha512"`
}

// current returns what an entry says of the current version.
func (f *FileEntry) current() Version {
	return Version{f.Size, f.MTime, f.MD5, f.SHA1, f.SHA256, f.SHA512}
}

// hashes returns the version's hashes by kind.
func (v *Version) hashes() [snapshot.HashKinds]*string {
	return [...]*string{v.MD5, v.SHA1, v.SHA256, v.SHA512}
}

// Repository is what clients name by repo= and arch=. All keys are required.
type Repository struct {
	Name Name `yaml:"name"`
	Arch Name `yaml:"arch"`
	Path Path `yaml:"path"` // its directory
}

// NetblockCountry places a prefix in a country. Both keys are required.
type NetblockCountry struct {
	Prefix  Prefix  `yaml:"prefix"`
	Country Country `yaml:"country"`
}
