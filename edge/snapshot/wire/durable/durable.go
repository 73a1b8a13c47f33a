// Package durable writes files that survive a crash: after a power cut there is
// the old file or the whole new one, and never half of it.
//
// [WriteFile] takes these system calls, on every file system that keeps POSIX
// promises:
//
//	open(temporary, O_CREAT|O_EXCL)  beside the file, so that rename stays on one file system
//	write
//	fsync(temporary)                 or a rename could be on disk before the bytes are
//	close
//	rename(temporary, file)          readers see the old file or the new one
//	fsync(folder)                    or the rename itself could be lost
//
// A crash leaves a temporary file at most; [IsTemporary] tells them. Who writes
// many files calls [Write] for each and [Sync] once for their folder.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const temporary = ".new-"

// WriteFile writes a file with the permissions mode, before the umask; once it
// returns, the file and its name are on disk.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if err := Write(path, data, mode); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

// Write is WriteFile without the last step: after a crash the file is there
// whole, or as it was before. Only the owner may read it until it has its name.
func Write(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), temporary+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Sync puts the names in a folder on disk: files that were created, renamed or
// removed there.
func Sync(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // the caller names the folder
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// IsTemporary reports whether a file of this name is one that Write left
// behind, or is about to rename.
func IsTemporary(name string) bool { return strings.HasPrefix(name, temporary) }
