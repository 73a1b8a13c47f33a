package strict_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/snapshot/strict"
)

type config struct {
	Name   string                `yaml:"name"`
	Every  time.Duration         `yaml:"every"`
	Listen []netip.AddrPort      `yaml:"listen"`
	Peers  map[string]netip.Addr `yaml:"peers"`
	Inner  *inner                `yaml:"inner"`
	Hosts  []inner               `yaml:"hosts"`
	When   time.Time             `yaml:"when"`
	Hidden string
}

type inner struct {
	On    bool    `yaml:"on"`
	Count uint8   `yaml:"count"`
	Share float64 `yaml:"share"`
}

const good = `# a comment
name: 17
every: 30s
listen: "127.0.0.1:80"
peers:
  a: 192.0.2.1
  b: 2001:db8::1
inner: {on: true, count: 3, share: 0.5}
hosts:
  - on: false
  - count: 9
when: 2026-01-02T03:04:05Z
`

func TestDecode(t *testing.T) {
	var got config
	if err := strict.Decode("a.yaml", []byte(good), &got).Err(); err != nil {
		t.Fatal(err)
	}
	want := config{
		Name: "17", Every: 30 * time.Second,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")},
		Peers:  map[string]netip.Addr{"a": netip.MustParseAddr("192.0.2.1"), "b": netip.MustParseAddr("2001:db8::1")},
		Inner:  &inner{On: true, Count: 3, Share: 0.5},
		Hosts:  []inner{{}, {Count: 9}},
		When:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); d != "" {
		t.Error(d)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	const bad = `name: [x]
every: 30
nickname: x
name: again
listen: [127.0.0.1, "[::1]:80"]
peers: 3
inner:
  count: 256
  on: maybe
hosts:
  - on: true
    off: true
`
	var got config
	doc := strict.Decode("bad.yaml", []byte(bad), &got)
	doc.Problem("every", "want more than nothing, got 0s") // what it is by default: this is no second problem
	doc.KeyProblem("every", "given by another name, too")
	doc.Problem("hosts[0].share", "want a share above 0, got %v", 0)
	want := []string{
		`bad.yaml:1: name: want text, got a list`,
		`bad.yaml:2: every: want a duration such as 30s, got "30"`,
		`bad.yaml:3: nickname: unknown key; known here are name, every, listen, peers, inner, hosts, when`,
		`bad.yaml:4: name: given twice, first in line 1`,
		`bad.yaml:5: listen[0]: want an address and port such as 127.0.0.1:8080 or [::1]:8080, got "127.0.0.1"`,
		`bad.yaml:6: peers: want keys and values, got "3"`,
		`bad.yaml:8: inner.count: want a whole number that is not negative and fits 8 bits, got "256"`,
		`bad.yaml:9: inner.on: want true or false, got "maybe"`,
		`bad.yaml:12: hosts[0].off: unknown key; known here are on, count, share`,
		`bad.yaml:2: every: given by another name, too`,
		`bad.yaml:11: hosts[0].share: want a share above 0, got 0`,
	}
	if d := cmp.Diff(want, strings.Split(doc.Err().Error(), "\n")); d != "" {
		t.Error(d)
	}
}

func TestSkip(t *testing.T) {
	var got struct {
		Mine   string      `yaml:"mine"`
		Theirs strict.Skip `yaml:"theirs"`
	}
	doc := strict.Decode("s.yaml", []byte("mine: x\ntheirs: {whatever: [1, 2]}\n"), &got)
	if err := doc.Err(); err != nil || got.Mine != "x" || !doc.Has("theirs") {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestNoYAML(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"empty":   {"", "e.yaml:1: want keys, got an empty file"},
		"comment": {"# nothing\n", "e.yaml:1: want keys, got an empty file"},
		"bracket": {"name: [\n", "e.yaml:1: no valid YAML: "},
		"two":     {"name: a\n---\nname: b\n", "e.yaml:2: want one YAML document, got 2"},
		"word":    {"hello", `e.yaml:1: want keys and values, got "hello"`},
	} {
		t.Run(name, func(t *testing.T) {
			var got config
			err := strict.Decode("e.yaml", []byte(test.in), &got).Err()
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("a: &x [1, *x]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var got config
		_ = strict.Decode("fuzz.yaml", data, &got).Err()
	})
}

// A file that is something else, such as zeros, must not fill the log.
func TestProblemsAreShort(t *testing.T) {
	for _, text := range []string{strings.Repeat("\x00", 1e5), "name: " + strings.Repeat("x", 1e5) + "\ninner: " + strings.Repeat("y", 1e5), "every: " + strings.Repeat("z", 1e5)} {
		err := strict.Decode("a.yaml", []byte(text), &config{}).Err()
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%.20q…: %.2000v", text, err)
		}
	}
}
