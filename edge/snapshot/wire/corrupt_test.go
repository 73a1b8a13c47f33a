package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(keys ...ed25519.PrivateKey) (all []ed25519.PublicKey) {
	for _, k := range keys {
		all = append(all, k.Public().(ed25519.PublicKey))
	}
	return all
}

func TestOpen(t *testing.T) {
	old, current, other := key(1), key(2), key(3)
	m := encode(t, random(1)).manifest
	sign := func(keys ...ed25519.PrivateKey) []byte {
		b, err := m.Sign(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := sign(current)
	replace := func(from, to string) []byte { return bytes.Replace(good, []byte(from), []byte(to), 1) }
	tests := []struct {
		name string
		b    []byte
		want string // of the error; "" for none
	}{
		{"good", good, ""},
		{"signed by both keys", sign(other, old, current), ""},
		{"old key", sign(old), ""},
		{"unsigned", sign(), "it is not signed"},
		{"unknown key", sign(other), "it is signed by the key " + wire.KeyID(public(other)[0]) + "; known is"},
		{"changed", replace(`"version":`, `"version":1`), "the signature of key " + wire.KeyID(public(current)[0]) + " does not fit"},
		{"another's name on it", bytes.Replace(sign(other), []byte(wire.KeyID(public(other)[0])), []byte(wire.KeyID(public(old)[0])), 1), "does not fit"},
		{"later format", replace("snapshot 2", "snapshot 3"), `format "3" is not known, those from 1 to 2 are`},
		{"empty", nil, "want a first line"},
		{"a page of a portal", []byte("<html>\n<body>\n"), "want a first line"},
		{"cut in the first line", good[:10], "want a first line"},
		{"cut in the sections", good[:200], "it is cut off"},
		{"cut in the signature", good[:len(good)-5], "it is cut off in a signature"},
		{"bad signature line", append(slices.Clone(good), "rsa x y\n"...), `want a line "ed25519 KEY SIGNATURE"`},
		{"many signatures", append(slices.Clone(good), bytes.Repeat(good[bytes.Index(good, []byte("\ned25519"))+1:], 20)...), "more than 16 signatures"},
		{"huge", append(slices.Clone(good), make([]byte, wire.MaxManifest)...), "more than"},
	}
	for _, tt := range tests {
		got, err := wire.Open(tt.b, public(old, current))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err == nil && (got.Version != m.Version || got.SignedBy == "") {
			t.Errorf("%s: got version %d signed by %q", tt.name, got.Version, got.SignedBy)
		}
	}
	if !wire.SameContent(sign(old), sign(current)) || wire.SameContent(good, replace("1", "2")) {
		t.Error("SameContent sees signatures, or nothing at all")
	}
}

func TestOpenRefusesSections(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *wire.Section)
		want   string
	}{
		{"bomb", func(s *wire.Section) { s.Raw = 1 << 40 }, "unpacks to 1099511627776 bytes, want at most"},
		{"negative", func(s *wire.Section) { s.Raw = -1 }, "unpacks to -1 bytes"},
		{"large", func(s *wire.Section) { s.Size = 1 << 40 }, "has 1099511627776 bytes"},
		{"items", func(s *wire.Section) { s.Items = -1 }, "has -1 items"},
	}
	for _, tt := range tests {
		m := encode(t, random(1)).manifest
		tt.change(&m.Sections[2])
		b, err := m.Sign(key(1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = wire.Open(b, public(key(1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "section directories (") {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	m := encode(t, random(1)).manifest
	for i := range 20 {
		m.Sections = append(m.Sections, wire.Section{Kind: wire.Files, Name: fmt.Sprint(i), Raw: 1 << 29})
	}
	b, _ := m.Sign(key(1))
	if _, err := wire.Open(b, public(key(1))); err == nil || !strings.Contains(err.Error(), "all sections unpack to more than") {
		t.Errorf("many large sections: %v", err)
	}
}

func pack(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		tb.Fatal(err)
	}
	return z.EncodeAll(raw, nil)
}

func unpack(tb testing.TB, b []byte) []byte {
	tb.Helper()
	z, err := zstd.NewReader(nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	raw, err := z.DecodeAll(b, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// with returns p with other bytes in section i, which the manifest names: what
// a broken publisher would sign.
func (p *published) with(i int, b []byte, raw int) *published {
	m := *p.manifest
	m.Sections = slices.Clone(m.Sections)
	next := &published{&m, maps.Clone(p.sections)}
	s := &m.Sections[i]
	s.Hash, s.Size, s.Raw = wire.HashOf(b), len(b), raw
	next.sections[s.Hash] = b
	return next
}

// each returns the first section of each kind.
func (p *published) each() map[wire.Kind]int {
	first := map[wire.Kind]int{}
	for i, s := range slices.Backward(p.manifest.Sections) {
		first[s.Kind] = i
	}
	return first
}

// Damage in any section is an error that names it.
func TestDamagedSections(t *testing.T) {
	p := encode(t, random(1))
	for kind, i := range p.each() {
		b := p.sections[p.manifest.Sections[i].Hash]
		raw := unpack(t, b)
		cut := pack(t, raw[:len(raw)-1])
		more := pack(t, append(slices.Clone(raw), 0))
		other := pack(t, []byte("other\n"))
		flipped := slices.Clone(b)
		flipped[len(b)/2] ^= 1
		missing := p.with(i, b, len(raw))
		delete(missing.sections, wire.HashOf(b))
		damaged := p.with(i, b, len(raw))
		damaged.sections[wire.HashOf(b)] = flipped
		tests := []struct {
			name string
			p    *published
			want string
		}{
			{"flipped", damaged, "the bytes have another SHA-256"},
			{"truncated", p.with(i, b[:len(b)-1], len(raw)), "unpacking"},
			{"no zstd", p.with(i, raw, len(raw)), "unpacking"},
			{"empty", p.with(i, nil, 0), "unpacking"},
			{"missing", missing, "it is missing"},
			{"cut inside", p.with(i, cut, len(raw)-1), "at byte"},
			{"more inside", p.with(i, more, len(raw)+1), "left over"},
			{"another kind", p.with(i, other, 6), "inside is a section of another kind"},
			{"larger than it says", p.with(i, b, len(raw)-1), "unpacking: want a frame of"},
			{"two frames", p.with(i, append(slices.Clone(b), b...), len(raw)), "unpacking"},
		}
		for _, tt := range tests {
			_, err := wire.Decode(tt.p.manifest, tt.p.get)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "section "+string(kind)) {
				t.Errorf("%s, %s: got %v, want %q", kind, tt.name, err, tt.want)
			}
		}
	}
}

// Every cut of every section's inside is refused, and no flipped byte crashes.
func TestCutsAndFlips(t *testing.T) {
	p := encode(t, random(1))
	for kind, i := range p.each() {
		raw := unpack(t, p.sections[p.manifest.Sections[i].Hash])
		for n := 0; n < len(raw); n += 1 + len(raw)/150 {
			bad := p.with(i, pack(t, raw[:n]), n)
			if _, err := wire.Decode(bad.manifest, bad.get); err == nil {
				t.Errorf("%s: cut to %d of %d bytes was taken", kind, n, len(raw))
			}
			flipped := slices.Clone(raw)
			flipped[n] ^= 0x80
			bad = p.with(i, pack(t, flipped), len(raw))
			_, _ = wire.Decode(bad.manifest, bad.get)
		}
	}
}

// What availability says of older versions has to fit what it says of holes.
func TestBadOlderVersions(t *testing.T) {
	p := encode(t, random(1))
	at := p.each()[wire.Availability]
	bitmap, none := []byte{0}, []byte{0}
	holes := []byte{2, 1, 1, 'a', 0, 1, 'b'} // in the directory of number 1: a, b
	sum := make([]byte, 32)
	for name, tt := range map[string]struct {
		inside []byte
		want   string
	}{
		"no older versions": {slices.Concat(bitmap, holes), ""},
		"one":               {slices.Concat(bitmap, holes, []byte{1, 1}, sum), ""},
		"both":              {slices.Concat(bitmap, holes, []byte{2, 0}, sum, []byte{0}, sum), ""},
		"an empty list":     {slices.Concat(bitmap, holes, none), "left over"},
		"beyond the holes":  {slices.Concat(bitmap, holes, []byte{1, 2}, sum), "there are no more"},
		"without holes":     {slices.Concat(bitmap, none, []byte{1, 0}, sum), "there are no more"},
		"too many":          {slices.Concat(bitmap, holes, []byte{3, 0}, sum, []byte{0}, sum, []byte{0}, sum), "there are no more"},
		"cut":               {slices.Concat(bitmap, holes, []byte{1, 0}, sum[1:]), "want 32 bytes, there are 31"},
		"more":              {slices.Concat(bitmap, holes, []byte{1, 0}, sum, none), "left over"},
		"holes descend":     {slices.Concat(bitmap, []byte{2, 1, 1, 'b', 0, 1, 'a'}), `missing file "a" comes after "b"`},
		"a hole twice":      {slices.Concat(bitmap, []byte{2, 1, 1, 'b', 0, 1, 'b'}), `missing file "b" comes after "b"`},
	} {
		raw := append([]byte(string(wire.Availability)+"\n"), tt.inside...)
		bad := p.with(at, pack(t, raw), len(raw))
		_, err := wire.Decode(bad.manifest, bad.get)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(m *wire.Manifest, first map[wire.Kind]int)
		want   string
	}{
		{"no hosts", func(m *wire.Manifest, first map[wire.Kind]int) {
			m.Sections = slices.Delete(m.Sections, first[wire.Hosts], first[wire.Hosts]+1)
		}, "the manifest has no section hosts"},
		{"twice", func(m *wire.Manifest, first map[wire.Kind]int) {
			m.Sections = append(m.Sections, m.Sections[first[wire.Embargoes]])
		}, "section embargoes (%): the manifest has it twice"},
		{"a host twice", func(m *wire.Manifest, first map[wire.Kind]int) {
			m.Sections = append(m.Sections, m.Sections[first[wire.Availability]])
		}, "the manifest has it twice"},
		{"unknown kind", func(m *wire.Manifest, _ map[wire.Kind]int) { m.Sections[0].Kind = "moods" }, "its kind is not known"},
		{"bad block", func(m *wire.Manifest, first map[wire.Kind]int) { m.Sections[first[wire.Files]].Name = "x" }, "want the number of a block"},
		{"a host that is not there", func(m *wire.Manifest, first map[wire.Kind]int) { m.Sections[first[wire.Availability]].Name = "nobody" }, "1 sections of availability for hosts that are not in section hosts"},
	}
	for _, tt := range tests {
		p := encode(t, random(1))
		tt.change(p.manifest, p.each())
		_, err := wire.Decode(p.manifest, p.get)
		parts := strings.Split(tt.want, "%")
		if err == nil || !strings.Contains(err.Error(), parts[0]) || !strings.Contains(err.Error(), parts[len(parts)-1]) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// FuzzOpen reads manifests that are signed, and such that are not.
func FuzzOpen(f *testing.F) {
	m := encode(f, random(1)).manifest
	m.Sections = m.Sections[:3]
	b, err := m.Sign(key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("waypost snapshot 1\n{}\n"))
	f.Add([]byte("waypost snapshot 1\n{\"sections\":[{},{}]}\ned25519 a AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := wire.Open(b, public(key(1))); err == nil && got.SignedBy == "" {
			t.Error("opened without a signature")
		}
		got, _, err := wire.OpenUnverified(b)
		if err != nil {
			return
		}
		if again, err := got.Sign(key(2)); err != nil {
			t.Error(err)
		} else if _, err = wire.Open(again, public(key(2))); err != nil {
			t.Errorf("what was read and signed is refused: %v", err)
		}
	})
}

// FuzzSection puts any bytes into each kind of section. What is taken must be
// encoded again without an error.
func FuzzSection(f *testing.F) {
	p := encode(f, random(3))
	kinds := p.each()
	names := slices.Sorted(maps.Keys(kinds))
	for n, kind := range names {
		raw := unpack(f, p.sections[p.manifest.Sections[kinds[kind]].Hash])
		f.Add(uint8(n), raw[len(kind)+1:])
	}
	some := p.manifest.Sections[kinds[wire.Availability]:]
	for _, s := range some[:min(len(some), 5)] { // some hosts hold older versions, some do not
		if s.Kind == wire.Availability {
			f.Add(uint8(slices.Index(names, s.Kind)), unpack(f, p.sections[s.Hash])[len(s.Kind)+1:])
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, raw []byte) {
		kind := names[int(n)%len(names)]
		raw = append([]byte(string(kind)+"\n"), raw...)
		bad := p.with(kinds[kind], pack(t, raw), len(raw))
		s, err := wire.Decode(bad.manifest, bad.get)
		if err != nil {
			return
		}
		back := encode(t, s)
		again, err := wire.Decode(back.manifest, back.get)
		if err != nil {
			t.Fatalf("%s: what was decoded and encoded is refused: %v", kind, err)
		}
		if diff := difference(s, again); diff != "" {
			t.Fatalf("%s (-first +second):\n%s", kind, diff)
		}
	})
}
