package dns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/dns/wire"
)

// FuzzAnswer: whatever comes in, what goes out is a message that miekg/dns
// can read, with the same ID and question, no longer than it may be.
func FuzzAnswer(f *testing.F) {
	s := testServer(f, func(c *Config) { c.MaxNoCookie = 600 })
	for _, name := range []string{"m.test", "dl.m.test", "rich.m.test", "big.m.test", "a.sub.m.test", "x.wild.m.test", "nothing.test"} {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeURI, dns.TypeHTTPS, dns.TypeANY} {
			f.Add(query(f, name, rrtype), true)
			f.Add(query(f, name, rrtype, ecs("20.1.2.0/24")), false)
		}
	}
	f.Add(query(f, "m.test", dns.TypeA, withCookie("0102030405060708")), true)
	f.Add(query(f, "m.test", dns.TypeA, opt(1232, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})), true)
	f.Fuzz(func(t *testing.T, in []byte, udp bool) {
		out := s.Answer(nil, in, Meta{Client: netip.MustParseAddr("203.0.113.9"), UDP: udp, Now: testNow}, s.NewWork())
		if out == nil {
			if len(in) >= 12 && in[2]&0x80 == 0 {
				t.Fatalf("no answer to %x", in)
			}
			return
		}
		if !bytes.Equal(in[:2], out[:2]) || out[2]&0x80 == 0 {
			t.Fatalf("header of %x", out)
		}
		m := &dns.Msg{}
		if err := m.Unpack(out); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		if n := len(m.Question); n > 0 {
			var name wire.Name
			end := 12
			for end < len(out) && !name.Set(out[12:end]) {
				end++
			}
			if end += 4; n != 1 || end > len(in) || !bytes.Equal(in[12:end], out[12:end]) {
				t.Fatalf("question of %x comes back in %x", in, out)
			}
		}
		if udp && len(out) > 600 {
			t.Fatalf("%d bytes over UDP", len(out))
		}
	})
}

// FuzzOPT compares the options we accept with a slow twin, made of what the
// RFCs say in words.
func FuzzOPT(f *testing.F) {
	s := testServer(f, nil)
	f.Add([]byte{})
	f.Add([]byte{0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2})
	f.Add([]byte{0, 8, 0, 7, 0, 1, 20, 0, 192, 0, 0x18})
	f.Add([]byte{0, 8, 0, 4, 0, 2, 0, 0, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 10, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0, 3, 0, 0, 0xfd, 0xe9, 0, 1, 0})
	f.Add([]byte{0, 8, 0, 20, 0, 2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1000 {
			return
		}
		in := query(t, "m.test", dns.TypeA, opt(1232))
		in = append(in, data...)
		binary.BigEndian.PutUint16(in[len(in)-len(data)-2:], uint16(len(data)))
		m := ask(t, s, in, true)
		if got, want := m.Rcode != dns.RcodeFormatError, wellFormed(data); got != want {
			t.Fatalf("%x: accepted %v, want %v", data, got, want)
		}
		if m.IsEdns0() == nil {
			t.Fatalf("%x: no OPT in %v", data, m)
		}
	})
}

func wellFormed(data []byte) bool {
	subnets, cookies := 0, 0
	for len(data) > 0 {
		if len(data) < 4 || len(data) < 4+int(binary.BigEndian.Uint16(data[2:])) {
			return false
		}
		code, value := binary.BigEndian.Uint16(data), data[4:4+int(binary.BigEndian.Uint16(data[2:]))]
		switch code {
		case dns.EDNS0SUBNET:
			if subnets++; subnets > 1 || !wellFormedSubnet(value) {
				return false
			}
		case dns.EDNS0COOKIE:
			lengths := []int{8}
			for n := 16; n <= 40; n++ {
				lengths = append(lengths, n)
			}
			if cookies++; cookies == 1 && !slices.Contains(lengths, len(value)) {
				return false
			}
		}
		data = data[4+len(value):]
	}
	return true
}

// wellFormedSubnet: the prefix of the address, cut to whole bytes, is what
// was sent.
func wellFormedSubnet(v []byte) bool {
	if len(v) < 4 || v[0] != 0 || v[1] < 1 || v[1] > 2 || v[3] != 0 {
		return false
	}
	whole := make([]byte, []int{4, 16}[v[1]-1])
	if len(v)-4 > len(whole) {
		return false
	}
	copy(whole, v[4:])
	a, _ := netip.AddrFromSlice(whole)
	p, err := a.Prefix(int(v[2]))
	return err == nil && p.Addr() == a && len(v)-4 == (p.Bits()+7)/8
}

// TestAnswerRandom is FuzzAnswer's little sister: queries with random bytes
// changed, for every test run.
func TestAnswerRandom(t *testing.T) {
	s := testServer(t, nil)
	base := query(t, "rich.m.test", dns.TypeURI, ecs("20.1.2.0/24"))
	w := s.NewWork()
	for at := range base {
		for v := range 256 {
			in := bytes.Clone(base)
			in[at] = byte(v)
			for _, in := range [][]byte{in, in[:at]} {
				out := s.Answer(nil, in, Meta{Client: netip.MustParseAddr("203.0.113.9"), UDP: true}, w)
				if m := new(dns.Msg); out != nil && m.Unpack(out) != nil {
					t.Fatalf("answer to %x does not parse: %x", in, out)
				}
				if len(out) > wire.MaxUDP {
					t.Fatalf("answer to %x has %d bytes", in, len(out))
				}
			}
		}
	}
}
