//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/waypost/waypost/control/internal/needs"
)

// A private host's own client, and its URL.
const (
	inside     = "192.0.2.5"
	privateURL = "http://private.test/os"
)

// private starts a control plane with a public host, which has all, and a
// private one, of which nothing is known yet.
func private(t *testing.T) (p *plane, public *mirror, e *edge) {
	t.Helper()
	p = discPlane(t)
	public = serve(t, copyTree(t, p.master), nil)
	p.host(t, "public", []string{public.url})
	p.host(t, "private", []string{privateURL}, "private=true", "netblocks=192.0.2.0/24")
	p.crawl(t, "public")
	e = p.edge(t)
	wantSent(t, e, disc, public.url)
	if !e.sends(disc, inside, public.url) {
		t.Error("a private host that never checked in gets clients")
	}
	return p, public, e
}

// wantListed waits until the private host serves its own clients first, and
// checks that it serves nobody else.
func wantListed(t *testing.T, e *edge, public *mirror) {
	t.Helper()
	until(t, soon, "the private host gets its own clients", func() bool {
		_, location, _, _ := e.ask(disc, inside) //nolint:dogsled // only where to
		return location == privateURL+"/43/iso/disc.iso"
	})
	wantSent(t, e, disc, public.url)
}

// TestReportMirror sends what quick-fedora-mirror sends, made and sent by the
// same programs: bzip2, base64, tr and curl.
func TestReportMirror(t *testing.T) {
	t.Parallel()
	needs.Program(t, "bash", "bash")
	needs.Program(t, "bzip2", "bzip2")
	needs.Program(t, "curl", "curl")
	p, public, e := private(t)
	p.ctl(t, "password", "site", "s", "-f", file(t, "word-of-the-site", p.dir, "password"))

	submission := `{"version": 0, "global": {"enabled": "1", "server": "http://control.test/xmlrpc"},
 "site": {"enabled": "1", "name": "s", "password": %q},
 "host": {"enabled": "1", "name": "private", "user_active": "1"},
 "os": {"enabled": "1", "dirtree": {"43/iso": {}, "43": {}, "": {}}}}`
	wantText(t, p.checkin(t, fmt.Sprintf(submission, "wrong")), "Config file site name or password incorrect")
	wantText(t, p.checkin(t, fmt.Sprintf(submission, "word-of-the-site")), "successful")
	wantListed(t, e, public)
}

// pipeline is what makes an XML-RPC call of the file $1 and sends it to $2.
const pipeline = `set -euo pipefail
call=$(mktemp -p "$(dirname "$1")")
{
  printf "<?xml version='1.0'?>\n<methodCall>\n<methodName>checkin</methodName>\n<params>\n<param>\n<value><string>"
  bzip2 <"$1" | base64 --wrap=0 | tr '+/' '-_'
  printf "</string></value>\n</param>\n</params>\n</methodCall>\n"
} >"$call"
curl --silent --show-error --max-time 60 -H "Expect:" -H "Content-Type: text/xml" --data "@$call" "$2"
`

// checkin sends a submission and returns the answer.
func (p *plane) checkin(t *testing.T, submission string) string {
	t.Helper()
	return output(t, "bash", "-c", pipeline, "checkin", file(t, submission, t.TempDir(), "submission"), "http://"+p.address+"/xmlrpc")
}

// TestReport checks in by waypost report, with the host's token. What the host
// says to have is listed; what it no longer says is not.
func TestReport(t *testing.T) {
	t.Parallel()
	p, public, e := private(t)
	mirror := copyTree(t, p.master)
	report := p.reporter(t, "private", mirror)
	wantText(t, output(t, waypost, "report", "-c", report), "added: ")
	wantListed(t, e, public)

	remove(t, mirror, "43/iso")
	wantText(t, output(t, waypost, "report", "-c", report), "deleted: 1")
	until(t, soon, "its clients are sent elsewhere", func() bool { return e.sends(disc, inside, public.url) })
}

// reporter makes a token for a host and returns a configuration of waypost
// report for its tree.
func (p *plane) reporter(t *testing.T, host, tree string) (config string) {
	t.Helper()
	dir := t.TempDir()
	p.ctl(t, "token", "make", host, "--host", "s/"+host, "--to", filepath.Join(dir, "token"))
	return file(t, fmt.Sprintf("server: http://%s\nsite: s\nhost: %s\ntoken_file: token\ncategories: {os: %q}\n", p.address, host, tree),
		dir, "report.yaml")
}
