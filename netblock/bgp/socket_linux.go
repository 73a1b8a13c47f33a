package bgp

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// setPassword makes the kernel sign and check all segments to and from a peer
// (RFC 2385); "" leaves the socket as it is.
func setPassword(fd int, peer netip.Addr, password string) error {
	if password == "" {
		return nil
	}
	sig := unix.TCPMD5Sig{Keylen: uint16(len(password))}
	copy(sig.Key[:], password)
	if peer.Is4() {
		// struct sockaddr_in: port, address
		sig.Addr.Family = unix.AF_INET
		b := peer.As4()
		copy(sig.Addr.Data[:], append([]byte{0, 0}, b[:]...))
	} else {
		// struct sockaddr_in6: port, flow, address
		sig.Addr.Family = unix.AF_INET6
		b := peer.As16()
		copy(sig.Addr.Data[:], append(make([]byte, 6), b[:]...))
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig); err != nil {
		return fmt.Errorf("setting the TCP MD5 password of %s: %w", peer, err)
	}
	return nil
}

// setHops sets the TTL or hop limit of packets that are sent.
func setHops(fd int, is4 bool, n int) error {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	if is4 {
		level, option = unix.IPPROTO_IP, unix.IP_TTL
	}
	return setInt(fd, level, option, n, "setting the TTL")
}

// setMinHops sets the least TTL or hop limit with which packets are taken.
func setMinHops(fd int, is4 bool, n int) error {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT
	if is4 {
		level, option = unix.IPPROTO_IP, unix.IP_MINTTL
	}
	return setInt(fd, level, option, n, "setting the least TTL")
}

func setInt(fd, level, option, n int, what string) error {
	if err := unix.SetsockoptInt(fd, level, option, n); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
