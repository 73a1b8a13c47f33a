package handover

import (
	"os"
	"os/exec"
	"path/filepath"
)

// A program is how this process was started.
type program struct {
	path string // the binary
	dir  string
}

// thisProgram finds the binary by the name that it was started by. What the
// kernel knows it by would not do: it says where the old binary is, also after
// it was renamed, or when a symbolic link has come to lead elsewhere.
func thisProgram() (p program, err error) {
	if p.dir, err = os.Getwd(); err != nil {
		return p, err
	}
	running, err := os.Executable()
	if err != nil {
		return p, err
	}
	p.path = running
	named, err := exec.LookPath(os.Args[0])
	if err != nil {
		return p, nil
	}
	if named, err = filepath.Abs(named); err == nil && same(named, running) {
		p.path = named
	}
	return p, nil
}

// same reports whether two names are of one file.
func same(a, b string) bool {
	infoA, errA := os.Stat(a) //nolint:gosec // the name that we were started by
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
