package http

import (
	"bytes"
	"math/rand/v2"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// MirrorManager's lists: /…/mirrorlist gives text or a redirect, /…/metalink a
// metalink of version 3. Parameters, texts and status codes are those of
// Fedora's mirrorlist-server, which programs and people know by heart:
//
//	/mirrorlist?repo=fedora-43&arch=x86_64&country=DE,FR&protocol=https
//
//	# repo = fedora-43 arch = x86_64 country = DE country = FR protocol = https
//	https://mirror.example.de/fedora/releases/43/Everything/x86_64/os/
//	…
//
// A refusal has its text as the body, in a metalink as a comment.

// A list is the work on one list. It is part of a pooled request.
type list struct {
	metalink bool
	params   listParams
	repo     string // the name of the repository, after redirection; "" where path= names the directory
	number   uint32 // of the repository, plus 1; 0 where path= names the directory
	target   index.Target
	path     []byte        // of target
	schemes  index.Schemes // of the hosts that are asked for
	tail     []byte        // what follows the base URLs of hosts
	text     []byte        // of a refusal
	have     hostset.Set   // public hosts that hold the target
	near     hostset.Set   // hosts that hold it and serve the client's country
}

// The texts of refusals that have nothing of the request in them.
const (
	textNoQuestion = "# either path=, or repo= and arch= must be specified"
	textNoPath     = "error: invalid path"
	textDisabled   = "repo disabled"
	textNoCache    = "mirrorlist cache index out of range, you broke it!"
	textNoClient   = "Cannot parse client IP address. Aborting."
)

const (
	typeText     = "text/plain"
	typeMetalink = "application/metalink+xml"
)

// mirrorlist answers a request for a list.
func (s *Server) mirrorlist(r *request) {
	r.ctx.Response.Header.SetNoDefaultContentType(true)
	r.ctx.Response.Header.Set(fasthttp.HeaderCacheControl, private)
	l := &r.list
	l.metalink = r.kind == Metalink3
	l.params.parse(r.query)
	status := l.resolve(r.view.Index)
	if status == 0 {
		status = s.admit(r)
	}
	if status == 0 {
		r.about(&l.target, l.number)
	}
	switch {
	case status != 0:
		s.refuseList(r, status)
	case l.metalink:
		s.find(r, index.AnyScheme, 0)
		s.answerMetalink(r)
	case l.params.wantsRedirect():
		s.find(r, s.redirectSchemes(r), 1)
		s.redirectList(r)
	default:
		s.find(r, index.AnyScheme, 0)
		s.answerText(r)
	}
}

// textSchemes are the schemes of text lists where protocol= names no others.
// Hosts that have only others are enough hosts too, as with MirrorManager, but
// are not in the text.
const textSchemes = index.Web | index.FTP

// resolve finds out what directory or file is asked for. A status other than 0
// is a refusal, whose text is l.text.
func (l *list) resolve(ix *index.Index) (status int) {
	given := &l.params.given
	switch {
	case given[paramPath]:
		return l.resolvePath(ix)
	case given[paramRepo] && given[paramArch]:
		return l.resolveRepo(ix)
	}
	return l.refuse(fasthttp.StatusOK, textNoQuestion)
}

func (l *list) refuse(status int, text string) int {
	l.text = append(l.text[:0], text...)
	return status
}

// resolvePath finds the directory or file of path=, taken as decoded, or with
// blanks for plus signs, or as it was sent.
func (l *list) resolvePath(ix *index.Index) (status int) {
	l.repo, l.number = "", 0
	path, raw := l.params.value[paramPath], l.params.raw[paramPath]
	switch {
	case l.lookUp(ix, path):
	case bytes.IndexByte(raw, '+') >= 0 && l.lookUp(ix, bytes.ReplaceAll(path, []byte("+"), []byte(" "))):
	case !bytes.Equal(raw, path) && l.lookUp(ix, raw):
	default:
		return l.refuse(fasthttp.StatusNotFound, textNoPath)
	}
	return 0
}

// lookUp finds path, whose slashes may be repeated and stand at its ends.
func (l *list) lookUp(ix *index.Index, path []byte) (ok bool) {
	l.path = l.path[:0]
	for _, c := range path {
		if c != '/' || len(l.path) > 0 && l.path[len(l.path)-1] != '/' {
			l.path = append(l.path, c)
		}
	}
	l.path = bytes.TrimRight(l.path, "/")
	l.target, ok = ix.Find(l.path)
	return ok && !climbs(ix.Suffix(&l.target))
}

// climbs reports whether a relative path leads out of where it starts. Names
// below a directory are anything, so that they may be "..".
func climbs(path []byte) bool {
	depth := 0
	for len(path) > 0 && depth >= 0 {
		var name []byte
		name, path, _ = bytes.Cut(path, []byte("/"))
		if string(name) == ".." {
			depth--
		} else {
			depth++
		}
	}
	return depth < 0
}

// resolveRepo finds the directory of repo= and arch=, and for a metalink its
// repodata/repomd.xml.
func (l *list) resolveRepo(ix *index.Index) (status int) {
	p := &l.params
	status = l.findRepo(ix, p.value[paramRepo], p.value[paramArch])
	encoded := !bytes.Equal(p.raw[paramRepo], p.value[paramRepo]) || !bytes.Equal(p.raw[paramArch], p.value[paramArch])
	if status == fasthttp.StatusNotFound && encoded && l.findRepo(ix, p.raw[paramRepo], p.raw[paramArch]) == 0 {
		status = 0
	}
	if status == fasthttp.StatusNotFound {
		l.listRepos(ix)
	}
	if status != 0 {
		return status
	}
	if l.metalink && !bytes.HasSuffix(l.path, []byte("/repodata")) {
		l.path = append(l.path, "/repodata"...)
	}
	var ok bool
	l.target, ok = ix.Find(l.path)
	if !ok || !l.target.IsDir && ix.Category(l.target.Category).Enumerated {
		return l.refuse(fasthttp.StatusInternalServerError, textNoCache)
	}
	l.target.IsDir = true
	if l.metalink {
		l.path = append(l.path, "/repomd.xml"...)
		l.target, _ = ix.Find(l.path) // a name that cannot exist has no hash either
	}
	return 0
}

// findRepo finds a repository by name and sets l.repo and l.path.
func (l *list) findRepo(ix *index.Index, name, arch []byte) (status int) {
	l.repo = ix.RepositoryName(string(name))
	if ix.Disabled(l.repo) {
		return l.refuse(fasthttp.StatusOK, textDisabled)
	}
	number, ok := ix.RepositoryNumber(l.repo, string(arch))
	if !ok {
		return fasthttp.StatusNotFound
	}
	l.number = number + 1
	l.path = append(l.path[:0], ix.Inputs().Snapshot.Repositories[number].Path...)
	return 0
}

// listRepos makes the text for an unknown repository, which names all known ones.
func (l *list) listRepos(ix *index.Index) {
	l.repo = ix.RepositoryName(string(l.params.value[paramRepo]))
	l.text = l.appendTitle(l.text[:0])
	l.text = append(l.text, "error: invalid repo or arch\n# following repositories are available:\n"...)
	ix.Repositories(func(repo *snapshot.Repository) {
		l.text = append(l.text, "# repo="...)
		l.text = append(l.text, repo.Name...)
		l.text = append(l.text, "&arch="...)
		l.text = append(l.text, repo.Arch...)
		l.text = append(l.text, '\n')
	})
}

// admit refuses clients whose address is not known and metalinks of files of
// which nothing is known, and logs all others and those without a metalink.
func (s *Server) admit(r *request) (status int) {
	l := &r.list
	if !r.client.IsValid() {
		return l.refuse(fasthttp.StatusInternalServerError, textNoClient)
	}
	s.logList(r)
	if !l.metalink || l.target.HasFile {
		return 0
	}
	l.text = append(l.text[:0], l.target.Path...)
	if l.target.IsDir {
		l.text = append(l.text, '/')
	}
	l.text = append(l.text, " not found or has not metalink"...)
	return fasthttp.StatusNotFound
}

// redirectSchemes returns the schemes that a redirect may have. An edge keeps a
// client of https there; a mirrorlist-server does not, as Fedora's.
func (s *Server) redirectSchemes(r *request) index.Schemes {
	if r.secure && !s.config.MirrorlistServer {
		return index.HTTPS
	}
	return index.Web
}

// find asks the engine for hosts with URLs of those of schemes that protocol=
// names, if it is given; for a metalink also for those with an older version,
// which it names as an alternate: dnf takes such metadata from a mirror when all
// before it have failed.
func (s *Server) find(r *request, schemes index.Schemes, count int) {
	l := &r.list
	if len(l.params.protocols) > 0 {
		schemes &= l.params.schemes
	}
	if schemes == 0 {
		schemes = noScheme
	}
	l.schemes = schemes
	r.view.Answer(&answer.Query{
		Client: r.client, Target: l.target, Schemes: schemes, Reach: index.FamilyOf(r.client),
		Countries: l.params.codes, Global: l.params.global, Avoid: l.params.avoid, NoNear: l.params.noNear(),
		Older: l.metalink, List: true, Minimum: s.config.MinimumHosts, Count: count, Random: rand.Uint64(), //nolint:gosec // a draw of mirrors
	}, &r.answer)
	r.allDown = r.answer.AllDown()
	l.setTail(r.view.Index)
}

// noScheme is a set of schemes that no URL has; the empty set would mean any.
const noScheme index.Schemes = 1 << 7

// setTail sets what follows the base URL of every host.
func (l *list) setTail(ix *index.Index) {
	suffix := ix.Suffix(&l.target)
	l.tail = append(l.tail[:0], '/')
	l.tail = appendListPath(l.tail, suffix)
	if l.target.IsDir && len(suffix) > 0 {
		l.tail = append(l.tail, '/')
	}
}

// appendListPath is appendEscaped, but leaves plus signs as they are, as
// MirrorManager does.
func appendListPath(buf, path []byte) []byte {
	for {
		plus := bytes.IndexByte(path, '+')
		if plus < 0 {
			return appendEscaped(buf, path)
		}
		buf = append(appendEscaped(buf, path[:plus]), '+')
		path = path[plus+1:]
	}
}

// send answers with r.buf, which is copied: SwapBody would save that, but our
// buffers are longer than most answers, and fasthttp's pool throws such away.
func (r *request) send(status int, contentType string) {
	r.ctx.SetStatusCode(status)
	if contentType != "" {
		r.ctx.SetContentType(contentType)
	}
	r.ctx.SetBody(r.buf)
}

// refuseList answers with a status and l.text.
func (s *Server) refuseList(r *request, status int) {
	l := &r.list
	if !l.metalink {
		r.buf = append(r.buf[:0], l.text...)
		r.send(status, "")
		return
	}
	r.buf = appendMetalinkHead(r.buf[:0], s.now())
	r.buf = append(r.buf, "<!-- "...)
	r.buf = appendComment(r.buf, l.text)
	r.buf = append(r.buf, "\n-->\n</metalink>\n"...)
	r.send(status, typeMetalink)
}

// redirectList sends the client to the first host.
func (s *Server) redirectList(r *request) {
	r.buf = r.buf[:0]
	hosts := r.answer.Hosts()
	if len(hosts) == 0 {
		r.send(fasthttp.StatusNotFound, typeText)
		return
	}
	l := &r.list
	u := r.answer.URL(hosts[0], l.schemes, index.FamilyOf(r.client))
	r.buf = append(append(r.buf, u.Base...), l.tail...)
	r.ctx.Response.Header.SetBytesV(fasthttp.HeaderLocation, r.buf)
	r.buf = r.buf[:0]
	r.send(fasthttp.StatusFound, typeText)
}

// answerText answers with a header line and a URL a line.
func (s *Server) answerText(r *request) {
	l := &r.list
	buf := l.appendHeader(r.buf[:0], r, s.config.MinimumHosts)
	buf = append(buf, '\n')
	l.tail = append(l.tail, '\n')
	header := len(buf)
	buf = l.appendHosts(buf, r)
	if len(buf) == header && !r.allDown { // up, but not by a scheme that text has
		r.allDown = true
		buf = l.appendHosts(buf, r)
	}
	r.buf = buf
	r.send(fasthttp.StatusOK, typeText)
}

// appendHosts appends a URL of each host, its best; or as many of those that
// protocol= asks for as it names protocols.
func (l *list) appendHosts(buf []byte, r *request) []byte {
	family := index.FamilyOf(r.client)
	for _, h := range r.answer.Hosts() {
		before := len(buf)
		if len(l.params.protocols) > 0 {
			buf = l.appendAskedURLs(buf, r, h)
		} else if u := r.answer.URL(h, textSchemes, family); u != nil && l.wants(r, h, u) {
			buf = append(append(buf, u.Base...), l.tail...)
		}
		if r.event.Host == 0 && len(buf) > before {
			r.event.Host = h + 1
		}
	}
	return buf
}

func (l *list) appendAskedURLs(buf []byte, r *request, h uint32) []byte {
	left := len(l.params.protocols)
	urls := r.view.Index.URLs(l.target.Category, h)
	for i := range urls {
		if left > 0 && l.wants(r, h, &urls[i]) {
			buf = append(append(buf, urls[i].Base...), l.tail...)
			left--
		}
	}
	return buf
}

// wants reports whether a URL of host h belongs in the list.
func (l *list) wants(r *request, h uint32, u *index.URL) bool {
	return l.params.matches(u) && (r.allDown || !r.view.Health.Down(h, u.Scheme, index.FamilyOf(r.client)))
}

// logList writes the line of a list by repository into the statistics log.
func (s *Server) logList(r *request) {
	p := &r.list.params
	if s.config.Statistics == nil || !p.given[paramRepo] || !p.given[paramArch] {
		return
	}
	place := r.view.Index.Place(r.client, r.client.BitLen())
	s.config.Statistics.Add(&Statistic{
		Time: s.now().time, Client: r.client, Given: r.given, Country: place.Country,
		Repo: p.value[paramRepo], Arch: p.value[paramArch],
	})
}
