package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/service"
)

func TestCrawlConfig(t *testing.T) {
	read := func(crawl string) (*service.Config, error) {
		file := filepath.Join(t.TempDir(), "control.yaml")
		text := "control:\n  data_dir: data\n  listen: 127.0.0.1:8081\n  crawl_every: 4h\n  crawl_private: true\n  crawl: " + crawl + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return service.ReadConfig(file)
	}
	c, err := read(`{canary_every: -1s, metadata_every: 30m, disable_after: 3, contact: "mirrors@example.org", all_connections: 100}`)
	if err != nil {
		t.Fatal(err)
	}
	if c.CrawlEvery != 4*time.Hour || !c.CrawlPrivate || c.Crawl.MetadataEvery != 30*time.Minute || c.Crawl.CanaryEvery >= 0 || c.Crawl.DisableAfter != 3 {
		t.Errorf("read %+v", c)
	}
	for crawl, want := range map[string]string{
		"{disable_after: 30}": "control.crawl.disable_after: want at least 1, and at most keep, which is 20; got 30",
		"{jitter: 0.7}":       "control.crawl.jitter: want a part from 0 to 0.5, got 0.7",
		"{max_loss: 2}":       "control.crawl.max_loss: want a part from 0 to 1, got 2",
		"{retry_after: -1s}":  "want times that are not negative",
		"{connections: -1}":   "at least one connection",
		"{full_every: 1h}":    "full_every",
	} {
		if _, err := read(crawl); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", crawl, err, want)
		}
	}
}
