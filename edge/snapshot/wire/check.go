package wire

import (
	"fmt"
	"strings"
)

// checkText returns an error if s has control characters.
func checkText(s string) error {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return fmt.Errorf("want no control characters, got %.80q", s)
		}
	}
	return nil
}

// checkPath returns an error unless path is one that requests are looked up
// by: without slashes at its ends and without the segments "", "." and "..".
func checkPath(path string) error {
	if path == "" {
		return nil
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("want a path without slashes at its ends and without empty, . and .. segments, got %.200q", path)
		}
	}
	return nil
}

// checkURL returns an error unless url can be put before a path.
func checkURL(url string) error {
	scheme, rest, ok := strings.Cut(url, "://")
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if !ok || scheme == "" || rest == "" || strings.HasSuffix(url, "/") || strings.ContainsAny(url, `"<>?#`) || strings.ContainsFunc(url, odd) {
		return fmt.Errorf("want a URL SCHEME://HOST/PATH without a slash at its end, a query or a fragment, got %.200q", url)
	}
	return nil
}

// checkName returns an error unless name can be the name of a file.
func checkName(name []byte) error {
	if len(name) == 0 || len(name) > maxText || string(name) == "." || string(name) == ".." {
		return fmt.Errorf("want the name of a file, got %.80q", name)
	}
	for _, b := range name {
		if b < ' ' || b == 0x7f || b == '/' {
			return fmt.Errorf("want the name of a file without slashes and control characters, got %.80q", name)
		}
	}
	return nil
}
