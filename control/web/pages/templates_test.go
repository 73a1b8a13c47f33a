package pages

import (
	"testing"
	"time"
)

func TestLink(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"https://x.example.org/os", "https://x.example.org/os"},
		{"rsync://x.example.org/os", "rsync://x.example.org/os"},
		{"http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080/"},
		{"ftp://x/", "ftp://x/"},
		{"javascript:alert(1)", ""},
		{"JavaScript://x.example.org/%0aalert(1)", ""},
		{"data:text/html,x", ""},
		{"//x.example.org/", ""},
		{"/x", ""},
		{"https://user@x.example.org/", ""},
		{"https:x", ""},
		{"https://", ""},
		{" https://x", ""},
		{"file:///etc/passwd", ""},
		{"\x00https://x", ""},
	} {
		if got := string(link(tt.in)); got != tt.want {
			t.Errorf("link(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "just now"},
		{time.Minute, "1 minute ago"},
		{119 * time.Minute, "119 minutes ago"},
		{3 * time.Hour, "3 hours ago"},
		{72 * time.Hour, "3 days ago"},
		{-3 * time.Hour, "in 3 hours"},
	} {
		if got := ago(now.Add(-tt.d), now); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.d, got, tt.want)
		}
	}
	if got := ago(time.Time{}, now); got != "never" {
		t.Errorf("never is %q", got)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		country("DE"): "Germany", country(""): "Elsewhere", country("XX"): "XX", country("<b>"): "<b>",
		count(1, "country"): "1 country", count(2, "country"): "2 countries", count(2, "day"): "2 days",
		shorten("äöü", 2): "äö…", inPath("uni x/a?b#c%"): "uni%20x/a%3Fb%23c%25",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
