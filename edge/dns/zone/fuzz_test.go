package zone

import (
	"testing"

	"github.com/waypost/waypost/edge/dns/wire"
)

// FuzzCompile: no zone text and no name crashes Compile, and every name of a
// zone that it accepts is found again.
func FuzzCompile(f *testing.F) {
	f.Add(small().Records, "dl")
	f.Add("\\000.\\255A IN TXT \"x\"\n", "*")
	f.Add("$ORIGIN a.m.test.\n@ 60 IN MX 10 b\n", "a.m.test.")
	f.Add("$GENERATE 1-3 a$ IN A 192.0.2.$\n", "@")
	f.Add("x TYPE65280 \\# 2 abcd\n", "b\\.c")
	f.Fuzz(func(t *testing.T, records, mirror string) {
		c := small()
		c.Records, c.Mirrors = records, []Mirror{{Name: mirror, Path: "p"}}
		zs, err := Compile([]Config{c})
		if err != nil {
			return
		}
		z := zs.All()[0]
		for key, want := range z.nodes {
			n := &wire.Name{}
			if !n.Set([]byte(key)) {
				t.Fatalf("%q is no name", key)
			}
			if zs.Find(n) != z || z.Find(n) != want {
				t.Errorf("%q is not found", key)
			}
		}
	})
}
