package ctl_test

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waypost/waypost/control/store"
)

// counted keeps what an edge has sent: of the day and the minute before now.
func counted(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(storeKey{}).(*store.Store)
	minute := time.Date(2026, 3, 1, 11, 59, 0, 0, time.UTC)
	ts.Check(s.AddCounts(context.Background(), "edge1", 1, []store.Count{
		{At: minute, Category: "os", Dimension: "country", Name: "DE", Count: 2},
		{At: minute.Add(-24 * time.Hour), Category: "os", Dimension: "country", Name: "DE", Count: 1},
		{At: minute, Category: "os", Dimension: "country", Name: "", Count: 1},
		{At: minute, Category: "os", Dimension: "host", Name: "uni-x/de1", Count: 3},
		{At: minute, Category: "os", Dimension: "arch", Name: `=HYPERLINK("https://example.org")`, Count: 1},
	}))
}
