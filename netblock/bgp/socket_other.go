//go:build !linux

package bgp

import (
	"errors"
	"net/netip"
)

var errLinux = errors.New("TCP MD5 and limits of hops need Linux")

func setPassword(_ int, _ netip.Addr, password string) error {
	if password == "" {
		return nil
	}
	return errLinux
}

func setHops(int, bool, int) error { return nil }

func setMinHops(int, bool, int) error { return errLinux }
