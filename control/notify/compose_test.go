package notify_test

import (
	"bytes"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/notify"
)

// read decodes the subject and the body of a mail.
func read(t *testing.T, m *mail.Message) (subject, body string) {
	t.Helper()
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return subject, string(text)
}

// names are the headers that a mail has, and no others.
func names() []string {
	return []string{
		"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "List-Id", "Message-Id", "Mime-Version",
		"Precedence", "Subject", "To", "X-Waypost-Event",
	}
}

// FuzzCompose: whatever is in a message, it adds no header, ends none, and its
// lines are short.
func FuzzCompose(f *testing.F) {
	f.Add("a@example.org", "host-disabled", "down", "text")
	f.Add("a@example.org", "e\r\nBcc: x@example.org", "s\r\nBcc: x@example.org\r\n\r\nbody", ".\r\n.\r\nQUIT") // injection
	f.Add("jörg@example.org", "ö", strings.Repeat("ä", 300), strings.Repeat("long ", 3000))                    // encoded words
	f.Add("a@example.org", "", "=?utf-8?q?Bcc:?=", "\xff\x00\u2028\u0085")                                     // looks encoded
	f.Add("\"a b\"@example.org", "", strings.Repeat("x", 5000), "")
	from := &mail.Address{Name: "Mirrors, \"of\" us", Address: "mirrors@example.org"}
	f.Fuzz(func(t *testing.T, to, event, subject, text string) {
		m := notify.Message{Event: notify.Event(event), Subject: subject, Text: text}
		raw, err := notify.Compose(from, to, "1", m, now())
		if err != nil {
			return // no address
		}
		head, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
		if !ok || len(bytes.ReplaceAll(raw, []byte("\r\n"), nil)) != len(bytes.NewBuffer(bytes.Map(noEnds, raw)).Bytes()) {
			t.Fatalf("line ends in %q", raw)
		}
		for line := range strings.SplitSeq(string(head)+"\r\n"+string(body), "\r\n") {
			if len(line) > 998 { // RFC 5322 section 2.1.1
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		got, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%v in %q", err, raw)
		}
		if diff := cmp.Diff(names(), slices.Sorted(maps.Keys(got.Header))); diff != "" {
			t.Error(diff)
		}
		for name, values := range got.Header {
			if len(values) != 1 {
				t.Errorf("%s: %q", name, values)
			}
		}
		if list, err := got.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != to {
			t.Errorf("%v to %v, want %q", err, list, to)
		}
		read(t, got)
	})
}

// noEnds drops line ends.
func noEnds(r rune) rune {
	if r == '\r' || r == '\n' {
		return -1
	}
	return r
}

func TestSubjects(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a host is down", "a host is down"},
		{"not ASCII", "der Spiegel läuft", "der Spiegel läuft"},
		{"lines", "one\r\ntwo\u2028three", "one two three"},
		{"turned around", "a\u202eb", "a b"},
		{"looks encoded", "=?utf-8?q?=41?=", "= ?utf-8?q?=41?="},
		{"bytes", "a\xffb", "a\ufffdb"},
		{"long", strings.Repeat("ä", 300), strings.Repeat("ä", 199) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := notify.Compose(&mail.Address{Address: "m@example.org"}, "a@example.org", "1", notify.Message{Subject: tt.in}, now())
			if err != nil {
				t.Fatal(err)
			}
			m, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := read(t, m); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	one := message()
	if diff := cmp.Diff(one, notify.Digest([]notify.Message{one})); diff != "" {
		t.Error(diff)
	}
	var all []notify.Message
	for range 600 {
		all = append(all, one)
	}
	all = append(all, notify.Message{Event: notify.ScanHeld, Subject: "os has lost much"})
	got := notify.Digest(all)
	if want := "601 messages: 600 × host-disabled, 1 × scan-held"; got.Subject != want {
		t.Errorf("%q, want %q", got.Subject, want)
	}
	if heads, texts := strings.Count(got.Text, "\n- "), strings.Count(got.Text, one.Text); heads != 500 || texts != 20 {
		t.Errorf("%d subjects and %d texts", heads+1, texts)
	}
	two := notify.Digest(all[599:])
	if !strings.Contains(two.Text, "os has lost much") || strings.Contains(two.Text, "more have") {
		t.Error(two.Text)
	}
}
