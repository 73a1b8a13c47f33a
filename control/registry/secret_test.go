package registry_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
)

func TestPassword(t *testing.T) {
	hash, err := registry.HashPassword("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "pbkdf2-sha256$600000$") || !registry.IsPassword(hash, "hunter2") || registry.IsPassword("", "") {
		t.Errorf("the hash %s is not that of its password", hash)
	}
	// of few rounds, for the sake of time
	hash = "pbkdf2-sha256$1$AAAAAAAAAAAAAAAAAAAAAA$" + sumOf(t, "hunter2")
	tests := []struct {
		name, hash, password string
		want                 bool
	}{
		{"right", hash, "hunter2", true},
		{"wrong", hash, "hunter3", false},
		{"empty", hash, "", false},
		{"no hash at all", "hunter2", "hunter2", false},
		{"hash of too many rounds", strings.Replace(hash, "$1$", "$9999999999$", 1), "hunter2", false},
		{"short sum", hash[:len(hash)-4], "hunter2", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := registry.IsPassword(test.hash, test.password); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// sumOf returns a password's sum of one round with a salt of zeros.
func sumOf(t *testing.T, password string) string {
	t.Helper()
	sum, err := pbkdf2.Key(sha256.New, password, make([]byte, 16), 1, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawStdEncoding.EncodeToString(sum)
}

func TestSecretKey(t *testing.T) {
	key := registry.SecretKey{1, 2, 3}
	box, err := key.Seal("user:password", "uni-x/de1")
	if err != nil || strings.Contains(box, "password") {
		t.Fatal(box, err)
	}
	if got, err := key.Open(box, "uni-x/de1"); got != "user:password" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for name, open := range map[string]func() (string, error){
		"other key":     func() (string, error) { return registry.SecretKey{}.Open(box, "uni-x/de1") },
		"other context": func() (string, error) { return key.Open(box, "uni-x/de2") },
		"changed":       func() (string, error) { return key.Open(box[:len(box)-4]+"AAAA", "uni-x/de1") },
		"short":         func() (string, error) { return key.Open("aes256gcm$", "uni-x/de1") },
		"in clear":      func() (string, error) { return key.Open("user:password", "uni-x/de1") },
	} {
		if got, err := open(); err == nil || got != "" || strings.Contains(err.Error(), "password") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
