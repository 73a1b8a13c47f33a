package checkin_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/registry"
)

func newMux(s *checkin.Server) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/xmlrpc", s.ServeXMLRPC)
	mux.HandleFunc("/v1/checkin", s.ServeAPI)
	return mux
}

// send sends a request and returns status and body of the answer.
func send(tb testing.TB, method, url, body string, header ...string) (status int, answer string, h http.Header) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

var tags = regexp.MustCompile(`<[^>]*>`)

// plain is an answer as quick-fedora-mirror looks at it: without tags and outer space.
func plain(answer string) string {
	return strings.TrimSpace(tags.ReplaceAllString(answer, ""))
}

// wide are limits that tests of other things never reach.
var wide = checkin.Limits{Failures: 1000, PerHost: 1000}

const linux = `"fedora linux": {"enabled": "1", "dirtree": {"releases": {}, "releases/44/": {"a.iso": 5}, "nowhere": {}, "": {}}}`

func TestXMLRPC(t *testing.T) {
	const invalid = "Invalid config file provided, please check your report_mirror.conf.error checking in"
	without := func(old, with string) string {
		return strings.Replace(submission("uni-x", "de1", linux), old, with, 1)
	}
	tests := []struct{ name, in, want string }{
		{"private", submission("uni-x", "de1", linux), "Category Fedora Linux directories updated: 1  added: 1  deleted 1\n" +
			"Category Fedora Linux directories that count when their release is lifted: 1\nchecked in successful"},
		{"public", submission("uni-x", "pub", linux), "Category Fedora Linux directories to crawl: 2\n" +
			"Category Fedora Linux directories that count when their release is lifted: 1\nchecked in successful"},
		{"private by its site", submission("hide", "de2", linux), "Category Fedora Linux directories updated: 0  added: 2  deleted 0\n" +
			"Category Fedora Linux directories that count when their release is lifted: 1\nchecked in successful"},
		{
			"never scanned, and not carried", submission("uni-x", "de1", `"fedora epel": {"dirtree": {"9": {}}}, "centos": {"dirtree": {}}`),
			"Category Fedora EPEL directories updated: 0  added: 0  deleted 0\nchecked in successful",
		},
		{"no category", submission("uni-x", "de1", ""), "checked in successful"},

		{"no dict", `["a"]`, "config file is not a dict.\nPlease update your copy of report_mirror.\n" + invalid},
		{"no version", `{}`, "config file has no version field.\n" + invalid},
		{"version 1", `{"version": 1}`, "config file version is not 0, is 1.\n" + invalid},
		{"version text", `{"version": "0"}`, "config file version is not 0, is 0.\n" + invalid},
		{"no global", `{"version": 0, "site": {}, "host": {}}`, "config file missing section global.\n" + invalid},
		{"no site", `{"version": 0, "global": {}, "host": {}}`, "config file missing section site.\n" + invalid},
		{"no host", `{"version": 0, "global": {}, "site": {}}`, "config file missing section host.\n" + invalid},
		{"not enabled", without(`"global": {"enabled": "1"`, `"global": {"enabled": 1`), "config file section [global] not enabled.\n" + invalid},
		{"no site name", without(`"name"`, `"Name"`), "config file [site] missing required option name.\n" + invalid},
		{"no password", without(`"password"`, `"pw"`), "config file [site] missing required option password.\n" + invalid},
		{"no host name", without(`"host": {"enabled": "1", "name"`, `"host": {"enabled": "1", "n"`), "section [host] missing required option name.\n" + invalid},
		{"no dirtree", without(`"dirtree"`, `"tree"`), "section [fedora linux] missing required option dirtree.\n" + invalid},
		{"wrong password", without("sécret", "secret"), "Config file site name or password incorrect.\nerror checking in"},
		{"unknown site", submission("uni-y", "de1", linux), "Config file site name or password incorrect.\nerror checking in"},
		{"site without password", submission("open", "de1", linux), "Config file site name or password incorrect.\nerror checking in"},
		{"unknown host", submission("uni-x", "de9", linux), "Config file host name for site not found.\nerror checking in"},
		{"host of another site", submission("uni-x", "../hide/de2", linux), "Config file host name for site not found.\nerror checking in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer, _ := send(t, "POST", newWorld(t).serve(t, wide)+"/xmlrpc", call(encode(t, tt.in)), "Content-Type", "text/xml")
			if got := plain(answer); status != 200 || got != tt.want {
				t.Errorf("got %d\n%q, want\n%q", status, got, tt.want)
			}
		})
	}
}

