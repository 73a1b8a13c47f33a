package service_test

import (
	"os"
	"testing"

	"github.com/waypost/waypost/control/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
