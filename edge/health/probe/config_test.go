package probe

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestConfigYAML(t *testing.T) {
	text := "interval: 20s\ntimeout: 2s\nrise: 3\nfall: 1\nmax_down: 0.25\nconcurrency: 8\n"
	var c Config
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&c); err != nil {
		t.Fatal(err)
	}
	ok := c.Interval == 20*time.Second && c.Timeout == 2*time.Second && c.Rise == 3 && c.Fall == 1 &&
		c.MaxDown == 0.25 && c.Concurrency == 8
	if !ok {
		t.Errorf("decoded %+v", c)
	}
	if err := yaml.NewDecoder(strings.NewReader("version: x\n"), yaml.Strict()).Decode(&c); err == nil {
		t.Error("a key for what is not of the file was taken")
	}
}

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		name string
		in   Config
		want []string // keys in the error, in order
	}{
		{"zero", Config{}, nil},
		{"short interval", Config{Interval: time.Second}, nil},
		{"too short interval", Config{Interval: time.Millisecond, Timeout: 10 * time.Millisecond}, []string{"interval:", "timeout:"}},
		{"timeout over interval", Config{Interval: time.Second, Timeout: 2 * time.Second}, []string{"timeout:"}},
		{"negative", Config{Rise: -1, Fall: -1, MaxDown: -1, Concurrency: -1}, []string{"rise:", "fall:", "max_down:", "concurrency:"}},
		{"share", Config{MaxDown: 1.01}, []string{"max_down: want a share above 0 up to 1, got 1.01"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.in.Validate()
			if (err == nil) != (test.want == nil) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if err == nil {
				return
			}
			lines := strings.Split(err.Error(), "\n")
			for i, want := range test.want {
				if len(lines) != len(test.want) || !strings.HasPrefix(lines[i], want) {
					t.Errorf("got %q, want %q", lines, test.want)
				}
			}
			if _, err := New(test.in); err == nil {
				t.Error("New took it")
			}
		})
	}
}
