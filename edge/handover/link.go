package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kinds of messages.
const (
	kindSockets = 'S'
	kindState   = 'D'
	kindBegin   = 'B'
	kindReady   = 'R'
	kindError   = 'E'
	kindConn    = 'C'
	kindFree    = 'F'
)

// Limits of messages.
const (
	piece          = 32 << 10         // bytes of what belongs to a message
	maxDescriptors = 200              // the kernel takes 253 (SCM_MAX_FD)
	sendWithin     = 10 * time.Second // for a process that does not read
)

// A link is one end of the pair of sockets between two processes.
type link struct{ conn *net.UnixConn }

// newLink makes a link of a file, which it closes.
func newLink(f *os.File) (*link, error) {
	c, err := net.FileConn(f)
	_ = f.Close() // it was duplicated
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("want a Unix socket, got %T", c), c.Close())
	}
	return &link{u}, nil
}

// newPair returns a link and the file that is its other end.
func newPair() (*link, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pair of sockets: %w", err)
	}
	other := os.NewFile(uintptr(fds[1]), "handover")
	l, err := newLink(os.NewFile(uintptr(fds[0]), "handover"))
	if err != nil {
		return nil, nil, errors.Join(err, other.Close())
	}
	return l, other, nil
}

// send sends a message with descriptors, which stay open here.
func (l *link) send(kind byte, payload []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	deadline := time.Now().Add(sendWithin)
	if err := l.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	message := append([]byte{kind}, payload...)
	for {
		_, _, err := l.conn.WriteMsgUnix(message, rights, nil)
		if !errors.Is(err, unix.ETOOMANYREFS) || time.Now().After(deadline) { // so many connections are on their way
			return err
		}
		<-time.After(time.Millisecond)
	}
}

func (l *link) sendJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.send(kind, b)
}

// A message is what was received. Its files are the receiver's.
type message struct {
	kind    byte
	payload []byte
	files   []*os.File
}

// errCut is the error for a message of which only a part came: it was too long,
// or this process is short of descriptors. The link is as good as before.
var errCut = errors.New("a message was cut short: too long, or no file descriptors were left")

// receive waits for a message. The error is io.EOF once the other end is closed,
// and errCut where the next message may be whole again.
func (l *link) receive() (m message, err error) {
	buf := make([]byte, 1+piece)
	rights := make([]byte, unix.CmsgSpace(4*maxDescriptors))
	n, oobn, flags, _, err := l.conn.ReadMsgUnix(buf, rights)
	if err != nil {
		return m, err
	}
	if m.files, err = files(rights[:oobn]); err != nil {
		return m, err
	}
	if n == 0 || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		m.close()
		return message{}, errCut
	}
	m.kind, m.payload = buf[0], buf[1:n]
	return m, nil
}

// files returns the files in control messages.
func files(rights []byte) (all []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // something else
		}
		for _, fd := range fds {
			all = append(all, os.NewFile(uintptr(fd), "inherited"))
		}
	}
	return all, nil
}

func (m *message) close() {
	for _, f := range m.files {
		_ = f.Close()
	}
}

// pass sends a connection. It stays open here.
func (l *link) pass(kind string, c syscall.Conn) error {
	return control(c, func(fd int) error { return l.send(kindConn, []byte(kind), fd) })
}

// control calls do with the descriptor of a socket. It does not go by the
// socket's File method, whose Fd would make the socket block, here and in all
// processes that share it.
func control(c syscall.Conn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err = raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
