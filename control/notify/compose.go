package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
	"unicode"
)

// Limits of a mail.
const (
	maxSubject = 200     // characters
	maxText    = 1 << 20 // bytes
	lineLength = 76      // of headers, where words are short enough (RFC 5322 section 2.1.1)
)

// compose returns a mail as SMTP takes it (RFC 5322). id tells mails to one
// address apart and is the same when one is repeated. Whatever is in the
// message, it has one header of each name and stays in its place.
func compose(from *mail.Address, to, id string, m Message, now time.Time) ([]byte, error) {
	recipient, err := mail.ParseAddress(to)
	if err != nil || recipient.Address != to || strings.ContainsFunc(to, unicode.IsControl) {
		return nil, fmt.Errorf("%w: %q is no mail address", ErrRefused, to)
	}
	_, domain, _ := cutAddress(from.Address)
	sum := sha256.Sum256([]byte(to + "\x00" + id))
	var b bytes.Buffer
	header(&b, "From", from.String())
	header(&b, "To", recipient.String())
	header(&b, "Subject", encoded(m.Subject))
	header(&b, "Date", now.UTC().Format(time.RFC1123Z))
	header(&b, "Message-ID", "<"+hex.EncodeToString(sum[:16])+"@"+domain+">")
	header(&b, "Auto-Submitted", "auto-generated") // RFC 3834: no holiday notes come back
	header(&b, "Precedence", "bulk")               // what older programs look at
	header(&b, "List-Id", "<waypost."+domain+">")  // RFC 2919: to sort it by
	header(&b, "X-Waypost-Event", encoded(string(m.Event)))
	header(&b, "MIME-Version", "1.0")
	header(&b, "Content-Type", "text/plain; charset=utf-8")
	header(&b, "Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	_, err = body.Write([]byte(plain(m.Text)))
	return b.Bytes(), errors.Join(err, body.Close())
}

// cutAddress splits an address at its last @.
func cutAddress(address string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, "", false
	}
	return address[:i], address[i+1:], true
}

// header writes a header, folded where it has blanks.
func header(b *bytes.Buffer, name, value string) {
	b.WriteString(name + ":")
	at := len(name) + 1
	for word := range strings.FieldsSeq(value) {
		if at+1+len(word) > lineLength && at > len(name)+1 {
			b.WriteString("\r\n")
			at = 0
		}
		b.WriteString(" " + word)
		at += 1 + len(word)
	}
	b.WriteString("\r\n")
}

// encoded returns text as the value of a header, one line: what is not ASCII as
// encoded words (RFC 2047). What looks like one, in plain text, is kept from
// being read as one.
func encoded(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) { // Cf could turn a line around
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "=?", "= ?")
	if runes := []rune(text); len(runes) > maxSubject {
		text = string(runes[:maxSubject-1]) + "…"
	}
	return mime.QEncoding.Encode("utf-8", text)
}

// plain returns text without control characters, with one kind of line end.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "\n…\n"
	}
	return strings.TrimRight(text, "\n") + "\n"
}

// ascii returns an error for an address that needs SMTPUTF8 (RFC 6531).
func ascii(address string) error {
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: %q is not of ASCII characters only", ErrRefused, address)
	}
	return nil
}
