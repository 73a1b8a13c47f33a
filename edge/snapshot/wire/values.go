package wire

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/waypost/waypost/geo"
)

func (p *packer) country(c geo.Country) { p.fixed(c[0], c[1]) }

func (u *unpacker) country(what string) (c geo.Country) {
	copy(c[:], u.take(2))
	if !c.Known() {
		return c
	}
	if same, err := geo.ParseCountry(string(c[:])); err != nil || same != c {
		u.fail("%s: want a country, got %q", what, c[:])
	}
	return c
}

func (p *packer) continent(c geo.Continent) { p.fixed(c[0], c[1]) }

func (u *unpacker) continent(what string) (c geo.Continent) {
	copy(c[:], u.take(2))
	if !c.Known() {
		return c
	}
	if same, err := geo.ParseContinent(string(c[:])); err != nil || same != c {
		u.fail("%s: want a continent, got %q", what, c[:])
	}
	return c
}

func (p *packer) point(at geo.Point) {
	p.bytes = binary.LittleEndian.AppendUint32(p.bytes, math.Float32bits(at.Lat))
	p.bytes = binary.LittleEndian.AppendUint32(p.bytes, math.Float32bits(at.Lon))
}

func (u *unpacker) point(what string) geo.Point {
	b := u.take(8)
	if b == nil {
		return geo.Point{}
	}
	at := geo.Point{
		Lat: math.Float32frombits(binary.LittleEndian.Uint32(b)),
		Lon: math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
	}
	if _, err := geo.NewPoint(float64(at.Lat), float64(at.Lon)); err != nil {
		u.fail("%s: %w", what, err)
	}
	return at
}

func (p *packer) addr(a netip.Addr) { p.blob(a.AsSlice()) }

func (u *unpacker) addr(what string) netip.Addr {
	a, ok := netip.AddrFromSlice(u.blob(what))
	if !ok {
		u.fail("%s: want an address of 4 or 16 bytes", what)
	}
	return a
}

func (p *packer) prefix(x netip.Prefix) {
	p.addr(x.Addr())
	p.byte(byte(x.Bits()))
}

func (u *unpacker) prefix(what string) netip.Prefix {
	a := u.addr(what)
	x := netip.PrefixFrom(a, int(u.byte()))
	if u.err == nil && (!x.IsValid() || x != x.Masked()) {
		u.fail("%s: want a prefix without bits beyond its length, got %s", what, x)
	}
	return x
}

// time packs a time to the millisecond.
func (p *packer) time(t time.Time) { p.int(t.UnixMilli()) }

func (u *unpacker) time() time.Time { return time.UnixMilli(u.int()).UTC() }

func (u *unpacker) path(what string) string {
	s := u.text(what)
	if err := checkPath(s); err != nil {
		u.fail("%s: %w", what, err)
	}
	return s
}

func (u *unpacker) url(what string) string {
	s := u.text(what)
	if err := checkURL(s); err != nil && u.err == nil {
		u.fail("%s: %w", what, err)
	}
	return s
}