// TestReceipt: what is kept of a check-in.
func TestReceipt(t *testing.T) {
	w := newWorld(t)
	url := w.serve(t, wide) + "/xmlrpc"
	for value, want := range map[string]*bool{`"yes"`: new(true), `"1"`: new(true), `"True"`: new(false), `"0"`: new(false), "": nil} {
		in := submission("uni-x", "de1", `"FEDORA linux": {"dirtree": {"releases/43": {}}}`)
		if value != "" {
			in = strings.Replace(in, `"name": "de1"`, `"name": "de1", "user_active": `+value, 1)
		}
		w.listings = map[string]registry.Listing{}
		w.receipts = nil
		if _, answer, _ := send(t, "POST", url, call(encode(t, in))); !strings.Contains(answer, "successful") {
			t.Fatal(answer)
		}
		wantReceipt := []checkin.Receipt{{Host: "uni-x/de1", At: at, UserActive: want, Outcomes: []checkin.Outcome{{
			Category: "Fedora Linux",
			Listing:  &registry.Listing{Host: "uni-x/de1", Category: "Fedora Linux", Seen: at, Holds: set(5)},
			Counts:   checkin.Counts{Added: 1},
		}}}}
		if diff := cmp.Diff(wantReceipt, w.receipts); diff != "" {
			t.Errorf("user_active %s: want -, got +:\n%s", value, diff)
		}
	}
}

func TestXMLRPCForms(t *testing.T) {
	text := encode(t, submission("uni-x", "de1", linux))
	wrapped := regexp.MustCompile(`.{1,60}`).ReplaceAllString(text, "$0\r\n")
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(text)
	for name, body := range map[string]string{
		"as is":                        call(text),
		"no padding":                   call(strings.TrimRight(text, "=")),
		"wrapped":                      call("\n" + wrapped),
		"standard":                     call(standard),
		"bare value":                   strings.NewReplacer("<string>", "", "</string>", "").Replace(call(text)),
		"bare wrapped":                 strings.NewReplacer("<string>", "", "</string>", "").Replace(call("\n  " + wrapped)),
		"one line":                     strings.ReplaceAll(call(text), "\n", ""),
		"byte order mark and comments": "\ufeff" + strings.Replace(call(text), "<params>", "<!-- a > b --><params><!----><!-- x -->", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, answer, _ := send(t, "POST", newWorld(t).serve(t, wide)+"/xmlrpc", body)
			if got := plain(answer); !strings.HasSuffix(got, "\nchecked in successful") {
				t.Error(got)
			}
		})
	}
}

