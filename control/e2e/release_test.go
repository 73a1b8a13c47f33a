//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A postOffice takes mail by SMTP.
type postOffice struct {
	address string

	mu    sync.Mutex
	mails []string // guarded by mu: RECIPIENT, SUBJECT and TEXT
}

// openPostOffice starts one on loopback.
func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{address: l.Addr().String()}
	var group sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); group.Wait() })
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { o.take(conn) })
		}
	})
	return o
}

// take takes mails over a connection. Of the mailbox gone@ there is none.
func (o *postOffice) take(conn net.Conn) {
	defer conn.Close()                                //nolint:errcheck // it has said all
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // of a test that hangs
	in, to := bufio.NewReader(conn), ""
	for reply := "220 ready"; reply != ""; {
		if _, err := fmt.Fprintf(conn, "%s\r\n", reply); err != nil {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		reply = "250 ok"
		switch verb := strings.ToUpper(line[:4]); {
		case verb == "RCPT" && strings.Contains(line, "<gone@"):
			reply = "550 5.1.1 no such mailbox"
		case verb == "RCPT":
			_, to, _ = strings.Cut(strings.TrimSpace(line), ":")
		case verb == "DATA":
			_, _ = io.WriteString(conn, "354 go on\r\n")
			o.keep(to, in)
		case verb == "QUIT":
			return
		}
	}
}

// keep reads a mail.
func (o *postOffice) keep(to string, in *bufio.Reader) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	m, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		return
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")) // of a bad one nothing is found
	body, _ := io.ReadAll(quotedprintable.NewReader(m.Body))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mails = append(o.mails, to+" "+subject+"\n"+string(body))
}

// got returns the mails to an address that have a text.
func (o *postOffice) got(to, text string) (mails []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.mails {
		if strings.HasPrefix(m, "<"+to+"> ") && strings.Contains(m, text) {
			mails = append(mails, m)
		}
	}
	return mails
}

// TestRelease is a release day: mirrors are told by mail, one reports under
// embargo, the readiness report shows it, and at the lift operators hear who is
// ready.
func TestRelease(t *testing.T) {
	t.Parallel()
	began := time.Now()
	master := t.TempDir()
	file(t, "the present disc", master, "43/iso/disc.iso")
	file(t, "the next disc", master, "44/iso/disc.iso")
	chmod(t, filepath.Join(master, "44"), 0o750)
	office := openPostOffice(t)
	p := newPlane(t, master, fmt.Sprintf(`  notify:
    mail: {server: %q, from: "Mirrors <mirrors@example.org>", tls: none}
    operators: [ops@example.org]
    digest_every: 100ms
`, office.address))
	p.world(t)
	p.ctl(t, "site", "set", "s", "contacts=noc@s.example.org,gone@s.example.org")
	early, late := serve(t, copyTree(t, master), nil), serve(t, copyTree(t, master), nil)
	p.host(t, "early", []string{early.url}, "bandwidth=300", "auto_carry=true")
	p.host(t, "late", []string{late.url}, "bandwidth=100")
	p.scan(t)

	lift := time.Now().Add(25*time.Second + 5*time.Since(began)).UTC().Truncate(time.Second) // a slow machine gets longer
	p.ctl(t, "release", "set", "--new", "os-44", "paths=pub/os/44", "lift_at="+lift.Format(time.RFC3339))
	until(t, soon, "the mirror's contact is told", func() bool { return len(office.got("noc@s.example.org", "os-44 is public from")) > 0 })
	wantText(t, office.got("noc@s.example.org", "os-44")[0], "s/early (takes new releases by itself)", "1 files of 13 bytes", "pub/os/44", "waypost report")

	wantText(t, p.ctl(t, "release", "status", "os-44"), "0 of 2 mirrors are ready")
	wantText(t, output(t, waypost, "report", "-c", p.reporter(t, "early", early.dir)), "under embargo: 2")
	wantText(t, p.ctl(t, "release", "status", "os-44"), "os-44 is public from", "announced 20", "1 of 2 mirrors are ready: 75 % of the bandwidth", "s/early")

	until(t, time.Until(lift)+soon, "operators are told of the lift", func() bool {
		return len(office.got("ops@example.org", "os-44 is public; 1 of 2 mirrors have it")) > 0
	})
	if time.Now().Before(lift) {
		t.Error("they are told before the lift")
	}
	wantText(t, office.got("ops@example.org", "1 of 2 mirrors")[0], "75 % of the bandwidth", "s/late")
	for _, to := range []string{"noc@s.example.org", "ops@example.org"} {
		if got := office.got(to, "os-44 is public from"); len(got) != 1 {
			t.Errorf("%s was told %d times", to, len(got))
		}
	}
	wantText(t, p.ctl(t, "jobs", "mail", "gone@s.example.org"), "done", "1/10", "5.1.1 no such mailbox") // and not tried again
}
