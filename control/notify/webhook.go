package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header that signs a webhook.
const SignatureHeader = "Waypost-Signature"

// Post tells a webhook: one of the configuration, signed by its secret, or one
// of a site. No error shows the URL's query, which may be a secret.
func (s *Sender) Post(ctx context.Context, to string, m Message, now time.Time) error {
	m.To, m.Webhooks = nil, nil
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: it is no URL", ErrRefused)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "waypost")
	secret, known := s.secrets[to]
	if secret != nil {
		request.Header.Set(SignatureHeader, Sign(secret, body, now))
	}
	client := s.sites
	if known {
		client = s.ours
	}
	response, err := client.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return fmt.Errorf("telling the webhook at %s: %w", request.URL.Host, err)
	}
	defer response.Body.Close()                                       //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	switch {
	case response.StatusCode/100 == 2:
		return nil
	case response.StatusCode == http.StatusGone:
		return fmt.Errorf("%w: the webhook at %s answered 410", ErrRefused, request.URL.Host)
	}
	return fmt.Errorf("the webhook at %s answered %d, want 200 to 299", request.URL.Host, response.StatusCode)
}

// Sign returns the value of [SignatureHeader] for a body that is sent at a time.
func Sign(secret, body []byte, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(sign(secret, seconds, body))
}

func sign(secret []byte, seconds string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify returns an error unless header is what [Sign] returned for the secret
// and body, at a time that is at most away from now: what a receiver does.
func Verify(secret []byte, header string, body []byte, now time.Time, away time.Duration) error {
	stamp, sum, ok := strings.Cut(header, ",v1=")
	seconds, timed := strings.CutPrefix(stamp, "t=")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || !timed || err != nil {
		return errors.New("want a signature t=SECONDS,v1=HEX")
	}
	got, err := hex.DecodeString(sum)
	if err != nil || !hmac.Equal(got, sign(secret, seconds, body)) {
		return errors.New("the signature is wrong")
	}
	if now.Sub(time.Unix(at, 0)).Abs() > away {
		return errors.New("the signature is too old or too new")
	}
	return nil
}
