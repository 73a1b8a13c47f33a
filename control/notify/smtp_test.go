package notify_test

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/notify"
)

func now() time.Time { return time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC) }

func secret(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func sender(t *testing.T, c notify.Config) *notify.Sender {
	t.Helper()
	c.Check(func(key, format string, args ...any) { t.Errorf("%s: "+format, append([]any{key}, args...)...) })
	s, err := notify.Open(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mailer returns a sender by a server.
func mailer(t *testing.T, s *server, change func(*notify.Mail)) *notify.Sender {
	t.Helper()
	m := &notify.Mail{Server: s.address, From: "Möhren <mirrors@example.org>", CAFile: s.ca}
	if change != nil {
		change(m)
	}
	return sender(t, notify.Config{Mail: m})
}

func message() notify.Message {
	return notify.Message{Event: notify.HostDisabled, About: "uni-x/de1", Subject: "uni-x/de1 is öff", Text: "Five crawls failed.\n.\nIt is out, dès lors."}
}

func TestMail(t *testing.T) {
	s := serve(t, &server{})
	m := mailer(t, s, func(m *notify.Mail) { m.User, m.PasswordFile = "waypost", secret(t, "geheim") })
	if err := m.Mail(t.Context(), "admin@uni-x.example.org", "1", message(), now()); err != nil {
		t.Fatal(err)
	}
	got := s.taken()
	if len(got) != 1 {
		t.Fatalf("%d mails were taken", len(got))
	}
	text := got[0].text
	got[0].text = ""
	want := taken{from: "mirrors@example.org", to: "admin@uni-x.example.org", user: "/waypost/geheim", secure: true}
	if diff := cmp.Diff(want, got[0], cmp.AllowUnexported(taken{})); diff != "" {
		t.Error(diff)
	}
	checkMail(t, text, message())
}

// checkMail checks what arrived.
func checkMail(t *testing.T, text string, want notify.Message) {
	t.Helper()
	got, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	subject, body := read(t, got)
	if subject != want.Subject || body != want.Text+"\r\n" && strings.ReplaceAll(body, "\r\n", "\n") != want.Text+"\n" {
		t.Errorf("subject %q, text %q", subject, body)
	}
	for name, value := range map[string]string{
		"Auto-Submitted": "auto-generated", "Precedence": "bulk", "List-Id": "<waypost.example.org>",
		"Date": "Wed, 01 Apr 2026 12:00:00 +0000", "X-Waypost-Event": string(want.Event),
	} {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
}

func TestImplicitTLS(t *testing.T) {
	s := serve(t, &server{implicit: true})
	if err := mailer(t, s, func(m *notify.Mail) { m.TLS = "implicit" }).Mail(t.Context(), "a@example.org", "1", message(), now()); err != nil {
		t.Fatal(err)
	}
	if got := s.taken(); len(got) != 1 || !got[0].secure {
		t.Errorf("%+v", got)
	}
}

func TestNoTLS(t *testing.T) {
	s := serve(t, &server{plain: true})
	if err := mailer(t, s, func(m *notify.Mail) { m.TLS = "none" }).Mail(t.Context(), "a@example.org", "1", message(), now()); err != nil {
		t.Fatal(err)
	}
	if got := s.taken(); len(got) != 1 || got[0].secure {
		t.Errorf("%+v", got)
	}
}

// TestTroubledServers: which answers end it, and which are worth another attempt.
func TestTroubledServers(t *testing.T) {
	tests := []struct {
		name    string
		server  *server
		to      string
		change  func(*notify.Mail)
		want    string // in the error
		refused bool
	}{
		{"no such mailbox", &server{replies: map[string]string{"RCPT": "550 5.1.1 no such user"}}, "", nil, "550", true},
		{"grey", &server{replies: map[string]string{"RCPT": "450 4.2.0 come back later"}}, "", nil, "450", false},
		{"spam", &server{replies: map[string]string{"end of data": "554 5.7.1 spam"}}, "", nil, "554", true},
		{"full disk", &server{replies: map[string]string{"end of data": "452 4.3.1 no space"}}, "", nil, "452", false},
		{"sender refused", &server{replies: map[string]string{"MAIL": "550 who are you"}}, "", nil, "550", false},
		{"not today", &server{greeting: "554 no service"}, "", nil, "554", false},
		{"no STARTTLS", &server{plain: true}, "", nil, "STARTTLS", false},
		{"STARTTLS that fails", &server{replies: map[string]string{"STARTTLS": "454 not now"}}, "", nil, "454", false},
		{"wrong certificate", &server{}, "", func(m *notify.Mail) { m.CAFile = "" }, "certificate", false},
		{"wrong password", &server{replies: map[string]string{"AUTH": "535 5.7.8 wrong"}}, "", func(m *notify.Mail) {
			m.User, m.PasswordFile = "waypost", secret(t, "x")
		}, "535", false},
		{"no SMTP", &server{greeting: "HTTP/1.1 400 Bad Request"}, "", nil, "", false},
		{"endless line", &server{greeting: "220 " + strings.Repeat("x", 1<<20)}, "", nil, "too much", false},
		{"endless reply", &server{replies: map[string]string{"EHLO": strings.Repeat("250-X-NOISE and more of it\r\n", 1<<15) + "250 end"}}, "", nil, "too much", false},
		{"address of other characters", &server{}, "jörg@example.org", nil, "ASCII", true},
		{"no address", &server{}, "a@example.org>\r\nRCPT TO:<b@example.org", nil, "no mail address", true},
		{"an address with a name", &server{}, "Ann <a@example.org>", nil, "no mail address", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.server)
			if tt.to == "" {
				tt.to = "a@example.org"
			}
			err := mailer(t, s, tt.change).Mail(t.Context(), tt.to, "1", message(), now())
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, notify.ErrRefused) != tt.refused {
				t.Errorf("%v: want %q in it, refused %t", err, tt.want, tt.refused)
			}
			if got := s.taken(); len(got) != 0 {
				t.Errorf("%d mails were taken", len(got))
			}
		})
	}
}

func TestAddressOfOtherCharacters(t *testing.T) {
	s := serve(t, &server{utf8: true})
	if err := mailer(t, s, nil).Mail(t.Context(), "jörg@example.org", "1", message(), now()); err != nil || s.taken()[0].to != "jörg@example.org" {
		t.Errorf("%v, %+v", err, s.taken())
	}
}

// TestSilentServer: who says nothing does not hold us up.
func TestSilentServer(t *testing.T) {
	s := serve(t, &server{replies: map[string]string{"MAIL": "250-and"}})
	ctx, cancel := context.WithCancelCause(t.Context())
	m := mailer(t, s, nil)
	done := make(chan error, 1)
	go func() { done <- m.Mail(ctx, "a@example.org", "1", message(), now()) }()
	stopped := errors.New("stopped")
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRepeatedMail: a mail that is sent again is known by its Message-ID; mails
// to others, and others to the same, have their own.
func TestRepeatedMail(t *testing.T) {
	s := serve(t, &server{})
	m := mailer(t, s, nil)
	for _, x := range [][2]string{{"a@example.org", "1"}, {"a@example.org", "1"}, {"b@example.org", "1"}, {"a@example.org", "2"}} {
		if err := m.Mail(t.Context(), x[0], x[1], message(), now()); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, got := range s.taken() {
		parsed, err := mail.ReadMessage(strings.NewReader(got.text))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, parsed.Body)
		ids = append(ids, parsed.Header.Get("Message-ID"))
	}
	if len(ids) != 4 || ids[0] != ids[1] || ids[0] == ids[2] || ids[0] == ids[3] || ids[2] == ids[3] {
		t.Errorf("%q", ids)
	}
}
