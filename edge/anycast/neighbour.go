package anycast

import (
	"time"

	"github.com/waypost/waypost/netblock/bgp"
)

// check says what is wrong with a neighbour.
func (p *PeerConfig) check(problem problemFunc) {
	if !p.Address.IsValid() || p.Address.IsUnspecified() {
		problem("address", "want the neighbour's IP address")
	}
	if p.ASN == 0 {
		problem("asn", "want the neighbour's AS number")
	}
	if p.Local.IsValid() && p.Local.Is4() != p.Address.Is4() {
		problem("local", "want an address of the family of %s, got %s", p.Address, p.Local)
	}
	if p.Multihop == 1 {
		problem("multihop", "want 2 to 255, or nothing for a neighbour on the link")
	}
	if p.Multihop > 0 && p.TTLSecurity > 0 {
		problem("ttl_security", "want either it or multihop: it says how far the neighbour is, too")
	}
	if p.HoldTime != 0 && (p.HoldTime < 3*time.Second || p.HoldTime > 65535*time.Second) {
		problem("hold_time", "want 3s to 65535s, got %s", p.HoldTime)
	}
	if p.PasswordFile != "" {
		if _, err := p.password(); err != nil {
			problem("password_file", "%v", err)
		}
	}
}

// password reads the password; "" without a file.
func (p *PeerConfig) password() (string, error) {
	if p.PasswordFile == "" {
		return "", nil
	}
	return bgp.ReadPassword(p.PasswordFile)
}
