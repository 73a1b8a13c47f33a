//go:build e2e

package e2e

import (
	"os"
	"testing"

	"github.com/waypost/waypost/control/store/storetest"
)

// TestMain stops the PostgreSQL that a test has started.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
