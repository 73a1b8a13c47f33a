package handover

import (
	"fmt"
	"net"
	"strings"
)

// notifier returns what tells systemd how the process does, by the socket that
// NOTIFY_SOCKET names (sd_notify(3)); "": there is nobody to tell.
func notifier(socket string) func(lines ...string) error {
	if socket == "" {
		return func(...string) error { return nil }
	}
	return func(lines ...string) error {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"}) // @ is the abstract name space
		if err != nil {
			return fmt.Errorf("telling systemd at %s: %w", socket, err)
		}
		defer conn.Close() //nolint:errcheck // a datagram is sent
		if _, err = conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
			return fmt.Errorf("telling systemd at %s: %w", socket, err)
		}
		return nil
	}
}

// Notify tells systemd lines such as STATUS=…, if there is one to tell. While
// the process before is in charge, it says nothing: systemd takes what any
// process of a service says for the service.
func (p *Process) Notify(lines ...string) {
	if p.notify == nil || !p.inCharge() {
		return
	}
	if err := p.notify(lines...); err != nil {
		p.log.Warn("systemd", "error", err)
	}
}

// inCharge reports whether there was no process before, or this one has said to
// it that it is ready.
func (p *Process) inCharge() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.before == nil || p.ready
}
