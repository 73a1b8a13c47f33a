// Package needs is for tests that drive programs which nobody here wrote. One
// that is missing fails the test where the environment has CI=true, and else
// skips it and names the Debian package: no test is silently left out.
package needs

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program, which a Debian package has.
func Program(tb testing.TB, name, debian string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(tb, "no program "+name+": install the package "+debian)
	}
	return path
}

// Root wants the test to run as root, such as to start a daemon as another user.
func Root(tb testing.TB) {
	tb.Helper()
	if os.Getuid() != 0 {
		Missing(tb, "wants to run as root")
	}
}

// Missing says what a test lacks, and ends it.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(what)
	}
	tb.Skip(what)
}
