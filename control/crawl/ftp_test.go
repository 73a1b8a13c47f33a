package crawl_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/internal/needs"
)

// ftpd is a small FTP server of a directory. odd changes its answers: it
// returns true if it has answered a command itself.
func ftpd(t *testing.T, root string, mlsd bool, odd func(w io.Writer, command string) bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go ftpSession(conn, root, mlsd, odd)
		}
	}()
	return "ftp://" + l.Addr().String()
}

func ftpSession(conn net.Conn, root string, mlsd bool, odd func(w io.Writer, command string) bool) {
	defer conn.Close() //nolint:errcheck // a test
	say := func(format string, a ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", a...) }
	say("220-hello\r\n220 ready")
	var data net.Listener
	dir := root
	for in := bufio.NewScanner(conn); in.Scan(); {
		command, arg, _ := strings.Cut(in.Text(), " ")
		if odd != nil && odd(conn, command) {
			continue
		}
		switch command {
		case "USER":
			say("331 password please")
		case "PASS":
			say("230 welcome")
		case "FEAT":
			if mlsd {
				say("211-Features:\r\n MLST type*;size*;modify*;\r\n211 End")
			} else {
				say("500 what?")
			}
		case "CWD":
			dir = filepath.Join(root, filepath.FromSlash(arg))
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				say("550 no such directory")
			} else {
				say("250 there")
			}
		case "EPSV", "PASV":
			data, _ = net.Listen("tcp", "127.0.0.1:0")
			port := data.Addr().(*net.TCPAddr).Port
			if command == "EPSV" && mlsd {
				say("229 Entering Extended Passive Mode (|||%d|)", port)
			} else if command == "PASV" {
				say("227 Entering Passive Mode (10,9,8,7,%d,%d)", port>>8, port&255) // not where it is
			} else {
				_ = data.Close()
				say("500 what?")
			}
		case "LIST", "MLSD":
			say("150 here it comes")
			c, err := data.Accept()
			_ = data.Close()
			if err != nil {
				return
			}
			ftpList(c, dir, command)
			_ = c.Close()
			say("226 done")
		default:
			say("200 ok")
		}
	}
}

func ftpList(w io.Writer, dir, command string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		kind, mode := "file", "-rw-r--r--"
		if e.IsDir() {
			kind, mode = "dir", "drwxr-xr-x"
		}
		if command == "MLSD" {
			fmt.Fprintf(w, "type=%s;size=%d;modify=%s; %s\r\n", kind, info.Size(), info.ModTime().UTC().Format("20060102150405"), e.Name())
		} else {
			fmt.Fprintf(w, "%s   1 ftp      ftp      %8d %s %s\r\n", mode, info.Size(), info.ModTime().UTC().Format("Jan 02  2006"), e.Name())
		}
	}
}

func TestFTP(t *testing.T) {
	root := write(t, content())
	tree := scan(t, root)
	t.Run("MLSD", func(t *testing.T) {
		l, r := do(t, job(tree, ftpd(t, root, true, nil)), quick())
		expect(t, tree, l, r, wholeTree...)
	})
	t.Run("LIST tells no time that would prove metadata", func(t *testing.T) {
		l, r := do(t, job(tree, ftpd(t, root, false, nil)), quick())
		expect(t, tree, l, r, "+/", "?/iso", "?/os", "+/os/Packages", "+/os/Packages/p", "?/os/repodata")
	})
	t.Run("what is missing", func(t *testing.T) {
		part := write(t, mirror(func(c map[string]string) {
			for path := range c {
				if strings.HasPrefix(path, "os/Packages") {
					delete(c, path)
				}
			}
			delete(c, "iso/live.iso")
		}))
		l, r := do(t, job(tree, ftpd(t, part, true, nil)), quick())
		expect(t, tree, l, r, "+/", "-/iso", "+/os", "-/os/Packages", "-/os/Packages/p", "+/os/repodata")
	})
	odd := func(command, answer string) func(io.Writer, string) bool {
		return func(w io.Writer, c string) bool {
			if c == command {
				_, _ = io.WriteString(w, answer)
			}
			return c == command
		}
	}
	tests := []struct{ name, command, answer string }{
		{"no anonymous users", "USER", "530 no\r\n"},
		{"too many users", "PASS", "421 later\r\n"},
		{"a reply without end", "FEAT", "211-" + strings.Repeat("x", 1<<20)},
		{"a reply that never comes", "CWD", ""},
		{"nonsense", "EPSV", "229 (((((\r\n"},
		{"a port of somebody", "EPSV", "229 (|||1|)\r\n"},
		{"no listing", "MLSD", "450 no\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := quick()
			limits.Timeout = 300 * time.Millisecond
			_, r := do(t, job(tree, ftpd(t, root, true, odd(tt.command, tt.answer))), limits)
			if r.Directories.Held > 0 || r.Outcome != crawl.Failed {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestVsftpd(t *testing.T) {
	needs.Root(t)
	needs.Program(t, "vsftpd", "vsftpd")
	root := write(t, content())
	tree := scan(t, root)
	port, dir := needs.Port(t), t.TempDir()
	config := fmt.Sprintf("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%d\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nanon_root=%s\nsecure_chroot_dir=%s\nseccomp_sandbox=NO\nxferlog_enable=NO\n", port, root, dir)
	if err := os.WriteFile(dir+"/conf", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, port, "vsftpd", dir+"/conf")
	l, r := do(t, job(tree, fmt.Sprintf("ftp://127.0.0.1:%d", port)), quick())
	expect(t, tree, l, r, "+/", "?/iso", "?/os", "+/os/Packages", "+/os/Packages/p", "?/os/repodata")
}