// TestFaults: what is malformed is a fault, with a reason, and never looks like success.
func TestFaults(t *testing.T) {
	good := encode(t, submission("uni-x", "de1", linux))
	raw, err := base64.URLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	urlsafe := base64.URLEncoding.EncodeToString
	deep := `{"a": {"b": ` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}}`
	tests := []struct{ name, body, want string }{
		{"empty", "", "decoding XML: it ends too early"},
		{"not XML", "hello", "decoding XML: it ends too early"},
		{"not XML either", `{"a":1}<`, `want a tag, got "{\"a\":1}"`},
		{"UTF-16", "\xff\xfe<\x00", "decoding XML"},
		{"a document type", "<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall>", "want <methodCall>, got <!DOCTYPE"},
		{"other method", strings.Replace(call(good), "checkin<", "system.listMethods<", 1), "method \"system.listMethods\" is not supported, only checkin is"},
		{"no parameter", strings.Replace(call(""), "<param>", "", 1), "want <param>"},
		{"two parameters", strings.Replace(call(good), "</param>", "</param><param>", 1), "want </params>, got <param>"},
		{"a number", strings.NewReplacer("<string>", "<int>", "</string>", "</int>").Replace(call("1")), "want <string>, got <int>"},
		{"cut", call(good)[:200], "unexpected"},
		{"cut behind the text", call(good)[:strings.Index(call(good), "</value>")], "it ends too early"},
		{"long tag", "<" + strings.Repeat("x", 5000), "a tag is longer than 1024 bytes"},
		{"empty text", call(""), "decoding bzip2: unexpected EOF"},
		{"not base64", call("!!!!"), "decoding base64: illegal base64 data"},
		{"text after padding", call("QQ==QQ=="), "characters follow the padding"},
		{"an entity", call("&#65;"), "decoding base64"},
		{"not bzip2", call(urlsafe([]byte(`{"version": 0}`))), "decoding bzip2: bzip2 data invalid: bad magic value"},
		{"bzip2 cut", call(urlsafe(raw[:len(raw)-20])), "decoding bzip2: unexpected EOF"},
		{"bzip2 damaged", call(urlsafe(append(raw[:len(raw)-30:len(raw)-30], append([]byte{raw[len(raw)-30] ^ 1}, raw[len(raw)-29:]...)...))), "JSON at byte 0"},
		{"not JSON", call(encode(t, "hello")), "want a value, got 'h'"},
		{"pickle 4", call(encode(t, "\x80\x04\x95\x00.")), "this is not JSON but pickle, which is never read here: please update your copy of report_mirror"},
		{"pickle 0", call(encode(t, "(dp0\nS'version'\np1\nI0\ns.")), "pickle"},
		{"pickle 0 that runs a program", call(encode(t, "cos\nsystem\n(S'id'\ntR.")), "pickle"},
		{"JSON cut", call(encode(t, `{"version": 0`)), "the document ends too early"},
		{"something behind", call(encode(t, `{} {}`)), "want the end"},
		{"deep", call(encode(t, deep)), "nested deeper than 16"},
		{"long path", call(encode(t, `{"a": {"dirtree": {"`+strings.Repeat("x", 5000)+`": {}}}}`)), "longer than 4096 bytes"},
		{"a tree that is none", call(encode(t, submission("uni-x", "de1", `"fedora linux": {"dirtree": null}`))), "want an object, got 'n'"},
		{"a category twice", call(encode(t, submission("uni-x", "de1", `"fedora linux": {"dirtree": {}}, "Fedora linux": {"dirtree": {}}`))), "the category Fedora Linux is given twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			status, answer, _ := send(t, "POST", w.serve(t, wide)+"/xmlrpc", tt.body)
			got := plain(strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "‹", "&gt;", "›").Replace(answer))
			want := strings.NewReplacer("<", "‹", ">", "›").Replace(tt.want)
			if status != 200 || !strings.Contains(answer, "<fault>") || !strings.Contains(strings.ReplaceAll(got, "\n", ""), want) {
				t.Errorf("got %d %s, want %q", status, got, want)
			}
			if len(w.receipts) > 0 || strings.Contains(strings.ToLower(answer), "successful") {
				t.Errorf("it was taken: %s", answer)
			}
		})
	}
}

// TestBounds: what a stranger may cost.
func TestBounds(t *testing.T) {
	small := checkin.Limits{Request: 5000, Unpacked: 100_000, Files: 100_000, Directories: 10, FileCount: 2, Categories: 3, Failures: 1000}
	tests := []struct{ name, body, want string }{
		{"request", strings.Repeat("<!-- x -->", 600), "too large: the request has more than 5000 bytes"},
		{"a bomb of zeros", call(encode(t, string(make([]byte, 5_000_000)))), "want a value"},
		{"a bomb of white space", call(encode(t, strings.Repeat(" ", 5_000_000))), "too large: it unpacks to more than 100000 bytes"},
		{"a bomb in a text", call(encode(t, `{"a": "`+strings.Repeat("a", 5_000_000))), "a text is longer than 4096"},
		{"a bomb of values", call(encode(t, `{"a": [`+strings.Repeat("{},", 50_000)+`{}]}`)), "too large: it unpacks"},
		{"directories", call(encode(t, submission("uni-x", "de1", `"x": {"dirtree": {`+strings.Repeat(`"a": {}, `, 10)+`"b": {}}}`))), "more than 10 directories"},
		{"categories", call(encode(t, submission("uni-x", "de1", `"a": {"dirtree": {}}, "b": {"dirtree": {}}, "c": {"dirtree": {}}, "d": {"dirtree": {}}`))), "more than 3 categories"},
		{"options", call(encode(t, `{"site": {`+strings.Repeat(`"a": 1, "b": 1, "c": 1, `, 1)+manyOptions()+`}}`)), "more than 64 options"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, answer, _ := send(t, "POST", newWorld(t).serve(t, small)+"/xmlrpc", tt.body)
			if !strings.Contains(answer, tt.want) {
				t.Errorf("got %s, want %q", plain(answer), tt.want)
			}
		})
	}
}

