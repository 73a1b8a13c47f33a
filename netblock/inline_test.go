package netblock_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLeavesAreInlined asks the compiler for the functions that a look-up and
// a sweep call most.
func TestLeavesAreInlined(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, name := range []string{"words", "addr.less", "addr.next", "page.step", "page.value", "widest", "(*rows).addr"} {
		if !strings.Contains(string(out), "can inline "+name+"\n") {
			t.Errorf("%s is not inlined", name)
		}
	}
}
