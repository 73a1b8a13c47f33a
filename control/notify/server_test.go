package notify_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A server is a mail server that takes mail, or says what a test wants.
type server struct {
	address string
	ca      string // file with its certificate

	tls      *tls.Config
	implicit bool
	plain    bool              // offers no STARTTLS
	replies  map[string]string // by the beginning of a command: what it says instead
	greeting string            // instead of its own
	utf8     bool

	mu    sync.Mutex
	mails []taken // guarded by mu
	calls int     // guarded by mu: connections
}

// A taken mail is one that the server has accepted.
type taken struct {
	from, to, user, text string
	secure               bool
}

// serve starts a server on loopback.
func serve(t *testing.T, s *server) *server {
	t.Helper()
	s.tls, s.ca = certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	var group sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); group.Wait() })
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { s.talk(conn) })
		}
	})
	return s
}

// certificate makes a certificate of 127.0.0.1 that signs itself.
func certificate(t *testing.T) (config *tls.Config, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

// talk speaks SMTP, as little as is needed.
func (s *server) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	var mail taken
	if s.implicit {
		conn, mail.secure = tls.Server(conn, s.tls), true
	}
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = conn.Write([]byte(text + "\r\n")) }
	if s.greeting != "" {
		say(s.greeting)
	} else {
		say("220 test ESMTP")
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		if s.says(line, say) {
			continue
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "EHLO":
			extensions := []string{"test", "8BITMIME"}
			if s.utf8 {
				extensions = append(extensions, "SMTPUTF8")
			}
			if mail.secure {
				extensions = append(extensions, "AUTH LOGIN PLAIN")
			} else if !s.plain {
				extensions = append(extensions, "STARTTLS")
			}
			for _, e := range extensions {
				say("250-" + e)
			}
			say("250 HELP")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.tls)
			in, mail.secure = bufio.NewReader(conn), true
		case "AUTH":
			word, _ := base64.StdEncoding.DecodeString(line[len("AUTH PLAIN "):])
			mail.user = strings.ReplaceAll(string(word), "\x00", "/")
			say("235 hello")
		case "MAIL":
			mail.from, _, _ = strings.Cut(strings.TrimPrefix(line, "MAIL FROM:<"), ">")
			say("250 ok")
		case "RCPT":
			mail.to, _, _ = strings.Cut(strings.TrimPrefix(line, "RCPT TO:<"), ">")
			say("250 ok")
		case "DATA":
			say("354 go on")
			mail.text = data(in)
			if s.says("end of data", say) {
				continue
			}
			s.mu.Lock()
			s.mails = append(s.mails, mail)
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what?")
		}
	}
}

// says answers as the test wants, and reports whether it wants that.
func (s *server) says(line string, say func(string)) bool {
	for beginning, reply := range s.replies {
		if strings.HasPrefix(strings.ToUpper(line), strings.ToUpper(beginning)) {
			say(reply)
			return true
		}
	}
	return false
}

// data reads a mail up to its end.
func data(in *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func (s *server) taken() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]taken(nil), s.mails...)
}