func manyOptions() string {
	var b strings.Builder
	for i := range 100 {
		b.WriteString(`"o` + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `": 1, `)
	}
	return b.String() + `"z": 1`
}

func TestThrottle(t *testing.T) {
	w := newWorld(t)
	url := w.serve(t, checkin.Limits{Failures: 2, PerHost: 2}) + "/xmlrpc"
	good := call(encode(t, submission("uni-x", "de1", linux)))
	for range 2 {
		send(t, "POST", url, good)
	}
	status, answer, h := send(t, "POST", url, good)
	if status != 429 || h.Get("Retry-After") != "1801" || !strings.Contains(answer, "this host checks in too often") {
		t.Errorf("third check-in: %d %s %s", status, h.Get("Retry-After"), answer)
	}
	for range 2 {
		if status, answer, _ = send(t, "POST", url, call("")); status != 200 {
			t.Errorf("malformed: %d %s", status, answer)
		}
	}
	status, answer, h = send(t, "POST", url, good)
	if status != 429 || h.Get("Retry-After") != "1801" || !strings.Contains(answer, "too many check-ins from your address failed") {
		t.Errorf("after two failures: %d %s %s", status, h.Get("Retry-After"), answer)
	}
}

// TestTurns: a check-in that comes in slowly does not keep others waiting for ever.
func TestTurns(t *testing.T) {
	url := newWorld(t).serve(t, checkin.Limits{AtATime: 1, Wait: time.Millisecond}) + "/xmlrpc"
	slow, w := io.Pipe()
	started := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err := http.Post(url, "text/xml", slow)
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	go func() {
		for range 100_000 { // more than any buffer on the way
			_, _ = w.Write([]byte("<!-- x -->"))
		}
		close(started)
	}()
	<-started
	status, answer, _ := send(t, "POST", url, call(""))
	if status != 429 || !strings.Contains(answer, "too many check-ins at a time") {
		t.Errorf("%d %s", status, answer)
	}
	_ = w.Close()
	<-done
}

