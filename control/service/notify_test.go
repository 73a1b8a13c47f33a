package service

import (
	"bufio"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/store"
)

// A postOffice takes mail by SMTP, unless it has another answer for a recipient.
type postOffice struct {
	address string
	answers map[string]string // by recipient

	mu    sync.Mutex
	mails []string // guarded by mu: RECIPIENT: SUBJECT
}

func openPostOffice(t *testing.T, answers map[string]string) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{address: l.Addr().String(), answers: answers}
	var group sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); group.Wait() })
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			o.take(conn)
		}
	})
	return o
}

func (o *postOffice) take(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // it has said all
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in, to, subject, data := bufio.NewScanner(conn), "", "", false
	_, _ = fmt.Fprint(conn, "220 ready\r\n")
	for in.Scan() {
		line, reply := in.Text(), "250 ok"
		switch {
		case data && line == ".":
			data = false
			o.mu.Lock()
			o.mails = append(o.mails, to+": "+subject)
			o.mu.Unlock()
		case data:
			if text, ok := strings.CutPrefix(line, "Subject: "); ok {
				subject = text
			}
			continue
		case strings.HasPrefix(line, "RCPT TO:<"):
			to = line[len("RCPT TO:<") : len(line)-1]
			if answer := o.answers[to]; answer != "" {
				reply = answer
			}
		case line == "DATA":
			data, reply = true, "354 go on"
		}
		_, _ = fmt.Fprint(conn, reply, "\r\n")
	}
}

