package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// TestLongLists: what fits into one request is checked in no time, with the
// database locked; and nobody has thousands told.
func TestLongLists(t *testing.T) {
	h := registry.Host{Site: "s", Name: "h", State: registry.Pending}
	for i := range 150_000 {
		h.ASNs = append(h.ASNs, uint32(i+1))
	}
	for i := range 51 {
		h.Contacts = append(h.Contacts, fmt.Sprintf("a%d@example.org", i))
	}
	h.ASNs = append(h.ASNs, 7)
	start := time.Now()
	problems := h.Check()
	if took := time.Since(start); took > 2*time.Second { // 5 s where all pairs are compared
		t.Errorf("it takes %v", took)
	}
	text := fmt.Sprint(problems)
	for _, want := range []string{"asns[150000]: 7 is given twice", "contacts: want at most 50, got 51"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q, got %.400s", want, text)
		}
	}
	s := registry.Site{Name: "s", State: registry.Pending}
	for i := range 11 {
		s.Webhooks = append(s.Webhooks, fmt.Sprintf("https://h%d.example.org/", i))
	}
	if text = fmt.Sprint(s.Check()); !strings.Contains(text, "webhooks: want at most 10, got 11") {
		t.Errorf("got %s", text)
	}
}
