package importer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/importer"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

var options = importer.MirrorbitsOptions{Site: "imported", Category: "files", Path: "pub"}

const shown = `Mirror: fr1
HttpURL: mirror.fr1.example.org/pub/
RsyncURL: rsync://mirror.fr1.example.org/pub/
FtpURL: ""
SponsorName: 'It''s us'
AdminEmail: admin@fr1.example.org
ContinentOnly: false
CountryOnly: true
ASOnly: false
Score: 50
Latitude: 48.85
Longitude: 2.33
ContinentCode: EU
CountryCodes: FR BE
ExcludedCountryCodes: "KP"
ASNum: 16276
Enabled: true
AllowRedirects: null

Comment:
first line
second line

Mirror: eu1
HttpURL: https://eu1.example.org
ContinentOnly: true
CountryCodes: DE
Enabled: true
`

func TestMirrorbitsShown(t *testing.T) {
	r, err := importer.Mirrorbits("mirrors.txt", []byte(shown), options)
	if err != nil {
		t.Fatal(err)
	}
	urls := []registry.URL{
		{URL: "https://mirror.fr1.example.org/pub"},
		{URL: "http://mirror.fr1.example.org/pub"},
		{URL: "rsync://mirror.fr1.example.org/pub", Private: true},
	}
	want := &registry.Host{
		Name: "fr1", Site: "imported", Country: "FR", Location: &registry.Location{Lat: 48.85, Lon: 2.33}, Bandwidth: 150,
		ASNs: []uint32{16276}, Allowed: []string{"FR", "BE"}, Excluded: []string{"KP"}, Contacts: []string{"admin@fr1.example.org"},
		Carries: []registry.Carry{{Category: "files", URLs: urls}},
		Comment: "first line\nsecond line", State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true},
	}
	if d := cmp.Diff(want, find[*registry.Host](t, r, "imported/fr1")); d != "" {
		t.Error(d)
	}
	if h := find[*registry.Host](t, r, "imported/eu1"); h.UserActive || h.Reason == "" {
		t.Errorf("who served only a continent serves the world: %+v", h)
	}
	notes := []string{
		"mirrors.txt:1: Score: host fr1: a score of 50 became a bandwidth of 150",
		"mirrors.txt:1: CountryCodes: host fr1: it was also for [BE], but is in one country here",
		`mirrors.txt:5: SponsorName: host fr1: left out: "It's us"`,
		"mirrors.txt:24: ContinentOnly: host eu1: switched off: whom it serves cannot be said",
	}
	if d := cmp.Diff(notes, left(r)); d != "" {
		t.Error(d)
	}
	if problems := registry.NewWorld(slices.Values(r.Objects)).Check(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestMirrorbitsJSON(t *testing.T) {
	for name, in := range map[string]string{
		"mirrorlist": `{"FileInfo": {"Path": "/x"}, "MirrorList": [{"ID": 1, "Name": "a", "HttpURL": "https://a.example.org", "ASOnly": true, "Asnum": 7}],
			"ExcludedList": [{"ID": 2, "Name": "b", "HttpURL": "https://b.example.org", "Enabled": false}]}`,
		"database": `{"MIRROR_a": {"http": "https://a.example.org", "asOnly": "1", "asnum": "7"},
			"MIRROR_2": {"name": "b", "http": "https://b.example.org", "enabled": "0"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := importer.Mirrorbits("mirrors.json", []byte(in), options)
			if err != nil {
				t.Fatal(err)
			}
			a, b := find[*registry.Host](t, r, "imported/a"), find[*registry.Host](t, r, "imported/b")
			if !a.Private || !slices.Equal(a.ASNs, []uint32{7}) || !a.UserActive || b.Private || b.UserActive {
				t.Errorf("%+v\n%+v", a, b)
			}
			if a.Carries[0].URLs[0].URL != "https://a.example.org" || len(r.Left) > 0 {
				t.Errorf("%+v, left %s", a, left(r))
			}
		})
	}
}

func TestMirrorbitsMirmon(t *testing.T) {
	text := "fr rsync://m.example.org/pub/ x@example.org\nFR\thttp://m.example.org/pub/\tx@example.org\n\nDE ftp://d.example.org/\nFR https://m.example.org/other/\n"
	r, err := importer.Mirrorbits("list", []byte(text), options)
	if err != nil {
		t.Fatal(err)
	}
	m := find[*registry.Host](t, r, "imported/m.example.org")
	if len(m.Carries[0].URLs) != 2 || m.Country != "FR" || !slices.Equal(m.Contacts, []string{"x@example.org"}) {
		t.Errorf("%+v", m)
	}
	find[*registry.Host](t, r, "imported/d.example.org")
	find[*registry.Host](t, r, "imported/m.example.org-5")
}

func TestMirrorbitsErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "m: want mirrors of mirrorbits, got none"},
		{"JSON", "{\n\"a\": ]", "m:2: no valid JSON: invalid character ']' looking for beginning of value"},
		{"no key", "Mirror: a\njunk here\n", `m:2: want KEY: VALUE, as mirrorbits show prints it, got "junk here"`},
		{"twice", "Mirror: a\nScore: 1\nScore: 2\n", "m:3: Score: given twice"},
		{"lines", "Mirror: a\nCustomData: |\n  x\n", `m:2: CustomData: want a value in one line, got " |"`},
		{"number", "Mirror: a\nHttpURL: http://a\nScore: many\n", `m:3: Score: want a number, got "many"`},
		{"truth", "Mirror: a\nASOnly: perhaps\n", `m:2: ASOnly: want true or false, got "perhaps"`},
		{"country", "Mirror: a\nCountryCodes: France\n", `m:2: CountryCodes: want country codes of two letters, got "France"`},
		{"no name", "HttpURL: http://a\n", "m:1: Name: want the mirror's name, got nothing"},
		{"same name", "Mirror: a\nMirror: a\n", `m:2: Name: "a" is there already`},
		{"mirmon", "DE http://a\nDE gopher://a\n", `m:2: want an http, https, rsync or ftp URL, got "gopher://a"`},
		{"mirmon words", "DE http://a\nDE\n", `m:2: want COUNTRY URL MAIL, got "DE"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := importer.Mirrorbits("m", []byte(tt.in), options)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

// Whatever comes in, what comes out is good by itself.
func FuzzMirrorbits(f *testing.F) {
	f.Add([]byte(shown))
	f.Add([]byte("# You can now edit this.\nName: a\nHttpURL: a.example.org\n##### Comments go below this line #####\n\nhello\n"))
	f.Add([]byte(`[{"Name": "a", "HttpURL": "https://a.example.org", "Score": 1e400}]`))
	f.Add([]byte("DE http://a.example.org x@y\nde rsync://a.example.org\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := importer.Mirrorbits("fuzz", data, options)
		if err != nil {
			if _, ok := errors.AsType[snapshot.Problems](err); !ok || !strings.HasPrefix(err.Error(), "fuzz") {
				t.Errorf("got %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, o := range r.Objects {
			if problems := o.Check(); len(problems) > 0 || seen[registry.Name(o)] {
				t.Errorf("%s: %v", registry.Name(o), problems)
			}
			seen[registry.Name(o)] = true
		}
	})
}
