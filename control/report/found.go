package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/waypost/waypost/edge/snapshot/wire/durable"
)

// A keptDocument is what --output writes and --input reads: what was found, and
// nothing that is secret.
type keptDocument struct {
	Categories map[string]keptCategory `json:"categories"`
}

type keptCategory struct {
	Directories []string `json:"directories"`
	Files       string   `json:"files,omitempty"` // rows of a full file list
}

// writeFound writes what was found to a file, whole or not at all.
func (d *document) writeFound(name string) error {
	kept := keptDocument{map[string]keptCategory{}}
	for i, c := range d.categories {
		k := keptCategory{Directories: []string{}}
		var rows []byte
		for _, found := range d.found[i] {
			k.Directories = append(k.Directories, found.path)
			rows = append(rows, found.rows...)
		}
		k.Files = string(rows)
		kept.Categories[c.name] = k
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encoding what was found: %w", err)
	}
	return durable.WriteFile(name, append(data, '\n'), 0o600)
}

// readFound reads what an earlier run found of the categories of the
// configuration, none of which may be missing.
func (d *document) readFound(name string) error {
	data, err := os.ReadFile(name) //nolint:gosec // G304: who runs the command names it
	if err != nil {
		return err
	}
	var kept keptDocument
	if err = json.Unmarshal(data, &kept); err == nil && kept.Categories == nil {
		err = errors.New("there is no object categories")
	}
	if err != nil {
		return fmt.Errorf("%s: want what --output has written: %w", name, err)
	}
	for _, c := range d.categories {
		k, ok := kept.Categories[c.name]
		if !ok {
			return fmt.Errorf("%s: nothing is known of category %s", name, c.name)
		}
		if d.files && k.Files == "" && len(k.Directories) > 0 {
			return fmt.Errorf("%s: category %s: want --output of a run with --files", name, c.name)
		}
		var found []directory
		for i, path := range k.Directories {
			found = append(found, directory{path: path})
			if i == 0 {
				found[0].rows = []byte(k.Files)
			}
		}
		d.found = append(d.found, found)
	}
	return nil
}
