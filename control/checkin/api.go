package checkin

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/control/checkin/internal/jsonstream"
)

// An Answer is what a host is told whose check-in by [Server.ServeAPI] was
// accepted.
type Answer struct {
	Host string `json:"host"`

	// Categories has the counts of each category, by the registry's name.
	Categories map[string]Counts `json:"categories"`

	// Ignored are categories that the host does not carry.
	Ignored []string `json:"ignored,omitempty"`
}

// A Refused is what a host is told whose check-in was not accepted.
type Refused struct {
	Error string `json:"error"`
}

// ServeAPI answers a check-in in JSON, at any path:
//
//	POST /v1/checkin
//	Authorization: Bearer TOKEN
//	Content-Encoding: zstd          (or gzip, or none)
//
//	{"host": "uni-x/de1",                     optional; must be the token's
//	 "synced_at": "2026-01-02T03:04:05Z",     optional
//	 "user_active": true,                     optional
//	 "categories": {
//	   "os":   {"directories": ["", "releases", "releases/43"]},
//	   "epel": {"files": "[Version]\n2\n\n[Files]\n…[End]\n"}}}
//
// "files" is a full file list as quick-fedora-mirror's create-filelist writes
// it; then files are compared too. A category is claimed whole: what it does not
// have the host does not hold. Categories that are not named stay as they are.
//
// The answer is an [Answer], or with another status a [Refused]: 400 malformed,
// 401 unknown token or one of another host, 405, 413 beyond [Limits], 415
// unknown encoding, 429 with Retry-After, 503.
func (s *Server) ServeAPI(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	accepted, err := s.api(w, r)
	body := any(accepted)
	if err != nil {
		no := s.refuse(r, err)
		status, body = no.status, Refused{no.text}
		retryAfter(w, no)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err = json.NewEncoder(w).Encode(body); err != nil {
		s.Log.Debug("answering a check-in", "error", err)
	}
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) (Answer, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return Answer{}, &refusal{status: http.StatusMethodNotAllowed, text: "check-ins are sent by POST"}
	}
	end, err := s.begin(w, r)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	key, err := s.authorize(w, r)
	if err != nil {
		return Answer{}, err
	}
	in, closeIn, err := decoded(r)
	if err != nil {
		return Answer{}, err
	}
	defer closeIn()
	limited := &capped{in: in, left: s.Limits.Files, limit: s.Limits.Files}
	doc, err := readDocument(limited, newBudget(s.Limits))
	if err != nil {
		return Answer{}, err
	}
	if doc.host != "" && doc.host != key {
		return Answer{}, &refusal{status: http.StatusUnauthorized, text: fmt.Sprintf("the token is not that of host %.200q", doc.host)}
	}
	return s.answer(r, key, doc)
}

// authorize returns the key of the host whose token the request has.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return "", &refusal{status: http.StatusUnauthorized, text: "want the host's token in a header Authorization: Bearer TOKEN"}
	}
	key, err := s.Registry.HostOfToken(r.Context(), token)
	switch {
	case errors.Is(err, ErrUnknown):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		return "", &refusal{status: http.StatusUnauthorized, text: "no host has this token"}
	case err != nil:
		return "", s.internal(fmt.Errorf("looking up a token: %w", err))
	}
	return key, nil
}

// decoded returns the body of r without its Content-Encoding.
func decoded(r *http.Request) (in io.Reader, closeIn func(), err error) {
	switch e := strings.ToLower(r.Header.Get("Content-Encoding")); e {
	case "", "identity":
		return r.Body, func() {}, nil
	case "gzip":
		g, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, nil, fmt.Errorf("decoding gzip: %w", err)
		}
		return &named{"gzip", g}, func() {}, nil
	case "zstd":
		z, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("decoding zstd: %w", err)
		}
		return &named{"zstd", z}, z.Close, nil
	default:
		return nil, nil, &refusal{status: http.StatusUnsupportedMediaType, text: fmt.Sprintf("want Content-Encoding zstd, gzip or none, got %.40q", e)}
	}
}

func (s *Server) answer(r *http.Request, key string, doc document) (Answer, error) {
	name, _, _ := strings.Cut(key, "/")
	site, err := s.Registry.Site(r.Context(), name)
	if err != nil {
		return Answer{}, s.internal(fmt.Errorf("reading the site of %s: %w", key, err))
	}
	h, err := s.host(r.Context(), site, key)
	if err != nil {
		return Answer{}, s.internal(fmt.Errorf("reading host %s: %w", key, err))
	}
	kept, ignored, err := s.keep(r.Context(), h, doc.claims, Receipt{SyncedAt: doc.syncedAt, UserActive: doc.userActive})
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Host: key, Categories: map[string]Counts{}, Ignored: ignored}
	for _, o := range kept {
		a.Categories[o.Category] = o.Counts
	}
	return a, nil
}

// A document is what [Server.ServeAPI] reads.
type document struct {
	host       string
	syncedAt   time.Time
	userActive *bool
	claims     []Claim
	given      bool // there are categories
}

func readDocument(in io.Reader, b *budget) (document, error) {
	r := jsonstream.New(in, jsonstream.Limits{Depth: b.limits.Depth, Text: b.limits.Path})
	var d document
	if err := r.Object(func(key []byte) error { return d.member(r, string(key), b) }); err != nil {
		return d, err
	}
	if !d.given {
		return d, errors.New("want an object categories")
	}
	return d, r.End()
}

func (d *document) member(r *jsonstream.Reader, key string, b *budget) error {
	switch key {
	case "host":
		return r.Text(&d.host)
	case "synced_at":
		var text string
		if err := r.Text(&text); err != nil {
			return fmt.Errorf("synced_at: %w", err)
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("synced_at: want a time such as 2026-01-02T03:04:05Z, got %.40q", text)
		}
		d.syncedAt = t
		return nil
	case "user_active":
		text, err := r.Literal()
		if err != nil || text != "true" && text != "false" {
			return errors.New("user_active: want true or false")
		}
		d.userActive = new(text == "true")
		return nil
	case "categories":
		d.given = true
		return r.Object(func(name []byte) error {
			c, err := readCategory(r, string(name), b)
			d.claims = append(d.claims, c)
			return err
		})
	}
	return fmt.Errorf("unknown key %.40q: want host, synced_at, user_active or categories", key)
}

// readCategory reads a category: directories or files.
func readCategory(r *jsonstream.Reader, name string, b *budget) (Claim, error) {
	c := Claim{Category: name}
	if err := b.category(); err != nil {
		return c, err
	}
	given := 0
	err := r.Object(func(key []byte) error {
		given++
		switch string(key) {
		case "directories":
			return r.Array(func() error {
				path, err := r.Bytes()
				if err != nil {
					return err
				}
				d, err := b.directory(string(path))
				c.Directories = append(c.Directories, d)
				return err
			})
		case "files":
			return r.Stream(func(in io.Reader) error { return readFileList(in, &c, b) })
		}
		return fmt.Errorf("unknown key %.40q: want directories or files", key)
	})
	if err == nil && given != 1 {
		err = errors.New("want either directories or files")
	}
	if err != nil {
		return c, fmt.Errorf("category %.100s: %w", name, err)
	}
	return c, nil
}
