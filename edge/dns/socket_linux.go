package dns

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// oobSize is room for one control message with the address that was asked.
const oobSize = 64

// udpSockets is how many sockets share an address: one for each processor.
func udpSockets() int { return runtime.GOMAXPROCS(0) }

// setOptions lets UDP sockets share an address, and asks for the address that
// each packet came to: on a wildcard socket the kernel would else answer from
// whichever address routes to the client, and anycast ones never do.
func setOptions(network string, fd int) error {
	if !strings.HasPrefix(network, "udp") {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	if network == "udp4" {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
}

// answerFrom turns the control message of a packet, in place, into that of
// its answer: from the address that was asked, by whatever interface routes to
// the client. It returns nil, the kernel's choice, where there is none.
//
//	IP_PKTINFO      interface (4 bytes) | address to answer from (4) | address that was asked (4)
//	IPV6_PKTINFO    address (16 bytes) | interface (4)
func answerFrom(oob []byte) []byte {
	const head = unix.SizeofCmsghdr
	if len(oob) < head {
		return nil
	}
	level := binary.NativeEndian.Uint32(oob[head-8:])
	kind := binary.NativeEndian.Uint32(oob[head-4:])
	data := oob[head:]
	switch {
	case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		clear(data[:4])
		copy(data[4:8], data[8:12])
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		if !netip.AddrFrom16([16]byte(data)).IsLinkLocalUnicast() { // those need their interface
			clear(data[16:20])
		}
	default:
		return nil
	}
	return oob
}