func TestStoreFails(t *testing.T) {
	w := newWorld(t)
	w.broken = errors.New("disk full")
	url := w.serve(t, wide)
	status, answer, h := send(t, "POST", url+"/xmlrpc", call(encode(t, submission("uni-x", "de1", linux))))
	if status != 503 || h.Get("Retry-After") == "" || !strings.Contains(answer, "please try again later") || strings.Contains(answer, "disk") {
		t.Errorf("%d %s", status, answer)
	}
	status, answer, _ = send(t, "POST", url+"/v1/checkin", `{"categories": {}}`, "Authorization", "Bearer "+token)
	if status != 503 || strings.Contains(answer, "disk") {
		t.Errorf("%d %s", status, answer)
	}
}

func TestMethod(t *testing.T) {
	url := newWorld(t).serve(t, wide)
	for _, path := range []string{"/xmlrpc", "/v1/checkin"} {
		if status, _, h := send(t, "GET", url+path, ""); status != 405 || h.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow: %s", path, status, h.Get("Allow"))
		}
	}
}

// TestContinue: the server says that a large body may come.
func TestContinue(t *testing.T) {
	url := newWorld(t).serve(t, wide) + "/xmlrpc"
	_, answer, _ := send(t, "POST", url, call(encode(t, submission("uni-x", "de1", linux))), "Expect", "100-continue")
	if !strings.Contains(answer, "checked in successful") {
		t.Error(answer)
	}
}

// TestQuickFedoraMirror sends what quick-fedora-mirror does, with its programs.
func TestQuickFedoraMirror(t *testing.T) {
	for _, name := range []string{"bzip2", "base64", "tr", "curl"} {
		needs.Program(t, name, name)
	}
	url := newWorld(t).serve(t, wide) + "/xmlrpc"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "json"), []byte(submission("uni-x", "de1", linux)), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `set -e; cd "$1"
{ printf "<?xml version='1.0'?>\n<methodCall>\n<methodName>checkin</methodName>\n<params>\n<param>\n<value><string>"
  bzip2 <json | base64 --wrap=0 | tr '+/' '-_'
  printf "</string></value>\n</param>\n</params>\n</methodCall>\n"; } >body
shift; curl -sS "$@" -H "Content-Type: text/xml" --data @body` + ` "$URL" | sed -e 's/<[^>]*>//g'`
	for _, options := range [][]string{{"-H", "Expect:"}, {"--http1.1"}, {"-H", "Expect: 100-continue"}} {
		cmd := exec.CommandContext(t.Context(), needs.Program(t, "bash", "bash"), append([]string{"-c", script, "bash", dir}, options...)...)
		cmd.Env = append(os.Environ(), "URL="+url, "no_proxy=127.0.0.1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "checked in successful") {
			t.Errorf("%v: %v %s", options, err, out)
		}
	}
}

// TestReportMirror sends what report_mirror does, from Python.
func TestReportMirror(t *testing.T) {
	python := needs.Program(t, "python3", "python3")
	url := newWorld(t).serve(t, wide) + "/xmlrpc"
	script := `import base64, bz2, json, sys
from xmlrpc.client import ServerProxy, Fault
config = json.loads(sys.argv[2])
data = base64.urlsafe_b64encode(bz2.compress(json.dumps(config).encode())).decode()
server = ServerProxy(sys.argv[1])
print(server.checkin(data))
try:
    server.nothing(data)
except Fault as f:
    print(f.faultCode, f.faultString)
`
	cmd := exec.CommandContext(t.Context(), python, "-c", script, url, submission("uni-x", "de1", linux))
	cmd.Env = append(os.Environ(), "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	want := "Category Fedora Linux directories updated: 1  added: 1  deleted 1\n" +
		"Category Fedora Linux directories that count when their release is lifted: 1\nchecked in successful\n" +
		"-32601 method \"nothing\" is not supported, only checkin is\n"
	if err != nil || string(out) != want {
		t.Errorf("%v, got\n%swant\n%s", err, out, want)
	}
}

// decode decodes an answer in JSON.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// record hands a body to a handler, with a good token, and returns its answer.
func record(h http.HandlerFunc, body string) (status int, answer string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h(w, r)
	return w.Code, w.Body.String()
}
