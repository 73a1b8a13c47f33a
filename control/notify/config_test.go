package notify_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/notify"
)

func TestCheck(t *testing.T) {
	good := func() *notify.Mail { return &notify.Mail{Server: "mail.example.org", From: "m@example.org"} }
	tests := []struct {
		name string
		in   notify.Config
		want string // keys with problems
	}{
		{"nothing", notify.Config{}, ""},
		{"good", notify.Config{Mail: good(), Operators: []string{"ops@example.org"}, Webhooks: []notify.Webhook{{URL: "https://a.example.org/x?y"}}}, ""},
		{"no server", notify.Config{Mail: &notify.Mail{From: "m@example.org"}}, "mail.server"},
		{"no sender", notify.Config{Mail: &notify.Mail{Server: "x"}}, "mail.from"},
		{"user without password", notify.Config{Mail: &notify.Mail{Server: "x", From: "m@example.org", User: "u"}}, "mail.user"},
		{"password in the clear", notify.Config{Mail: &notify.Mail{Server: "x", From: "m@example.org", User: "u", PasswordFile: "p", TLS: "none"}}, "mail.tls"},
		{"no such TLS", notify.Config{Mail: &notify.Mail{Server: "x", From: "m@example.org", TLS: "yes"}}, "mail.tls"},
		{"operators without mail", notify.Config{Operators: []string{"ops@example.org"}}, "operators"},
		{"operator with a name", notify.Config{Mail: good(), Operators: []string{"Ops <ops@example.org>"}}, "operators"},
		{"no URL", notify.Config{Webhooks: []notify.Webhook{{URL: "ftp://x"}}}, "webhooks"},
		{"one twice", notify.Config{Webhooks: []notify.Webhook{{URL: "http://x"}, {URL: "http://x"}}}, "webhooks"},
		{"no such event", notify.Config{Webhooks: []notify.Webhook{{URL: "http://x", Events: []notify.Event{"host-gone"}}}}, "webhooks"},
		{"negative", notify.Config{DigestEvery: -1}, "digest_every"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			tt.in.Check(func(key, _ string, _ ...any) { got = append(got, key) })
			if strings.Join(got, " ") != tt.want {
				t.Errorf("problems with %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	mail := func(password, ca string) notify.Config {
		return notify.Config{Mail: &notify.Mail{Server: "x", From: "m@example.org", User: "u", PasswordFile: password, CAFile: ca}}
	}
	for name, c := range map[string]notify.Config{
		"mail.password_file": mail(gone, ""),
		"one line":           mail(secret(t, "a\nb"), ""),
		"in PEM":             mail(secret(t, "a"), secret(t, "no certificate")),
		"secret_file":        {Webhooks: []notify.Webhook{{URL: "http://x", SecretFile: gone}}},
		"16 bytes":           {Webhooks: []notify.Webhook{{URL: "http://x", SecretFile: secret(t, "short")}}},
	} {
		if _, err := notify.Open(c, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: want %q in it", err, name)
		}
	}
}

func TestResolve(t *testing.T) {
	c := notify.Config{Mail: &notify.Mail{PasswordFile: "p", CAFile: "/ca"}, Webhooks: []notify.Webhook{{SecretFile: "s"}, {}}}
	c.Resolve("/etc/waypost")
	if c.Mail.PasswordFile != "/etc/waypost/p" || c.Mail.CAFile != "/ca" || c.Webhooks[0].SecretFile != "/etc/waypost/s" || c.Webhooks[1].SecretFile != "" {
		t.Errorf("%+v %+v", c.Mail, c.Webhooks)
	}
}
