package ctl

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// FuzzDocument prints a host and reads what was printed, as set -f does.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		"", "plain words", "a: b", "- a", "#", "null", "true", "0x10", "1e3", "'", `"`, "<&>", "~", "a #b", "ends with space ", "é", "2026-01-02", "[a]", "{", "%", "@a", "\u2028",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range text {
			if !unicode.IsPrint(r) || r == utf8.RuneError {
				t.Skip("a registry has no such text") // names and URLs are checked; comments pass through JSON
			}
		}
		h := registry.Host{
			Name: text, Comment: text, Contacts: []string{text, text}, Bandwidth: 5, Location: &registry.Location{Lat: 1},
			Carries: []registry.Carry{{Category: text, URLs: []registry.URL{{URL: text}}}}, State: registry.Approved,
		}
		body, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (&printer{out: &out}).document(answer{body: body}); err != nil {
			t.Fatal(err)
		}
		var got registry.Host
		if err := strict.Decode("printed", out.Bytes(), &got).Err(); err != nil {
			t.Fatalf("%v in %s", err, out.Bytes())
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Errorf("read back (-want +got): %s in %s", diff, out.Bytes())
		}
	})
}

// TestTerminal prints what a stranger wrote, which must not steer a terminal.
func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	if err := (&printer{out: &out}).table(answer{}, []string{"A"}, [][]string{{"x\x1b[31m\ny\u009b"}}); err != nil {
		t.Fatal(err)
	}
	if err := (&printer{out: &out}).document(answer{body: []byte("{\"comment\":\"x\\u001b\u009b\"}")}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "A\nx [31m y \ncomment: \"x\\u001b\\u009b\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
