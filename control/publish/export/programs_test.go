package export_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/internal/needs"
)

// A check is how a program looks at an export: its configuration, in which
// EXPORT stands for the export's path and DIR for a folder of the test's own,
// and the command, in which CONFIG stands for the configuration's path.
type check struct {
	program, debian string
	export, config  string
	command         []string
}

// TestPrograms lets the real programs check their exports in the configuration
// that the doc comments advise.
func TestPrograms(t *testing.T) {
	tests := []check{
		{"nginx", "nginx", "nginx.conf", `
pid DIR/pid;
error_log DIR/log;
events {}
http {
	access_log off;
	map $arg_cc $waypost_country { default $arg_cc; }
	include EXPORT;
	server {
		listen unix:DIR/socket;
		location ~ ^/pub/os/(.*)$ { return 302 $waypost_os/$1; }
		location ~ ^/pub/fedora/linux/(.*)$ { return 302 $waypost_fedora_linux/$1; }
	}
}`, []string{"nginx", "-t", "-e", "DIR/log", "-c", "CONFIG"}},
		{"apache2", "apache2-bin", "apache.map", `
ServerRoot DIR
ServerName localhost
PidFile DIR/pid
ErrorLog DIR/log
Listen 127.0.0.1:1
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
RewriteEngine on
RewriteMap waypost "rnd:EXPORT"
RewriteCond %{ENV:MM_COUNTRY_CODE} ^(..)$
RewriteCond ${waypost:os:%1} ^(.+)$
RewriteRule ^/pub/os/(.*)$ %1/$1 [R=302,L]
RewriteCond ${waypost:os:any} ^(.+)$
RewriteRule ^/pub/os/(.*)$ %1/$1 [R=302,L]`, []string{"apache2", "-t", "-f", "CONFIG"}},
		{"haproxy", "haproxy", "haproxy.map", `
defaults
	mode http
	timeout client 1s
	timeout connect 1s
	timeout server 1s
frontend f
	bind unix@DIR/socket
	http-request set-var(txn.n) rand(16)
	http-request set-var(txn.cc) req.hdr(country)
	http-request set-var(txn.key) str(os:),concat(,txn.cc,:),concat(,txn.n)
	http-request set-var(txn.any) str(os:any:),concat(,txn.n)
	http-request set-var(txn.to) var(txn.any),map(EXPORT)
	http-request set-var(txn.to) var(txn.key),map(EXPORT) if { var(txn.key),map(EXPORT) -m found }
	http-request redirect code 302 location %[var(txn.to)]%[path,regsub(^/pub/os,)] if { var(txn.to) -m found } { path_beg /pub/os/ }
`, []string{"haproxy", "-c", "-f", "CONFIG"}},
		{"varnishd", "varnish", "varnish.vcl", `
vcl 4.1;
include "EXPORT";
backend default none;
sub vcl_recv {
	if (req.url ~ "^/pub/os/") { call waypost_os; }
	if (req.url ~ "^/pub/fedora/linux/") { call waypost_fedora_linux; }
	if (req.http.Waypost-To) { return (synth(302)); }
}
sub vcl_synth {
	if (resp.status == 302) {
		set resp.http.Location = req.http.Waypost-To + regsub(req.url, "^/pub/os", "");
		return (deliver);
	}
}`, []string{"varnishd", "-j", "none", "-C", "-n", "DIR/work", "-f", "CONFIG"}},
		{"squid", "squid", "squid-refresh.conf", `
http_port 127.0.0.1:1
include EXPORT
`, []string{"squid", "-k", "parse", "-f", "CONFIG"}},
	}
	for _, tt := range tests {
		t.Run(tt.program, func(t *testing.T) { tt.run(t) })
	}
}

func (c check) run(t *testing.T) {
	t.Helper()
	needs.Program(t, c.program, c.debian)
	dir := t.TempDir()
	exported, config := filepath.Join(dir, c.export), filepath.Join(dir, "config")
	fill := strings.NewReplacer("EXPORT", exported, "DIR", dir, "CONFIG", config)
	for path, text := range map[string]string{exported: write(t, c.export, network(t)), config: fill.Replace(c.config)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := make([]string, len(c.command))
	for i, a := range c.command {
		args[i] = fill.Replace(a)
	}
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	warned := c.program != "varnishd" && // it prints the C code that it made
		(bytes.Contains(out, []byte("ERROR")) || bytes.Contains(out, []byte("WARNING")) || bytes.Contains(out, []byte("[warn]")))
	if err != nil || warned {
		t.Errorf("%s: %v\n%.3000s", strings.Join(args, " "), err, out)
	}
}

// Squid's own helper gives a file one name, whatever mirror it is on.
func TestSquidStoreIDBySquid(t *testing.T) {
	needs.Program(t, "squid", "squid")
	helper := "/usr/lib/squid/storeid_file_rewrite"
	if _, err := os.Stat(helper); err != nil {
		needs.Missing(t, "no "+helper+": install a package squid that has it")
	}
	db := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(db, []byte(write(t, "squid-storeid.txt", network(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), helper, db)
	cmd.Stdin = strings.NewReader("https://de1.example.org/os/43/a.rpm\nhttps://us1.example.org/os/43/a.rpm\nhttps://other.example.org/os/43/a.rpm\n")
	out, err := cmd.Output()
	want := strings.Repeat("OK store-id=http://os.squid.internal/43/a.rpm\n", 2) + "ERR\n"
	if err != nil || string(out) != want {
		t.Errorf("%v, got\n%s", err, out)
	}
}
