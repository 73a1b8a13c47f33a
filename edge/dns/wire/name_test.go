package wire

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestName(t *testing.T) {
	long := strings.Repeat("\x3f"+strings.Repeat("a", 63), 3) // 192 bytes
	for _, tc := range []struct {
		name, in string
		want     int // length, -1 for no name
		labels   int
	}{
		{"root", "\x00", 1, 0},
		{"lower case", "\x02Dl\x04TEST\x00rest", 9, 2},
		{"255 bytes", long + "\x3d" + strings.Repeat("b", 61) + "\x00", 255, 4},
		{"256 bytes", long + "\x3e" + strings.Repeat("b", 62) + "\x00", -1, 0},
		{"127 labels", strings.Repeat("\x01a", 127) + "\x00", 255, 127},
		{"128 labels", strings.Repeat("\x01a", 128) + "\x00", -1, 0},
		{"no root", "\x02dl", -1, 0},
		{"cut", "\x02d", -1, 0},
		{"nothing", "", -1, 0},
		{"pointer", "\xc0\x0c", -1, 0},
		{"label of 64", "\x40" + strings.Repeat("a", 64) + "\x00", -1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var n Name
			got := n.parse([]byte(tc.in))
			if got != tc.want {
				t.Fatalf("got %d, want %d", got, tc.want)
			}
			if got < 0 {
				return
			}
			if want := strings.ToLower(tc.in[:got]); n.Labels() != tc.labels || string(n.Bytes()) != want || string(n.Suffix(0)) != "\x00" {
				t.Errorf("got %q, %d labels", n.Bytes(), n.Labels())
			}
			for labels := range n.Labels() + 1 {
				if s := n.Suffix(labels); n.Offset(labels)+len(s) != got {
					t.Errorf("suffix of %d labels: %q at %d", labels, s, n.Offset(labels))
				}
			}
		})
	}
}

func TestAppendHost(t *testing.T) {
	for _, tc := range []struct {
		in, want string // "" for no host name
	}{
		{"de1.example.org", "\x03de1\x07example\x03org\x00"},
		{"DE1.Example.ORG.", "\x03de1\x07example\x03org\x00"},
		{"localhost", "\x09localhost\x00"},
		{"a_b.x-y.test", "\x03a_b\x03x-y\x04test\x00"},
		{"1and1.test", "\x051and1\x04test\x00"},
		{"192.0.2.1", ""},
		{"2130706433", ""},
		{"127.1", ""},
		{"[2001:db8::1]", ""},
		{"", ""},
		{".", ""},
		{"a..b", ""},
		{".a", ""},
		{"a b.test", ""},
		{"münchen.test", ""},
		{strings.Repeat("a", 64) + ".test", ""},
		{strings.Repeat("a.", 126) + "a", strings.Repeat("\x01a", 127) + "\x00"},
		{strings.Repeat("a.", 127) + "a", ""},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, ok := AppendHost([]byte("x"), tc.in)
			if ok != (tc.want != "") || string(got) != "x"+tc.want {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

// FuzzName compares with miekg/dns.
func FuzzName(f *testing.F) {
	f.Add([]byte("\x02dl\x04test\x00"))
	f.Add([]byte("\x02dl"))
	f.Add([]byte(strings.Repeat("\x01a", 128) + "\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var n Name
		got := n.parse(b)
		_, end, err := dns.UnpackDomainName(b, 0)
		pointer := false
		for at := 0; at < len(b) && b[at] != 0 && !pointer; at += 1 + int(b[at]) {
			pointer = b[at] >= 0xc0
		}
		switch {
		case len(b) == 0 || pointer: // miekg/dns follows it, or calls nothing the root
		case err != nil && got >= 0:
			t.Errorf("%q: got %d, miekg/dns has %v", b, got, err)
		case err == nil && got != end:
			t.Errorf("%q: got %d, miekg/dns has %d", b, got, end)
		}
	})
}
