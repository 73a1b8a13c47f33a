package crawl

import (
	"net/netip"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRsyncURLs keeps the rsync program from resolving a name again, whose
// server may have said something else by then.
func TestRsyncURLs(t *testing.T) {
	addresses := []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2a00:1450::1")}
	for _, tt := range []struct {
		url     string
		private bool
		want    []string
	}{
		{"rsync://m.example.org/os/pub", false, []string{"rsync://8.8.8.8/os/pub", "rsync://[2a00:1450::1]/os/pub"}},
		{"rsync://m.example.org:8730/a%20b/", false, []string{"rsync://8.8.8.8:8730/a%20b/", "rsync://[2a00:1450::1]:8730/a%20b/"}},
		{"rsync://m.example.org/os", true, []string{"rsync://m.example.org/os"}},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		c := &crawler{limits: Limits{Private: tt.private}}
		t.Setenv("RSYNC_PROXY", "")
		if diff := cmp.Diff(tt.want, c.rsyncURLs(u, addresses)); diff != "" {
			t.Errorf("%s (-want +got): %s", tt.url, diff)
		}
		t.Setenv("RSYNC_PROXY", "proxy:8080")
		if diff := cmp.Diff([]string{tt.url}, c.rsyncURLs(u, addresses)); diff != "" {
			t.Errorf("%s by a proxy (-want +got): %s", tt.url, diff)
		}
	}
}
