package http

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// Pages for people, and for programs as JSON: which mirrors this client gets
// for a path, and why not the others. They are made on the slow path, by
// [answer.View.Explain]. Unlike the operators' explain they give no URL of a
// host that does not serve this client, and do not name private ones at all.

//go:embed page.html
var pageHTML string

//go:embed start.html
var startHTML string

// pages are the parsed templates, and a slot for each page that may be made at
// a time.
type pages struct {
	mirrorlist, start *template.Template
	slots             chan struct{}
}

// parsePages parses the templates, which are part of the program.
func parsePages() pages {
	return pages{
		mirrorlist: template.Must(template.New("mirrorlist").Parse(pageHTML)),
		start:      template.Must(template.New("start").Parse(startHTML)),
		slots:      make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
	}
}

// A mirrorPage is what ?mirrorlist shows. The JSON names are fixed for users.
type mirrorPage struct {
	Path   string     `json:"path"`
	Client pageClient `json:"client"`
	File   *pageFile  `json:"file,omitempty"`

	Mirrors      []pageMirror   `json:"mirrors"`
	Origin       string         `json:"origin,omitempty"`
	Rejected     []pageRejected `json:"rejected"`
	AllDown      bool           `json:"all_down"`
	AvoidIgnored bool           `json:"avoid_country_ignored"`

	Snapshot pageSnapshot `json:"snapshot"`
}

type pageClient struct {
	Address   string         `json:"address"`
	Country   string         `json:"country,omitempty"`
	ASN       string         `json:"asn,omitempty"`
	Netblocks []netip.Prefix `json:"netblocks,omitempty"`
	Prefix    netip.Prefix   `json:"prefix"` // whose clients are all treated alike
}

type pageFile struct {
	Name   string     `json:"name"`
	Size   int64      `json:"size,omitempty"`
	MTime  string     `json:"mtime,omitempty"`
	Hashes []pageHash `json:"hashes,omitempty"`
}

type pageHash struct {
	Kind string `json:"type"`
	Sum  string `json:"value"`
}

type pageMirror struct {
	Rank    int      `json:"rank"` // from 1
	Name    string   `json:"name"`
	Country string   `json:"country,omitempty"`
	Band    string   `json:"band"`
	URLs    []string `json:"urls"`
}

type pageRejected struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

type pageSnapshot struct {
	Version uint64 `json:"version"`
	Created string `json:"created,omitempty"`
	Age     string `json:"-"`
	Seconds int64  `json:"age_seconds,omitempty"`
}

// A startPage is what / shows.
type startPage struct {
	Categories []pageCategory `json:"categories"`
	Snapshot   pageSnapshot   `json:"snapshot"`
}

type pageCategory struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// page answers ?mirrorlist. With hundreds of hosts that costs a hundred times
// what a redirect does, so pages wait for each other, on half of the processors.
func (s *Server) page(r *request, t *index.Target) {
	s.pages.slots <- struct{}{}
	defer func() { <-s.pages.slots }()
	r.kind = Page
	r.ask(t)
	x := r.view.Explain(&r.asked)
	p := mirrorPage{
		Path: "/" + x.Path, Mirrors: []pageMirror{}, Rejected: []pageRejected{},
		File: pageFileOf(r, t), AllDown: x.AllDown, AvoidIgnored: x.AvoidIgnored,
		Snapshot: s.pageSnapshot(x.Version, x.Created),
		Client: pageClient{
			Country: x.Country, ASN: x.ASN.Value, Netblocks: x.Netblocks, Prefix: x.Prefix,
		},
	}
	if r.client.IsValid() {
		p.Client.Address = r.client.String()
	}
	if r.isDir(t) && len(x.Path) > 0 {
		p.Path += "/"
	}
	if origin := originOf(r, t); origin != "" {
		p.Origin = string(appendURL(nil, origin, r, t))
	}
	for _, band := range x.Bands {
		p.addBand(r, t, band)
	}
	p.addRejected(r.view.Index, x.Rejected)
	s.render(r, s.pages.mirrorlist, &p)
}

