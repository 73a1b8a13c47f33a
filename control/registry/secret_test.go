package registry_test

import (
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
)

func TestPassword(t *testing.T) {
	hash, err := registry.HashPassword("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	again, err := registry.HashPassword("hunter2")
	if err != nil || hash == again {
		t.Errorf("two hashes are the same: %s, %v", hash, err)
	}
	tests := []struct {
		name, hash, password string
		want                 bool
	}{
		{"right", hash, "hunter2", true},
		{"wrong", hash, "hunter3", false},
		{"empty", hash, "", false},
		{"no hash", "", "", false},
		{"no hash at all", "hunter2", "hunter2", false},
		{"hash of no rounds", strings.Replace(hash, "$600000$", "$0$", 1), "hunter2", false},
		{"hash of too many rounds", strings.Replace(hash, "$600000$", "$9999999999$", 1), "hunter2", false},
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
