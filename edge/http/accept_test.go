package http

import (
	"strings"
	"testing"
)

func TestMetalinkWanted(t *testing.T) {
	const v3, v4 = "application/metalink+xml", "application/metalink4+xml"
	tests := []struct {
		accept string // lines
		want   Kind
	}{
		{"", Other},
		{"*/*", Other},
		{"application/*", Other},
		{"text/html, application/xml;q=0.9, */*;q=0.8", Other},
		{v4, Metalink4},
		{v3, Metalink3},
		{"*/*, " + v3 + ", " + v4, Metalink4}, // zypper
		{v4 + "," + v3, Metalink4},
		{v4 + ";q=0.5," + v3, Metalink3},
		{v4 + ";q=0.5," + v3 + ";q=0.4", Metalink4},
		{v4 + ";q=0.001, */*", Metalink4},
		{v4 + ";q=0", Other},
		{v4 + ";q=0.000," + v3, Metalink3},
		{v3 + ";q=0," + v4 + ";q=0", Other},
		{"Application/MetaLink4+XML", Metalink4},
		{v4 + " ; charset=utf-8 ; Q=0.2, " + v3 + ";q=0.3", Metalink3},
		{v4 + `;x="a,b;q=0";q=1`, Metalink4},
		{`text/plain;x="` + v4 + `,` + v4 + `"`, Other},
		{"*/*\n" + v4, Metalink4},
		{v4 + "x", Other},
		{"x" + v3, Other},
		{v4 + ";q=", Metalink4},
		{v4 + ";q=x", Metalink4},
		{",,;," + v3 + ",", Metalink3},
	}
	for _, test := range tests {
		var lines [][]byte
		for line := range strings.SplitSeq(test.accept, "\n") {
			lines = append(lines, []byte(line))
		}
		if got := metalinkWanted(lines); got != test.want {
			t.Errorf("%q: %s, want %s", test.accept, got, test.want)
		}
	}
}

func TestJSONWanted(t *testing.T) {
	tests := []struct {
		accept string
		want   bool
	}{
		{"", false},
		{"*/*", false},
		{"application/json", true},
		{"application/json, text/plain, */*", true},
		{"application/json;q=0.5, text/html", false},
		{"application/json, text/html;q=0.5", true},
		{"application/json;q=0, */*", false},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
	}
	for _, test := range tests {
		if got := jsonWanted([][]byte{[]byte(test.accept)}); got != test.want {
			t.Errorf("%q: %t, want %t", test.accept, got, test.want)
		}
	}
}

func TestParseQuality(t *testing.T) {
	for in, want := range map[string]quality{
		"1": 1000, "1.0": 1000, "0": 0, "0.": 0, "0.5": 500, "0.123": 123, "0.1239": 123, "2": 1000, "": 1000, "-1": 1000, "0x": 1000, "0.a": 1000,
	} {
		if got := parseQuality([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func FuzzAccepts(f *testing.F) {
	f.Add("*/*, application/metalink4+xml;q=0.5;x=\"\\\",\"")
	f.Fuzz(func(t *testing.T, accept string) {
		q := accepts([][]byte{[]byte(accept)}, typeMetalink4)
		if q < unnamed || q > 1000 || q > unnamed && !strings.Contains(strings.ToLower(accept), typeMetalink4) {
			t.Errorf("%q: %d", accept, q)
		}
	})
}
