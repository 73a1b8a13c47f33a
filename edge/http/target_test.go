package http

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// slowPath is the obvious twin of appendPath.
func slowPath(raw string) (clean string, dir, ok bool) {
	decoded, err := url.PathUnescape(raw)
	if err != nil || strings.ContainsAny(decoded, "\x00\r\n") || strings.Contains(raw, "#") {
		return "", false, false
	}
	depth := 0
	segments := strings.Split(decoded, "/")
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return "", false, false
			}
		default:
			depth++
		}
	}
	last := segments[len(segments)-1]
	dir = decoded != "" && (last == "" || last == "." || last == "..")
	return strings.Trim(path.Clean("/"+decoded), "/"), dir, true
}

func FuzzAppendPath(f *testing.F) {
	for _, seed := range []string{"/", "", "/a/b", "/a/../b/", "/%2e%2E/", "/a//./b/..", "/%", "/a%00", "/a/..%2fb", "a/.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		want, wantDir, wantOK := slowPath(raw)
		got, dir, ok := appendPath(make([]byte, 0, 8), []byte(raw))
		if ok != wantOK || string(got) != want || ok && dir != wantDir {
			t.Errorf("%q: %q %t %t, want %q %t %t", raw, got, dir, ok, want, wantDir, wantOK)
		}
	})
}

func TestParam(t *testing.T) {
	tests := []struct {
		query, want string
		given       bool
	}{
		{"", "", false},
		{"ip", "", true},
		{"ip=", "", true},
		{"ip=a", "a", true},
		{"ip=a&ip=b", "b", true},
		{"ip=a=b&x", "a=b", true},
		{"xip=a&ipx=b", "", false},
		{"&&ip=a&", "a", true},
	}
	for _, test := range tests {
		if got, given := param([]byte(test.query), "ip"); string(got) != test.want || given != test.given {
			t.Errorf("%q: %q %t, want %q %t", test.query, got, given, test.want, test.given)
		}
	}
}

func TestAppendEscaped(t *testing.T) {
	for c := range 256 {
		in := "a/" + string([]byte{byte(c)}) + "b"
		got := string(appendEscaped(nil, []byte(in)))
		u, err := url.Parse("https://h.example.org/" + got)
		if err != nil || u.Path != "/"+in || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is encoded as %q, which is read as %+v, %v", in, got, u, err)
		}
		if strings.ContainsAny(got, " \"<>\\^`{|}+") {
			t.Errorf("%q is encoded as %q", in, got)
		}
	}
}

func FuzzAppendXML(f *testing.F) {
	f.Add([]byte("a<b>&\"'\t\n\r\x00\x01\xff\ufffe\u00fc"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := string(appendXML(nil, text))
		want := strings.ToValidUTF8(string(text), "\ufffd")
		if len(text) > 0 && len(got) == 0 || strings.ContainsAny(got, "<>\"\t\n\r\x00") {
			t.Errorf("%q became %q", text, got)
		}
		if !strings.ContainsAny(want, "&<>\"'\t\n\r") && !strings.ContainsFunc(want, func(c rune) bool { return c < ' ' || c == 0xfffe || c == 0xffff }) {
			if strings.Count(got, "\ufffd") < strings.Count(want, "\ufffd") {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}
