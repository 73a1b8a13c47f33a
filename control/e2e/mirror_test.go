//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// A mirror is a copy of the master with a web server.
type mirror struct {
	dir, url string
	stop     func()
}

// serve starts a web server with index pages for a tree. before, unless nil,
// is called before each answer.
func serve(t *testing.T, dir string, before func()) *mirror {
	t.Helper()
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before != nil {
			before()
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return &mirror{dir, server.URL, server.Close}
}

// serveNginx starts nginx for a tree.
func serveNginx(t *testing.T, dir string) *mirror {
	t.Helper()
	work, address := t.TempDir(), port(t)
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // temporary folders are for nobody else
	}
	config := file(t, fmt.Sprintf(`%s
daemon off;
master_process off;
pid %[2]s/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
  server { listen %[3]s; root %[4]s; autoindex on; }
}
`, user, work, address, dir), work, "nginx.conf")
	d := start(t, "nginx", "-c", config, "-p", work, "-e", "stderr")
	until(t, soon, "nginx answers", func() bool { return answers(address) })
	return &mirror{dir, "http://" + address, d.kill}
}

// serveRsync starts an rsync daemon for a tree and returns its URL.
func serveRsync(t *testing.T, dir string) (url string) {
	t.Helper()
	work, address := t.TempDir(), port(t)
	user := ""
	if os.Geteuid() == 0 {
		user = "uid = 0\ngid = 0\n"
	}
	config := file(t, user+fmt.Sprintf("use chroot = no\n[os]\npath = %s\nread only = yes\n", dir), work, "rsyncd.conf")
	start(t, "rsync", "--daemon", "--no-detach", "--config="+config, "--address=127.0.0.1", "--port="+address[len("127.0.0.1:"):],
		"--log-file="+filepath.Join(work, "log"))
	until(t, soon, "rsync answers", func() bool { return answers(address) })
	return "rsync://" + address + "/os"
}
