package checkin_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/registry"
)

const fileList = "[Version]\n2\n\n[Files]\n1000\td\t0\treleases\n1000\tf\t10\treleases/43/a.iso\n1000\tf-\t30\treleases/44/c.iso\n1000\tl\t3\tlink\n\n[End]\n"

func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPI(t *testing.T) {
	counts := func(name string, c checkin.Counts) checkin.Answer {
		return checkin.Answer{Host: "uni-x/de1", Categories: map[string]checkin.Counts{name: c}}
	}
	ignored := counts("Fedora Linux", checkin.Counts{Updated: 1, Added: 1, Deleted: 1, Embargoed: 1, Unknown: 1})
	ignored.Ignored = []string{"CentOS"}
	public := counts("Fedora Linux", checkin.Counts{Crawl: 1})
	public.Host = "uni-x/pub"
	tests := []struct {
		name, token, in string
		want            checkin.Answer
	}{
		{
			"directories", token,
			`{"categories": {"fedora linux": {"directories": ["", "releases/", "./releases/44", "no"]}, "CentOS": {"directories": []}}}`, ignored,
		},
		{
			"everything", token,
			`{"host": "uni-x/de1", "synced_at": "2026-01-01T00:00:00Z", "user_active": false, "categories": {"fedora epel": {"directories": ["9"]}}}`,
			counts("Fedora EPEL", checkin.Counts{Unknown: 1}),
		},
		{
			"files", token, `{"categories": {"Fedora Linux": {"files": ` + quoted(t, fileList) + `}}}`,
			counts("Fedora Linux", checkin.Counts{Updated: 2, Added: 1, Embargoed: 1, Lacking: 1}),
		},
		{"public", "pub" + token, `{"categories": {"Fedora Linux": {"directories": ["releases"]}}}`, public},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := newWorld(t).serve(t, wide) + "/v1/checkin"
			status, answer, h := send(t, "POST", url, tt.in, "Authorization", "Bearer "+tt.token)
			if status != 200 || h.Get("Content-Type") != "application/json" {
				t.Fatal(status, answer)
			}
			if diff := cmp.Diff(tt.want, decode[checkin.Answer](t, answer)); diff != "" {
				t.Error("want -, got +:\n" + diff)
			}
		})
	}
}

func TestAPIReceipt(t *testing.T) {
	w := newWorld(t)
	in := `{"synced_at": "2026-01-01T02:00:00+02:00", "user_active": true, "categories": {"fedora linux": {"files": ` + quoted(t, fileList) + `}}}`
	if status, answer, _ := send(t, "POST", w.serve(t, wide)+"/v1/checkin", in, "Authorization", "bearer "+token); status != 200 {
		t.Fatal(answer)
	}
	want := []checkin.Receipt{{
		Host: "uni-x/de1", At: at, SyncedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), UserActive: new(true),
		Outcomes: []checkin.Outcome{{
			Category: "Fedora Linux",
			Listing: &registry.Listing{
				Host: "uni-x/de1", Category: "Fedora Linux", Seen: at, Holds: set(70, 3, 5),
				Lacks: []registry.FileRef{{Directory: 5, Name: "b.iso"}},
			},
			Embargoed: []string{"releases/44"},
			Counts:    checkin.Counts{Updated: 2, Added: 1, Embargoed: 1, Lacking: 1},
		}},
	}}
	if diff := cmp.Diff(want, w.receipts); diff != "" {
		t.Error("want -, got +:\n" + diff)
	}
}

func TestAPIEncodings(t *testing.T) {
	in := []byte(`{"categories": {"fedora linux": {"directories": ["releases"]}}}`)
	var zipped bytes.Buffer
	g := gzip.NewWriter(&zipped)
	_, _ = g.Write(in)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	url := newWorld(t).serve(t, wide) + "/v1/checkin"
	for encoding, body := range map[string]string{"gzip": zipped.String(), "zstd": string(z.EncodeAll(in, nil)), "identity": string(in)} {
		status, answer, _ := send(t, "POST", url, body, "Authorization", "Bearer "+token, "Content-Encoding", encoding)
		if status != 200 {
			t.Errorf("%s: %s", encoding, answer)
		}
	}
}

