package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Format is the number of the format that this program writes. It reads the one
// before, too: an edge may be newer than its control plane, and starts from what
// it has on disk; a control plane may roll back to what it published before.
//
//   - 2: availability names the older versions that hosts hold; there are no
//     zones, which no publisher ever filled in.
//   - 1: the first.
const Format = 2

// oldFormat is the first format that this program reads.
const oldFormat = 1

// MaxManifest is the most bytes a manifest may have: enough for 100,000 sections.
const MaxManifest = 16 << 20

const (
	firstLine     = "waypost snapshot "
	maxSignatures = 16
)

// A Hash is the SHA-256 of a section's bytes.
type Hash [sha256.Size]byte

// HashOf returns the hash of b.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

// ParseHash reads the 64 hexadecimal digits of a hash.
func ParseHash(text string) (h Hash, err error) { return h, h.UnmarshalText([]byte(text)) }

// String returns 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns 64 hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hexadecimal digits, in lower case: a section has one name.
func (h *Hash) UnmarshalText(text []byte) error {
	var out Hash
	if n, err := hex.Decode(out[:], text[:min(len(text), 2*len(out))]); err != nil || n != len(out) || out.String() != string(text) {
		return fmt.Errorf("want %d hexadecimal digits in lower case, got %.80q", 2*len(out), text)
	}
	*h = out
	return nil
}

// A Kind is a kind of section.
type Kind string

// The kinds.
const (
	Categories   Kind = "categories"
	Hosts        Kind = "hosts" // all that is known of hosts, but for what they hold
	Directories  Kind = "directories"
	Repositories Kind = "repositories" // with their redirects and those that are disabled
	Overrides    Kind = "overrides"    // prefixes → countries, countries → continents
	Embargoes    Kind = "embargoes"
	Files        Kind = "files"        // named by the number of the block of directories
	Availability Kind = "availability" // named by the host

	zones Kind = "zones" // of format 1; passed over
)

// single returns the kinds of which a snapshot has one section each.
func single() []Kind {
	return []Kind{Categories, Hosts, Directories, Repositories, Overrides, Embargoes}
}

// A Section is a section as the manifest names it.
type Section struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name,omitempty"` // of the block or host, where there are several sections of a kind
	Hash  Hash   `json:"sha256"`
	Size  int    `json:"size"`  // bytes
	Raw   int    `json:"raw"`   // bytes, unpacked
	Items int    `json:"items"` // hosts, directories, files and so on; for those who look
}

// String returns the section's kind and name and the start of its hash.
func (s *Section) String() string {
	name := string(s.Kind)
	if s.Name != "" {
		name += " of " + s.Name
	}
	return name + " (" + s.Hash.String()[:12] + "…)"
}

// Verify returns an error unless b are the section's bytes.
func (s *Section) Verify(b []byte) error {
	if len(b) != s.Size {
		return fmt.Errorf("section %s: want %d bytes, got %d", s, s.Size, len(b))
	}
	if got := HashOf(b); got != s.Hash {
		return fmt.Errorf("section %s: the bytes have another SHA-256, %s", s, got)
	}
	return nil
}

// check returns an error if the section's sizes are beyond all limits.
func (s *Section) check() error {
	limit := maxRaw
	if s.Kind == Availability {
		limit = maxRawHost
	}
	if s.Raw < 0 || s.Raw > limit {
		return fmt.Errorf("unpacks to %d bytes, want at most %d", s.Raw, limit)
	}
	if most := s.Raw + s.Raw/128 + 64; s.Size < 0 || s.Size > most { // what does not compress grows a little
		return fmt.Errorf("has %d bytes, want at most %d", s.Size, most)
	}
	if s.Items < 0 {
		return fmt.Errorf("has %d items", s.Items)
	}
	return nil
}

// A Manifest names the sections of a snapshot.
type Manifest struct {
	Version  uint64    `json:"version"` // [NextVersion]
	Created  time.Time `json:"created"` // UTC
	Sections []Section `json:"sections"`

	// SignedBy is the ID of the key that [Open] verified it with.
	SignedBy string `json:"-"`
}

// Hashes returns the hashes of all sections.
func (m *Manifest) Hashes() map[Hash]bool {
	all := make(map[Hash]bool, len(m.Sections))
	for i := range m.Sections {
		all[m.Sections[i].Hash] = true
	}
	return all
}

// Sign returns the bytes of the manifest with a signature by each key.
func (m *Manifest) Sign(keys ...ed25519.PrivateKey) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding manifest: %w", err)
	}
	b := fmt.Appendf(nil, "%s%d\n%s\n", firstLine, Format, text)
	body := slices.Clip(b)
	for _, key := range keys {
		public, ok := key.Public().(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("signing manifest: the key has no public part")
		}
		b = fmt.Appendf(b, "ed25519 %s %s\n", KeyID(public), base64.StdEncoding.EncodeToString(ed25519.Sign(key, body)))
	}
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("encoding manifest: it has %d bytes, want at most %d", len(b), MaxManifest)
	}
	return b, nil
}

