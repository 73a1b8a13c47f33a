package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// hashRounds is the work of a password's hash: PBKDF2 with SHA-256 and 600,000
// rounds, as OWASP advises, takes about 0.1 s. Older hashes say their own.
const hashRounds = 600_000

// A hash is a password's hash, taken apart.
type hash struct {
	rounds    int
	salt, sum []byte
}

// HashPassword returns a salted hash of a password, such as
// pbkdf2-sha256$600000$SALT$SUM. It costs about 0.1 s.
func HashPassword(password string) (string, error) {
	h := hash{rounds: hashRounds, salt: make([]byte, 16)}
	_, _ = rand.Read(h.salt) // never fails
	sum, err := pbkdf2.Key(sha256.New, password, h.salt, h.rounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	text := base64.RawStdEncoding
	return fmt.Sprintf("pbkdf2-sha256$%d$%s$%s", h.rounds, text.EncodeToString(h.salt), text.EncodeToString(sum)), nil
}

// IsPassword reports whether password is the one that was hashed. It costs about
// 0.1 s, also where hashed is empty or not a hash, and then says no: an answer's
// time does not tell whether there is a password at all.
func IsPassword(hashed, password string) bool {
	h, bad := parseHash(hashed)
	if bad != nil {
		h = hash{rounds: hashRounds, salt: make([]byte, 16)}
	}
	sum, err := pbkdf2.Key(sha256.New, password, h.salt, h.rounds, sha256.Size)
	return err == nil && bad == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
}

var errHash = errors.New("not a password's hash")

func parseHash(s string) (h hash, err error) {
	fields := strings.Split(s, "$")
	if len(fields) != 4 || fields[0] != "pbkdf2-sha256" {
		return h, errHash
	}
	h.rounds, err = strconv.Atoi(fields[1])
	salt, err1 := base64.RawStdEncoding.DecodeString(fields[2])
	sum, err2 := base64.RawStdEncoding.DecodeString(fields[3])
	if errors.Join(err, err1, err2) != nil || h.rounds < 1 || h.rounds > 10*hashRounds || len(sum) != sha256.Size {
		return h, errHash
	}
	h.salt, h.sum = salt, sum
	return h, nil
}

// HashToken returns the SHA-256 of a token in hexadecimal. Tokens are random,
// so that they need neither salt nor slowness.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// A SecretKey encrypts what the database must not give away. It is for any
// number of goroutines.
type SecretKey [32]byte

const sealed = "aes256gcm$"

// Seal encrypts a secret by AES-256-GCM. It opens only with the same context,
// such as the key of the host whose secret it is.
func (k SecretKey) Seal(secret, context string) (string, error) {
	gcm, err := k.cipher()
	if err != nil {
		return "", err
	}
	box := gcm.Seal(nil, nil, []byte(secret), []byte(context)) //nolint:gosec // G407: no nonce is given, the cipher draws one
	return sealed + base64.RawStdEncoding.EncodeToString(box), nil
}

// Open decrypts what Seal returned.
func (k SecretKey) Open(box, context string) (string, error) {
	gcm, err := k.cipher()
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(box, sealed)
	data, err := base64.RawStdEncoding.DecodeString(text)
	if !ok || err != nil {
		return "", fmt.Errorf("opening the secret of %s: it is not encrypted text", context)
	}
	secret, err := gcm.Open(nil, nil, data, []byte(context))
	if err != nil {
		return "", fmt.Errorf("opening the secret of %s: encrypted with another key, for another context, or changed", context)
	}
	return string(secret), nil
}

// cipher returns a cipher that draws a random nonce for every secret.
func (k SecretKey) cipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// isSealed reports whether s looks like what Seal returns.
func isSealed(s string) bool {
	text, ok := strings.CutPrefix(s, sealed)
	_, err := base64.RawStdEncoding.DecodeString(text)
	return ok && err == nil
}
