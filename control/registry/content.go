package registry

import (
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Category is a tree of content with one top directory.
type Category struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Path is the top directory as clients know it, such as pub/os.
	Path string `json:"path" yaml:"path"`

	// Product is the product it belongs to; may be empty.
	Product string `json:"product,omitempty" yaml:"product"`

	// Origin is the URL where clients go when no mirror is left.
	Origin string `json:"origin,omitempty" yaml:"origin"`

	// AdminOnly hides it from those who run mirrors.
	AdminOnly bool `json:"admin_only,omitempty" yaml:"admin_only"`

	Policy Policy `json:"policy" yaml:"policy"`
}

// A Policy says how a category's hosts are ordered, as in the catalogue file.
type Policy struct {
	Order   string   `json:"order,omitempty" yaml:"order"` // bandwidth or nearest
	Minimum int      `json:"minimum,omitempty" yaml:"minimum"`
	Sticky  bool     `json:"sticky,omitempty" yaml:"sticky"`
	Scheme  string   `json:"scheme,omitempty" yaml:"scheme"` // same, or empty
	Bands   []string `json:"bands,omitempty" yaml:"bands"`
}

// A Product is what is distributed, with its versions.
type Product struct {
	Name     string    `json:"name" yaml:"name"`
	Public   bool      `json:"public" yaml:"public"` // shown to everybody
	Versions []Version `json:"versions,omitempty" yaml:"versions"`
}

// A Version is a version of a product.
type Version struct {
	Name     string `json:"name" yaml:"name"`
	Codename string `json:"codename,omitempty" yaml:"codename"`
	Test     bool   `json:"test,omitempty" yaml:"test"`
}

// A Repository is what clients name by repo= and arch=.
type Repository struct {
	// Name is the value of repo=.
	Name string `json:"name" yaml:"name"`

	// Arch is the value of arch=. The key of a repository is NAME+ARCH.
	Arch string `json:"arch" yaml:"arch"`

	// Path is its directory.
	Path string `json:"path" yaml:"path"`

	Category string `json:"category,omitempty" yaml:"category"`
	Version  string `json:"version,omitempty" yaml:"version"`
	Disabled bool   `json:"disabled,omitempty" yaml:"disabled"`

	// RedirectTo makes the name, for all architectures, another one's; then
	// Arch and Path are empty.
	RedirectTo string `json:"redirect_to,omitempty" yaml:"redirect_to"`
}

// A Release is content that nobody may see before a time.
type Release struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Paths are its directories: all below them is under embargo.
	Paths []string `json:"paths" yaml:"paths"`

	// LiftAt is when the embargo ends.
	LiftAt time.Time `json:"lift_at" yaml:"lift_at"`

	// Announced is when mirrors were told of it; zero: not yet.
	Announced time.Time `json:"announced,omitzero" yaml:"announced"`
}

// An Override corrects where clients are.
type Override struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Netblock, a prefix, is in Country whatever the database says.
	Netblock string `json:"netblock,omitempty" yaml:"netblock"`

	// Country is on Continent whatever the table says, or in which Netblock is.
	Country string `json:"country,omitempty" yaml:"country"`

	Continent string `json:"continent,omitempty" yaml:"continent"`

	// Embargoed means that mirrors in Country are not accepted.
	Embargoed bool `json:"embargoed,omitempty" yaml:"embargoed"`
}

// A Tree is what a master holds of one category: what a scan gives and
// publishing needs. Directories are sorted by path, files by name.
type Tree struct {
	Category    string
	Scanned     time.Time
	Directories []Directory
}

// A Directory is a directory of a tree. Readable tells whether all the world
// may read it: on a master, what is under embargo is not.
type Directory struct {
	Path     string // below the category's top directory; "" is the top itself
	Changed  int64  // Unix seconds
	Readable bool
	Files    []File
}

// A File is a file of a tree.
type File struct {
	Name    string
	Version snapshot.Version // size, time of change, and hashes as far as they are known
}

// A Listing is what a host was seen to hold of one category.
type Listing struct {
	Host     string // key
	Category string
	Seen     time.Time

	// Holds says of each directory of the tree, by its position there, whether
	// the host holds it as the master does; Unknown, that it could not be told.
	Holds   snapshot.Bitmap
	Unknown snapshot.Bitmap

	// Lacks are files missing from, or wrong in, directories that count as held.
	Lacks []FileRef
}

// A FileRef names a file of a tree by the positions of its directory and itself.
type FileRef struct{ Directory, File uint32 }