// TestEachRecipientByItself: one mailbox that does not exist and one that is
// busy keep nobody from the mail, and who got it does not get it again.
func TestEachRecipientByItself(t *testing.T) {
	o := openPostOffice(t, map[string]string{"gone@a.example.org": "550 no such mailbox", "busy@a.example.org": "450 later"})
	s := teller(t, &notify.Config{
		Mail:        &notify.Mail{Server: o.address, From: "m@example.org", TLS: "none"},
		Operators:   []string{"ops@example.org", "ops2@example.org"},
		DigestEvery: time.Nanosecond,
	})
	err := s.tell(t.Context(), notify.Message{
		Event: notify.HostDisabled, About: "a/m", Subject: "a/m is off", At: time.Now(),
		To: []string{"gone@a.example.org", "busy@a.example.org", "admin@a.example.org", "ops@example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	results := work(t, s, jobMail)
	want := []string{"failed: sending mail by", "sending mail by", "sent 1", "sent 1", "sent 1"}
	for i := range results {
		results[i] = strings.Split(results[i], " "+o.address)[0]
	}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Error(diff)
	}
	if more := work(t, s, jobMail); more != nil {
		t.Errorf("again: %q", more)
	}
	counts := map[string]float64{"mail sent": 3, "mail refused": 1, "mail failed": 1}
	if diff := cmp.Diff(counts, counted(t, s.metrics.messages)); diff != "" {
		t.Error(diff)
	}
	wantMails := []string{"admin@a.example.org: a/m is off", "ops2@example.org: a/m is off", "ops@example.org: a/m is off"}
	if diff := cmp.Diff(wantMails, sorted(o.mails)); diff != "" {
		t.Error(diff)
	}
	left := map[string]int{"busy@a.example.org": 1}
	for _, to := range []string{"gone@a.example.org", "busy@a.example.org", "admin@a.example.org", "ops@example.org"} {
		if got := len(waiting(t, s, to)); got != left[to] {
			t.Errorf("%d letters wait for %s, want %d", got, to, left[to])
		}
	}
}

// TestMailsKeepTheirDistance: after one mail the next comes when the time is up.
func TestMailsKeepTheirDistance(t *testing.T) {
	o := openPostOffice(t, nil)
	s := teller(t, &notify.Config{
		Mail: &notify.Mail{Server: o.address, From: "m@example.org", TLS: "none"}, Operators: []string{"ops@example.org"}, DigestEvery: time.Hour,
	})
	told := func(about string) {
		t.Helper()
		if err := s.tell(t.Context(), notify.Message{Event: notify.HostDisabled, About: about, Subject: about + " is off", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	told("a")
	told("b")
	if done := work(t, s, jobMail); done != nil {
		t.Errorf("it did not wait for others: %q", done)
	}
	if err := s.store.Enqueue(t.Context(), mailTask("ops@example.org", time.Now())); err != nil { // the time is up
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"sent 2"}, work(t, s, jobMail)); diff != "" {
		t.Error(diff)
	}
	told("c")
	jobs, err := s.store.Jobs(t.Context(), store.JobFilter{Kind: jobMail, State: store.Queued})
	if err != nil || len(jobs) != 1 || time.Until(jobs[0].At) < 59*time.Minute {
		t.Errorf("%+v, %v: want one in an hour", jobs, err)
	}
	if diff := cmp.Diff([]string{"ops@example.org: 2 messages: 2 × host-disabled"}, decoded(o.mails)); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownWebhook: a webhook of operators is told by who knows its secret.
func TestUnknownWebhook(t *testing.T) {
	s := teller(t, &notify.Config{})
	hook := newHooks(t)
	if _, err := s.webhook(t.Context(), webhookOrder{URL: hook.URL, Ours: true}); err == nil {
		t.Error("it was told without a signature")
	}
	if result, err := s.webhook(t.Context(), webhookOrder{URL: hook.URL}); err != nil || result != "told" {
		t.Errorf("%q, %v", result, err)
	}
	s.config.CrawlPrivate = false
	var err error
	if s.sender, err = openNotify(s.config); err != nil {
		t.Fatal(err)
	}
	if _, err = s.webhook(t.Context(), webhookOrder{URL: hook.URL}); err == nil {
		t.Error("a site's webhook leads to a private address")
	}
	gone := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	hook.Config.Handler = http.HandlerFunc(gone)
	s.config.CrawlPrivate = true
	if s.sender, err = openNotify(s.config); err != nil {
		t.Fatal(err)
	}
	if result, err := s.webhook(t.Context(), webhookOrder{URL: hook.URL}); err != nil || !strings.Contains(result, "410") {
		t.Errorf("%q, %v", result, err)
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// decoded returns subjects without their encoding.
func decoded(list []string) (out []string) {
	for _, s := range list {
		text, err := new(mime.WordDecoder).DecodeHeader(s)
		if err != nil {
			text = err.Error()
		}
		out = append(out, text)
	}
	return out
}

func TestNotifyConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "control.yaml")
	for text, want := range map[string]string{
		"{mail: {server: mail.example.org, from: m@example.org, user: u, password_file: word}, operators: [ops@example.org]}": "",
		"{mail: {server: mail.example.org, from: nobody}}":                                                                    "control.notify.mail.from",
		"{mail: {server: mail.example.org, from: m@example.org, user: u, password_file: gone}}":                               "no such file",
		"{mail: {server: mail.example.org, from: m@example.org, tls: maybe}}":                                                 "starttls, implicit or none",
		"{webhooks: [{url: 'https://a.example.org', events: [host-disabled, scan-held], secret_file: word}]}":                 "16 bytes",
		"{webhooks: [{url: 'https://a.example.org', event: host-disabled}]}":                                                  "event",
		"{webhooks: [{url: 'https://a.example.org', events: [host-away]}]}":                                                   `"host-away"`,
		"{operators: [ops@example.org]}":                                                                                      "want mail beside it",
		"{digest_every: 10m, mail: {server: '127.0.0.1:25', from: 'Mirrors <m@example.org>', tls: none}}":                     "",
	} {
		config := "control:\n  data_dir: data\n  listen: \"127.0.0.1:0\"\n  notify: " + text + "\n"
		if err := errors.Join(os.WriteFile(file, []byte(config), 0o600), os.WriteFile(filepath.Join(dir, "word"), []byte("geheim\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := ReadConfig(file)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
