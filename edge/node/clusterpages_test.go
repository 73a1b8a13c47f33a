package node

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestHealthPage: the page is for people, and says what the cluster decided.
func TestHealthPage(t *testing.T) {
	admin := startClustered(t, clusterConfig)
	var got []probed
	within(t, "both mirrors are down", func() bool {
		_, text := askAdmin(t, http.MethodGet, admin, "/health", nil)
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return len(got) == 2 && got[0].Down && got[1].Down
	})
	want := func(host string) probed {
		return probed{Host: host, Kind: "http over ipv4", URL: "http://127.0.0.1:1/os/", Down: true, Failing: true, Verdict: "refused"}
	}
	if diff := cmp.Diff([]probed{want("a"), want("b")}, got, cmpopts.IgnoreFields(probed{}, "Took", "RoundTrip", "Detail")); diff != "" {
		t.Error(diff)
	}
}

// TestOrdersInBody: parameters may come as curl -d sends them.
func TestOrdersInBody(t *testing.T) {
	admin := startClustered(t, clusterConfig)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+admin+"/cluster/drain", strings.NewReader("host=a&for=5s"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if _, text := askAdmin(t, http.MethodGet, admin, "/cluster", nil); response.StatusCode != 200 || !strings.Contains(text, `"name": "a"`) {
		t.Errorf("%s, then %s", response.Status, text)
	}
}

// TestOrderRefused: parameters that are wrong are told from what is not possible.
func TestOrderRefused(t *testing.T) {
	if _, err := prefixesOf(url.Values{"prefix": {"198.18.0.0/24", "x"}}); err == nil {
		t.Error("a prefix that is none was taken")
	}
	for _, x := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"6h", 6 * time.Hour, true},
		{"2d", 48 * time.Hour, true},
		{"1d12h", 36 * time.Hour, true},
		{"", 0, false},
		{"d", 0, false},
		{"-1d", 0, false},
		{"1d2", 0, false},
		{"99999d", 0, false},
	} {
		var got period
		if err := got.UnmarshalText([]byte(x.text)); (err == nil) != x.ok || time.Duration(got) != x.want {
			t.Errorf("%q: %s, %v", x.text, time.Duration(got), err)
		}
	}
}

// TestWithoutVote: that an edge of a cluster has no vote is said.
func TestWithoutVote(t *testing.T) {
	dir := t.TempDir()
	config := strings.Replace(clusterConfig, "  health: {interval: 1s, timeout: 500ms, max_down: 1}\n", "", 1)
	for name, text := range map[string]string{"edge.yaml": config, "catalog.yaml": clusterCatalog} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	if err := (&CheckCommand{Config: filepath.Join(dir, "edge.yaml")}).Run(&said); err != nil ||
		!strings.Contains(said.String(), "warning: no edge.health: this edge does not probe and has no vote") {
		t.Errorf("%v: %s", err, &said)
	}
}
