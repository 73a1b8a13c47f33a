package cluster

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

// maxKeys is how many keys an edge accepts: while keys change there are two.
const maxKeys = 8

// GenerateKey returns a new key, as a line of a key file.
func GenerateKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// ReadKeys reads the keys of all files, in order, each once: the first is that
// which encrypts. The error names file and line, and no key.
func ReadKeys(files []string) (keys [][]byte, err error) {
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, err
		}
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			key, err := base64.StdEncoding.DecodeString(line)
			if err != nil || memberlist.ValidateKey(key) != nil {
				return nil, fmt.Errorf("%s:%d: want 16, 24 or 32 bytes in base64", file, i+1)
			}
			if !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) {
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			return nil, fmt.Errorf("%s: want a key, it has none", file)
		}
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("want at most %d keys, got %d", maxKeys, len(keys))
	}
	return keys, nil
}

// A KeyID names a key without telling it: the first bytes of a hash.
type KeyID uint32

// String returns the ID as people write it.
func (id KeyID) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// MarshalText returns the ID as people write it, for JSON.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads an ID.
func (id *KeyID) UnmarshalText(text []byte) error {
	parsed, err := ParseKeyID(string(text))
	*id = parsed
	return err
}

// ParseKeyID reads an ID.
func ParseKeyID(text string) (KeyID, error) {
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil || len(text) != 8 {
		return 0, fmt.Errorf("want the ID of a key, 8 hexadecimal digits, got %.20q", text)
	}
	return KeyID(n), nil
}

func idOf(key []byte) KeyID {
	sum := sha256.Sum256(append([]byte("waypost gossip key\x00"), key...))
	return KeyID(binary.BigEndian.Uint32(sum[:]))
}

// keyring holds the keys in use. The library reads it while it works.
type keyring struct {
	ring  *memberlist.Keyring // nil: nothing is encrypted
	files []string
	seen  map[string]seenFile

	failed atomic.Bool // the files could not be taken over; the keys of before are in use
}

// A seenFile is how a file was when it was last looked at.
type seenFile struct {
	changed int64 // Unix nanoseconds
	mode    fs.FileMode
	gone    bool // or cannot be looked at
}

// newKeyring reads the files.
func newKeyring(files []string) (*keyring, error) {
	k := &keyring{files: files, seen: map[string]seenFile{}}
	k.changed()
	keys, err := ReadKeys(files)
	if err != nil || len(keys) == 0 {
		return k, err
	}
	k.ring, err = memberlist.NewKeyring(keys, keys[0])
	return k, err
}

// changed reports whether files have changed, gone or come since it was last asked.
func (k *keyring) changed() bool {
	changed := false
	for _, file := range k.files {
		now := seenFile{gone: true}
		if info, err := os.Stat(file); err == nil {
			now = seenFile{changed: info.ModTime().UnixNano(), mode: info.Mode()}
		}
		if k.seen[file] != now {
			k.seen[file] = now
			changed = true
		}
	}
	return changed
}

// exposed returns the files that others than their owner and its group can read,
// or others than their owner can write to.
func (k *keyring) exposed() (files []string) {
	for _, file := range k.files {
		if k.seen[file].mode&0o026 != 0 {
			files = append(files, file)
		}
	}
	return files
}

// reload takes what the files have now.
func (k *keyring) reload() error {
	keys, err := ReadKeys(k.files)
	if err != nil || k.ring == nil {
		return err
	}
	for _, key := range keys {
		err = errors.Join(err, k.ring.AddKey(key))
	}
	err = errors.Join(err, k.ring.UseKey(keys[0]))
	for _, key := range slices.Clone(k.ring.GetKeys()) {
		if !slices.ContainsFunc(keys, func(wanted []byte) bool { return bytes.Equal(wanted, key) }) {
			err = errors.Join(err, k.remove(key))
		}
	}
	return err
}

// remove takes a key out. The library moves the keys behind it within an array
// that others may be reading; so those are taken out before, from the end, and
// put back.
func (k *keyring) remove(key []byte) error {
	keys := slices.Clone(k.ring.GetKeys())
	at := slices.IndexFunc(keys, func(known []byte) bool { return bytes.Equal(known, key) })
	if at <= 0 {
		return errors.New("want a key that is there and does not encrypt")
	}
	var err error
	for _, after := range slices.Backward(keys[at:]) {
		err = errors.Join(err, k.ring.RemoveKey(after))
	}
	for _, after := range keys[at+1:] {
		err = errors.Join(err, k.ring.AddKey(after))
	}
	return err
}

// ids returns the IDs of the keys, that which encrypts first.
func (k *keyring) ids() (ids []KeyID) {
	if k.ring == nil {
		return nil
	}
	for _, key := range k.ring.GetKeys() {
		ids = append(ids, idOf(key))
	}
	return ids
}

// find returns the key of an ID.
func (k *keyring) find(id KeyID) ([]byte, error) {
	if k.ring != nil {
		for _, key := range k.ring.GetKeys() {
			if idOf(key) == id {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("this edge has no key %s: add it to a key file", id)
}
