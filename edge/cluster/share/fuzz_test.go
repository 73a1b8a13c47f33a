package share

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// FuzzRequest parses what peers ask for.
func FuzzRequest(f *testing.F) {
	f.Add(wire.HashOf(nil).String(), "wait=10s")
	f.Add("../../manifest", "wait=-1s")
	f.Add("", "wait=9999999h")
	f.Fuzz(func(t *testing.T, hash, query string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}}
		r.SetPathValue("sha256", hash)
		h, wait, err := parseRequest(r)
		if err == nil && (h.String() != hash || wait < 0 || wait > longestWait) {
			t.Errorf("%q and %q are %s and %s", hash, query, h, wait)
		}
	})
}

// FuzzRead reads what peers send: never more than one byte above what was asked
// for, whatever they say.
func FuzzRead(f *testing.F) {
	f.Add([]byte("four"), int64(4), 4)
	f.Add([]byte("more than four"), int64(-1), 4)
	f.Add([]byte("cut"), int64(1<<62), 4)
	f.Fuzz(func(t *testing.T, body []byte, said int64, most int) {
		most = max(most, 0) & 0xffff
		b, err := read(bytes.NewReader(body), said, most)
		if len(b) > most+1 || cap(b) > 4*most+1024 {
			t.Errorf("%d bytes, room for %d, of at most %d", len(b), cap(b), most)
		}
		if want := body[:min(len(body), most+1)]; said < 0 && (err != nil || !bytes.Equal(b, want)) {
			t.Errorf("%q, %v, want %q", b, err, want)
		}
	})
}