// Open returns the manifest b if one of keys signed it.
func Open(b []byte, keys []ed25519.PublicKey) (*Manifest, error) {
	body, signatures, err := split(b)
	if err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	by, err := verify(body, signatures, keys)
	if err != nil {
		return nil, fmt.Errorf("verifying manifest: %w", err)
	}
	m, err := parse(body)
	if err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	m.SignedBy = by
	return m, nil
}

// OpenUnverified returns the manifest b and the IDs of the keys that it says
// signed it. It is for people who look; nothing may be served from it.
func OpenUnverified(b []byte) (*Manifest, []string, error) {
	body, signatures, err := split(b)
	if err != nil {
		return nil, nil, fmt.Errorf("reading manifest: %w", err)
	}
	m, err := parse(body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading manifest: %w", err)
	}
	var ids []string
	for _, s := range signatures {
		ids = append(ids, s.key)
	}
	return m, ids, nil
}

// SameContent reports whether two manifests differ at most in their signatures.
func SameContent(a, b []byte) bool {
	bodyA, _, errA := split(a)
	bodyB, _, errB := split(b)
	return errA == nil && errB == nil && bytes.Equal(bodyA, bodyB)
}

type signature struct {
	key   string
	bytes []byte
}

// split returns what is signed, and the signatures.
func split(b []byte) (body []byte, signatures []signature, err error) {
	if len(b) > MaxManifest {
		return nil, nil, fmt.Errorf("it has more than %d bytes", MaxManifest)
	}
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	number, ours := bytes.CutPrefix(line, []byte(firstLine))
	if !ok || !ours {
		return nil, nil, fmt.Errorf("want a first line %q, got %.40q", firstLine+strconv.Itoa(Format), line)
	}
	if n, err := strconv.Atoi(string(number)); err != nil || n < oldFormat || n > Format || strconv.Itoa(n) != string(number) {
		return nil, nil, fmt.Errorf("format %.20q is not known, those from %d to %d are: is this program older than the publisher's?", number, oldFormat, Format)
	}
	text, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return nil, nil, errors.New("it is cut off")
	}
	body = b[:len(line)+1+len(text)+1]
	for len(rest) > 0 {
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return nil, nil, errors.New("it is cut off in a signature")
		}
		s, err := parseSignature(string(line))
		if err != nil {
			return nil, nil, err
		}
		if signatures = append(signatures, s); len(signatures) > maxSignatures {
			return nil, nil, fmt.Errorf("it has more than %d signatures", maxSignatures)
		}
	}
	return body, signatures, nil
}

func parseSignature(line string) (signature, error) {
	f := strings.Split(line, " ")
	if len(f) == 3 && f[0] == "ed25519" {
		if b, err := base64.StdEncoding.DecodeString(f[2]); err == nil && len(b) == ed25519.SignatureSize {
			return signature{f[1], b}, nil
		}
	}
	return signature{}, fmt.Errorf("want a line \"ed25519 KEY SIGNATURE\", got %.120q", line)
}

// verify returns the ID of the first of keys that signed body.
func verify(body []byte, signatures []signature, keys []ed25519.PublicKey) (by string, err error) {
	if len(signatures) == 0 {
		return "", errors.New("it is not signed")
	}
	known := make([]string, len(keys))
	err = nil
	for i, key := range keys {
		known[i] = KeyID(key)
		for _, s := range signatures {
			if s.key != known[i] {
				continue
			}
			if ed25519.Verify(key, body, s.bytes) {
				return s.key, nil
			}
			err = fmt.Errorf("the signature of key %s does not fit: it was changed, or signed by another key", s.key)
		}
	}
	if err != nil {
		return "", err
	}
	by = signatures[0].key
	for _, s := range signatures[1:] {
		by += ", " + s.key
	}
	return "", fmt.Errorf("it is signed by the key %.400s; known is %s", by, strings.Join(known, ", "))
}

// parse reads the manifest's first two lines and checks what they say.
func parse(body []byte) (*Manifest, error) {
	_, text, _ := bytes.Cut(body, []byte("\n"))
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(text[d.InputOffset():])) != "" {
		return nil, errors.New("there is more behind the sections")
	}
	sum := 0
	for i := range m.Sections {
		s := &m.Sections[i]
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("section %s: %w", s, err)
		}
		if sum += s.Raw; sum > maxRawSum {
			return nil, fmt.Errorf("all sections unpack to more than %d bytes", maxRawSum)
		}
	}
	return m, nil
}
