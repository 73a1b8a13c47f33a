package store

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var files embed.FS

// migrations returns the migrations, by name in their order.
func migrations() fs.FS {
	list, err := fs.Sub(files, "migrations")
	if err != nil {
		panic("store: " + err.Error()) // only for a name that is no path
	}
	return list
}
