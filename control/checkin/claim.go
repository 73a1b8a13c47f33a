package checkin

import (
	"fmt"
	"strings"
)

// A Claim is what a host says it holds of one category.
type Claim struct {
	// Category is its name as the host wrote it, in any case.
	Category string

	// Directories are below the category's top directory, without slashes at
	// their ends, in any order; "" is the top directory itself.
	Directories []string

	// Files are all its files, if Listed; otherwise nothing is said of files.
	Files  []File
	Listed bool
}

// A File is a file as its host lists it.
type File struct {
	Directory uint32 // its position in the claim's Directories
	Hidden    bool   // not readable for all the world
	Name      string
	Size      int64 // bytes
	Changed   int64 // Unix seconds; the later of the times its content and its attributes changed
}

// A budget counts what a check-in may still bring.
type budget struct {
	directories, files, categories int
	limits                         Limits
}

func newBudget(l Limits) *budget {
	return &budget{directories: l.Directories, files: l.FileCount, categories: l.Categories, limits: l}
}

// category pays for a category.
func (b *budget) category() error {
	if b.categories--; b.categories < 0 {
		return tooMuch("more than %d categories", b.limits.Categories)
	}
	return nil
}

// directory pays for a directory and returns its path, clean.
func (b *budget) directory(path string) (string, error) {
	if b.directories--; b.directories < 0 {
		return "", tooMuch("more than %d directories", b.limits.Directories)
	}
	return b.path(path)
}

// file pays for a file and returns its name.
func (b *budget) file(name string) (string, error) {
	if b.files--; b.files < 0 {
		return "", tooMuch("more than %d files", b.limits.FileCount)
	}
	return b.path(name)
}

func (b *budget) path(path string) (string, error) {
	if len(path) > b.limits.Path {
		return "", tooMuch("a path is longer than %d bytes", b.limits.Path)
	}
	return clean(path), nil
}

// clean drops what senders put around paths: slashes, and a leading "./". What
// else is strange in a path is in no master's tree, so it is ignored there.
func clean(path string) string {
	path = strings.Trim(path, "/")
	if path == "." {
		return ""
	}
	return strings.TrimPrefix(path, "./")
}

// A sizeError is a check-in that exceeds [Limits].
type sizeError struct{ text string }

func (e *sizeError) Error() string { return "too large: " + e.text }

func tooMuch(format string, args ...any) error {
	return &sizeError{fmt.Sprintf(format, args...)}
}
