package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
)

func ExampleParseNetblock() {
	for _, s := range []string{"192.0.2.0/24", "192.0.2.1", "192.0.2.1-192.0.2.3", "lab.example.org", "192.0.2.1/24"} {
		n, err := registry.ParseNetblock(s)
		fmt.Printf("%v %q %v\n", n.Prefixes(), n.Name, err != nil)
	}
	// Output:
	// [192.0.2.0/24] "" false
	// [192.0.2.1/32] "" false
	// [192.0.2.1/32 192.0.2.2/31] "" false
	// [] "lab.example.org" false
	// [] "" true
}

func TestBadNetblocks(t *testing.T) {
	for _, s := range []string{
		"", "x", "-", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "fe80::1%a", "fe80::1%a-fe80::2%a",
		"::ffff:192.0.2.1", "::ffff:0:0/96", "1.2.3", "a..b", "-a.b", "a-.b", "a.b.", "a b.c", "ä.org", strings.Repeat("a", 64) + ".org",
		strings.Repeat("a.", 130) + "org",
	} {
		if n, err := registry.ParseNetblock(s); err == nil {
			t.Errorf("%q gives %v", s, n)
		}
	}
}

func FuzzParseNetblock(f *testing.F) {
	for _, s := range []string{"192.0.2.0/24", "2001:db8::1-2001:db8::f", "a-b.example.org", "192.0.2.1-x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := registry.ParseNetblock(s)
		if err != nil {
			return
		}
		if (n.Name != "") == n.Range.IsValid() || n.Name != "" && n.Name != s {
			t.Errorf("%q gives %v", s, n)
		}
		for _, p := range n.Prefixes() {
			if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
				t.Errorf("%q gives the prefix %v", s, p)
			}
		}
	})
}