func TestAPIRefuses(t *testing.T) {
	files := func(list string) string {
		return `{"categories": {"x": {"files": ` + quoted(t, list) + `}}}`
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := string(z.EncodeAll([]byte(`{"categories": {"x": {"files": "[Version]\n2\n[Files]\n`+strings.Repeat(`1\tf\t1\ta\n`, 100_000)), nil))
	auth := []string{"Authorization", "Bearer " + token}
	tests := []struct {
		name   string
		status int
		body   string
		header []string
		want   string
	}{
		{"no token", 401, `{}`, nil, "want the host's token in a header Authorization: Bearer TOKEN"},
		{"basic", 401, `{}`, []string{"Authorization", "Basic " + token}, "want the host's token"},
		{"unknown token", 401, `{}`, []string{"Authorization", "Bearer x"}, "no host has this token"},
		{"token of another", 401, `{"host": "uni-x/pub", "categories": {}}`, auth, `the token is not that of host "uni-x/pub"`},
		{"empty", 400, ``, auth, "JSON at byte 0: the document ends too early"},
		{"no object", 400, `[]`, auth, "want an object"},
		{"no categories", 400, `{}`, auth, "want an object categories"},
		{"unknown key", 400, `{"category": {}}`, auth, `unknown key "category": want host, synced_at, user_active or categories`},
		{"time", 400, `{"synced_at": "today"}`, auth, `synced_at: want a time such as 2026-01-02T03:04:05Z, got "today"`},
		{"active", 400, `{"user_active": 1}`, auth, "user_active: want true or false"},
		{"nothing in a category", 400, `{"categories": {"x": {}}}`, auth, "category x: want either directories or files"},
		{"both in a category", 400, `{"categories": {"x": {"directories": [], "files": "` + strings.ReplaceAll(strings.ReplaceAll(fileList, "\n", `\n`), "\t", `\t`) + `"}}}`, auth, "category x: want either directories or files"},
		{"key in a category", 400, `{"categories": {"x": {"dirs": []}}}`, auth, `category x: unknown key "dirs": want directories or files`},
		{"no text", 400, `{"categories": {"x": {"directories": [1]}}}`, auth, "category x: JSON at byte"},
		{"no file list", 400, files("hello\n"), auth, "category x: file list: line 1: want [Version]"},
		{"file list cut", 400, files(strings.TrimSuffix(fileList, "[End]\n")), auth, "file list: no [End]"},
		{"encoding", 415, `{}`, append(auth, "Content-Encoding", "br"), `want Content-Encoding zstd, gzip or none, got "br"`},
		{"not gzip", 400, `{}`, append(auth, "Content-Encoding", "gzip"), "decoding gzip"},
		{"not zstd", 400, `{"a":1}`, append(auth, "Content-Encoding", "zstd"), "decoding zstd"},
		{"request", 413, `{"categories": {` + strings.Repeat(" ", 10_000) + `}}`, auth, "too large: the request has more than 5000 bytes"},
		{"directories", 413, `{"categories": {"x": {"directories": [` + strings.Repeat(`"a",`, 10) + `"a"]}}}`, auth, "more than 10 directories"},
		{"files", 413, files("[Version]\n2\n[Files]\n1\tf\t1\ta\n1\tf\t1\tb\n1\tf\t1\tc\n[End]\n"), auth, "more than 2 files"},
		{"bomb", 413, bomb, append(auth, "Content-Encoding", "zstd"), "too large"},
	}
	small := checkin.Limits{Request: 5000, Files: 100_000, Directories: 10, FileCount: 2, Failures: 1000}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			status, answer, _ := send(t, "POST", w.serve(t, small)+"/v1/checkin", tt.body, tt.header...)
			if got := decode[checkin.Refused](t, answer).Error; status != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("got %d %s, want %d %s", status, got, tt.status, tt.want)
			}
			if len(w.receipts) > 0 {
				t.Error("it was kept")
			}
		})
	}
}

