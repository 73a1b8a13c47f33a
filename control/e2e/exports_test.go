//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
)

// A redirector is a program with an export of ours: its configuration, in which
// EXPORT is the export's path, DIR a folder of the test's own and ADDRESS where
// to listen, and its arguments, in which CONFIG is the configuration's path. It
// hears the client's country by the parameter cc.
type redirector struct {
	program, debian, export string
	config                  string
	args                    []string
}

var redirectors = []redirector{
	{"nginx", "nginx-light", "nginx", `
USER
daemon off;
master_process off;
pid DIR/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	map $arg_cc $waypost_country { default $arg_cc; }
	include EXPORT;
	server {
		listen ADDRESS;
		location ~ ^/pub/os/(.*)$ { return 302 $waypost_os/$1; }
	}
}`, []string{"-c", "CONFIG", "-p", "DIR", "-e", "stderr"}},
	{"apache2", "apache2-bin", "apache", `
ServerRoot DIR
ServerName localhost
PidFile DIR/pid
ErrorLog DIR/log
Listen ADDRESS
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
RewriteEngine on
RewriteMap waypost "rnd:EXPORT"
RewriteCond %{QUERY_STRING} ^cc=(..)$
RewriteRule .* - [E=MM_COUNTRY_CODE:%1]
RewriteCond %{ENV:MM_COUNTRY_CODE} ^(..)$
RewriteCond ${waypost:os:%1} ^(.+)$
RewriteRule ^/pub/os/(.*)$ %1/$1 [R=302,L]
RewriteCond ${waypost:os:any} ^(.+)$
RewriteRule ^/pub/os/(.*)$ %1/$1 [R=302,L]`, []string{"-D", "FOREGROUND", "-f", "CONFIG"}},
	{"haproxy", "haproxy", "haproxy", `
defaults
	mode http
	timeout client 5s
	timeout connect 5s
	timeout server 5s
frontend f
	bind ADDRESS
	http-request set-var(txn.n) rand(16)
	http-request set-var(txn.cc) url_param(cc)
	http-request set-var(txn.key) str(os:),concat(,txn.cc,:),concat(,txn.n)
	http-request set-var(txn.any) str(os:any:),concat(,txn.n)
	http-request set-var(txn.to) var(txn.any),map(EXPORT)
	http-request set-var(txn.to) var(txn.key),map(EXPORT) if { var(txn.key),map(EXPORT) -m found }
	http-request redirect code 302 location %[var(txn.to)]%[path,regsub(^/pub/os,)] if { var(txn.to) -m found } { path_beg /pub/os/ }
`, []string{"-db", "-f", "CONFIG"}},
	{"varnishd", "varnish", "varnish", `
vcl 4.1;
include "EXPORT";
backend default none;
sub vcl_recv {
	set req.http.Waypost-Country = regsub(req.url, "^.*[?]cc=", "");
	set req.url = regsub(req.url, "[?].*$", "");
	if (req.url ~ "^/pub/os/") { call waypost_os; }
	if (req.http.Waypost-To) { return (synth(302)); }
}
sub vcl_synth {
	if (resp.status == 302) {
		set resp.http.Location = req.http.Waypost-To + regsub(req.url, "^/pub/os", "");
		return (deliver);
	}
}`, []string{"-j", "none", "-F", "-n", "DIR/work", "-a", "ADDRESS", "-f", "CONFIG"}},
}

// TestExports starts the programs for which there are exports, and is sent by
// them to the mirror of its country; to none that lacks something.
func TestExports(t *testing.T) {
	t.Parallel()
	p := discPlane(t)
	de, us, half := serve(t, copyTree(t, p.master), nil), serve(t, copyTree(t, p.master), nil), serve(t, copyTree(t, p.master), nil)
	remove(t, half.dir, "43/iso")
	p.host(t, "de", []string{de.url}, "country=DE")
	p.host(t, "us", []string{us.url}, "country=US")
	p.host(t, "half", []string{half.url}, "country=DE")
	p.crawl(t, "de", "us", "half")
	for _, r := range redirectors {
		t.Run(r.program, func(t *testing.T) {
			needs.Program(t, r.program, r.debian)
			address := r.start(t, p)
			for range 10 {
				wantLocation(t, address, disc+"?cc=DE", de.url+"/43/iso/disc.iso")
				wantLocation(t, address, disc+"?cc=US", us.url+"/43/iso/disc.iso")
				wantLocation(t, address, disc+"?cc=JP", de.url+"/43/iso/disc.iso", us.url+"/43/iso/disc.iso")
			}
		})
	}
}

// start writes the export and starts the program, which answers at an address.
func (r redirector) start(t *testing.T, p *plane) (address string) {
	t.Helper()
	dir, user := t.TempDir(), ""
	if os.Geteuid() == 0 {
		user = "user root;" // temporary folders are for nobody else
	}
	address = port(t)
	exported, config := filepath.Join(dir, "export"), filepath.Join(dir, "config")
	output(t, waypost, "export", r.export, "-c", filepath.Join(p.dir, "control.yaml"), "-o", exported)
	fill := strings.NewReplacer("EXPORT", exported, "DIR", dir, "CONFIG", config, "ADDRESS", address, "USER", user)
	file(t, fill.Replace(r.config), config)
	args := make([]string, len(r.args))
	for i, a := range r.args {
		args[i] = fill.Replace(a)
	}
	start(t, r.program, args...)
	until(t, soon, r.program+" answers", func() bool { return answers(address) })
	return address
}

// wantLocation wants a redirect to one of some URLs; a parameter may stay.
func wantLocation(t *testing.T, address, path string, urls ...string) {
	t.Helper()
	direct := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := direct.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // of a redirect nobody reads it
	got, _, _ := strings.Cut(response.Header.Get("Location"), "?")
	for _, url := range urls {
		if got == url && response.StatusCode == http.StatusFound {
			return
		}
	}
	t.Errorf("%s: status %d to %q, want %s", path, response.StatusCode, got, fmt.Sprint(urls))
}

// TestSnapshotDiff compares what an edge keeps with what is published then.
func TestSnapshotDiff(t *testing.T) {
	t.Parallel()
	p := discPlane(t)
	m := serve(t, copyTree(t, p.master), nil)
	p.host(t, "m", []string{m.url}, "country=DE")
	p.crawl(t, "m")
	e := p.edge(t)
	wantSent(t, e, disc, m.url)
	before, now := filepath.Join(e.dir, "data", "snapshots"), "http://"+p.address
	e.process.kill() // what it has stays as it is
	diff := func(from, to string) string {
		return output(t, waypost, "snapshot", "diff", "--token-file", filepath.Join(e.dir, "edge.token"), "--key", p.key(t), from, to)
	}
	p.settled(t)
	p.ctl(t, "host", "set", "s/m", "country=GB")
	p.host(t, "new", []string{"http://new.test/os"})
	file(t, "another disc", p.master, "44/iso/disc.iso")
	p.scan(t)
	p.ctl(t, "publish", "--wait", "2m")
	p.settled(t)
	there := diff(before, now)
	wantText(t, there, "+ host s/new", "~ host s/m: ", "country", "+ directory pub/os/44/iso", "+ file pub/os/44/iso/disc.iso")
	wantText(t, diff(now, before), "- host s/new", "- file pub/os/44/iso/disc.iso")
	wantText(t, diff(before, before), "no difference")
}
