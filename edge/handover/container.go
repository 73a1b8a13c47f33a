package handover

import (
	"os"
	"strings"
)

// endsContainer reports whether a container ends with a process that is not its
// first one, by the parent that it had at its start, by whom it notifies, and by
// the name of process 1. So it is under docker --init, below a script that is
// process 1, and where the parent is outside of the container (0). Service
// managers that are notified know which process to look at. Process 1 of a
// machine is told by its name; and a daemon gets process 1 as its parent when
// that which started it ends, so usually later than here.
func endsContainer(parent int, notify, first string) bool {
	switch {
	case notify != "" || parent > 1:
		return false
	case parent == 0:
		return true
	}
	switch first {
	case "", "systemd", "init", "openrc-init", "runit", "launchd": // "": it is not to be seen
		return false
	}
	return true
}

// firstProgram returns the name of the program that process 1 runs (proc(5)),
// "" where it cannot be seen.
func firstProgram() string {
	name, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