// fuzzed gives fuzzing a server without a network, and limits that keep it quick.
func fuzzed(f *testing.F) (w *world, s *checkin.Server) {
	f.Helper()
	w = newWorld(f)
	return w, checkin.New(checkin.Config{Registry: w, Holdings: w, Now: func() time.Time { return at }, Limits: checkin.Limits{
		Unpacked: 1 << 16, Files: 1 << 16, Failures: 1 << 40, PerHost: 1 << 40,
	}})
}

// FuzzXMLRPC: whatever comes, there is an answer, and success only with the password.
func FuzzXMLRPC(f *testing.F) {
	w, s := fuzzed(f)
	f.Add(call(encode(f, `{"version": 0}`)))
	f.Add(call(encode(f, "\x80\x02}q\x00.")))
	f.Add(`<?xml version='1.0'?><!-- --><methodCall><methodName>x</methodName></methodCall>`)
	f.Add(`<methodCall><methodName>checkin</methodName><params><param><value>QlpoOQ==</value></param></params></methodCall>`)
	f.Fuzz(func(t *testing.T, body string) {
		_, answer := record(s.ServeXMLRPC, body)
		if !strings.HasPrefix(answer, "<?xml") || strings.Contains(strings.ToLower(answer), "successful") || len(w.receipts) > 0 {
			t.Error(answer)
		}
	})
}

// FuzzDocument: the same for what is inside the layers.
func FuzzDocument(f *testing.F) {
	w, s := fuzzed(f)
	f.Add(`{"version": 0, "global": {"enabled": "1"}, "site": {"name": 1, "password": null}, "host": {}, "stats": [], "x": {"dirtree": {"a": {}}}}`)
	f.Add(`{"version": 0, "global": {"enabled": "1"}, "site": {"name": "a", "password": "b"}, "host": {"name": "c"}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, document string) {
		_, answer := record(s.ServeXMLRPC, call(encode(t, document)))
		if !strings.HasPrefix(answer, "<?xml") || strings.Contains(answer, "checked in successful") || len(w.receipts) > 0 {
			t.Error(answer)
		}
	})
}

// FuzzAPI: with a good token, there is an answer of one of the two kinds.
func FuzzAPI(f *testing.F) {
	_, s := fuzzed(f)
	f.Add(`{"categories": {"fedora linux": {"directories": ["", "a/b"]}}}`)
	f.Add(`{"categories": {"fedora linux": {"files": "[Version]\n2\n[Files]\n1\td\t0\ta\n[End]\n"}}, "synced_at": "2026-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, body string) {
		status, answer := record(s.ServeAPI, body)
		if status == 200 {
			decode[checkin.Answer](t, answer)
		} else if decode[checkin.Refused](t, answer).Error == "" {
			t.Error("refused without a reason")
		}
	})
}

// BenchmarkMillion asks what 10⁶ directories cost, which is the most one check-in may have.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	w := newWorld(b)
	var dirs strings.Builder
	m := checkin.Master{}
	for i := range n {
		path := fmt.Sprintf("releases/%03d/Everything/x86_64/os/Packages/%c/%05d", i/26_000, 'a'+i/1000%26, i%1000)
		m.Directories = append(m.Directories, registry.Directory{Path: path, Readable: true})
		m.Numbers = append(m.Numbers, uint32(i))
		fmt.Fprintf(&dirs, `,%q: {}`, path)
	}
	w.masters["Fedora Linux"] = m
	s := checkin.New(checkin.Config{Registry: w, Holdings: w, Limits: wide})
	body := call(encode(b, submission("uni-x", "de1", `"fedora linux": {"dirtree": {`+dirs.String()[1:]+`}}`)))
	dirs.Reset()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, answer := record(s.ServeXMLRPC, body); !strings.Contains(answer, "successful") {
			b.Fatal(answer)
		}
	}
}