// addBand adds the hosts of a band that are up, or that are named because all
// are down; the others are among the rejected.
func (p *mirrorPage) addBand(r *request, t *index.Target, band answer.ExplainedBand) {
	name := band.Name
	if band.Prefix != "" {
		name += " " + band.Prefix
	}
	for _, h := range band.Hosts {
		if h.Down && !p.AllDown {
			p.Rejected = append(p.Rejected, pageRejected{h.Name, "is down, as probes found"})
			continue
		}
		m := pageMirror{Rank: len(p.Mirrors) + 1, Name: h.Name, Country: h.Country, Band: name, URLs: []string{}}
		for scheme := index.HTTPS; scheme <= index.HTTP; scheme <<= 1 {
			for _, base := range h.URLs {
				if index.SchemeOf(base)&scheme&r.asked.Schemes != 0 {
					m.URLs = append(m.URLs, string(appendURL(nil, base, r, t)))
				}
			}
		}
		p.Mirrors = append(p.Mirrors, m)
	}
}

// addRejected adds the hosts that are not eligible, without the private ones.
func (p *mirrorPage) addRejected(ix *index.Index, rejected []answer.Rejected) {
	private := map[string]bool{}
	for h := range uint32(ix.Hosts()) {
		private[ix.Registered(h).Name] = ix.Registered(h).Private
	}
	for _, h := range rejected {
		if !private[h.Name] {
			p.Rejected = append(p.Rejected, pageRejected(h))
		}
	}
}

// pageFileOf returns what is known of the file, nil if it is not known.
func pageFileOf(r *request, t *index.Target) *pageFile {
	if !t.HasFile {
		return nil
	}
	f := fileOf(r.view.Index, t)
	p := &pageFile{Name: string(baseName(t.Path)), Size: max(f.size(), 0)}
	if f.mtime() != 0 {
		p.MTime = time.Unix(f.mtime(), 0).UTC().Format(time.RFC3339)
	}
	for k := range snapshot.HashKinds {
		if sum := f.hash(k); sum != nil {
			p.Hashes = append(p.Hashes, pageHash{k.String(), string(appendHex(nil, sum))})
		}
	}
	return p
}

func (s *Server) pageSnapshot(version uint64, created time.Time) pageSnapshot {
	p := pageSnapshot{Version: version}
	if !created.IsZero() {
		age := max(s.now().time.Sub(created), 0).Round(time.Second)
		p.Created, p.Age = created.UTC().Format(time.RFC3339), ageText(age)
		p.Seconds = int64(age / time.Second)
	}
	return p
}

// ageText returns an age as a person reads it.
func ageText(age time.Duration) string {
	const day = 24 * time.Hour
	if age >= 2*day {
		return strconv.Itoa(int(age/day)) + " days"
	}
	return age.String()
}

// start answers / with a page that says what this is.
func (s *Server) start(r *request) {
	r.kind = Page
	ix := r.view.Index
	p := startPage{
		Categories: []pageCategory{},
		Snapshot:   s.pageSnapshot(ix.Version(), ix.Created()),
	}
	for _, c := range ix.Categories() {
		p.Categories = append(p.Categories, pageCategory{c.Name, c.Path})
	}
	s.render(r, s.pages.start, &p)
}

// render answers with data as a page, or as JSON where that was asked for.
func (s *Server) render(r *request, page *template.Template, data any) {
	header := &r.ctx.Response.Header
	header.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)
	header.Set(fasthttp.HeaderCacheControl, private)
	header.Set("X-Content-Type-Options", "nosniff")
	var err error
	if _, asked := param(r.query, "json"); asked || jsonWanted(r.ctx.Request.Header.PeekAll(fasthttp.HeaderAccept)) {
		r.ctx.SetContentType("application/json")
		out := json.NewEncoder(r.ctx)
		out.SetIndent("", "  ")
		err = out.Encode(data)
	} else {
		r.ctx.SetContentType("text/html; charset=utf-8")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		err = page.Execute(r.ctx, data)
	}
	if err != nil { // the templates are tested; a body is memory
		s.config.Logger.Error("rendering a page", "error", err)
		r.ctx.ResetBody()
		r.fail(fasthttp.StatusInternalServerError, "this page cannot be shown\n")
	}
}
