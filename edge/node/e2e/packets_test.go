//go:build e2e

package e2e

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// The query m.test A as bytes, but for the counts of records in its header.
const (
	header   = "beef0000"
	question = "016d04746573740000010001"
)

// TestPackets sends what no client should.
func TestPackets(t *testing.T) {
	e := startEdge(t, dnsCatalog, dnsZone)
	conn, err := net.Dial("udp", e.dns)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to say
	tests := []struct {
		name, packet string
		rcode        int // -1: no answer
	}{
		{"a good one", header + "0001000000000000" + question, 0},
		{"a good one with EDNS", header + "0001000000000001" + question + "00002904d0000000000000", 0},
		{"empty", "", -1},
		{"half a header", "beef00000001", -1},
		{"an answer", "beef8000" + "0001000000000000" + question, -1},
		{"no question", header + "0000000000000000", 1},
		{"two questions", header + "0002000000000000" + question + question, 1},
		{"a question cut off", header + "0001000000000000" + question[:12], 1},
		{"a compression loop", header + "0001000000000000" + "c00c00010001", 1},
		{"two OPT", header + "0001000000000002" + question + "00002904d0000000000000" + "00002904d0000000000000", 1},
		{"OPT with a name", header + "0001000000000001" + question + "016100002904d0000000000000", 1},
		{"OPT cut off", header + "0001000000000001" + question + "00002904d0", 1},
		{"ECS of family 3", header + "0001000000000001" + question + "00002904d0000000000008" + "00080004" + "00030000", 1},
		{"ECS of 33 bits", header + "0001000000000001" + question + "00002904d000000000000d" + "00080009" + "00012100" + "0102030400", 1},
		{"ECS with bits beyond", header + "0001000000000001" + question + "00002904d000000000000b" + "00080007" + "00011400" + "01020f", 1},
		{"ECS with a scope", header + "0001000000000001" + question + "00002904d000000000000b" + "00080007" + "00011808" + "010203", 1},
		{"ECS too short", header + "0001000000000001" + question + "00002904d000000000000a" + "00080006" + "00011800" + "0102", 1},
		{"a cookie of 9 bytes", header + "0001000000000001" + question + "00002904d000000000000d" + "000a0009" + "010203040506070809", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := exchange(t, conn, unhex(t, tt.packet))
			switch {
			case answer == nil && tt.rcode >= 0:
				t.Error("no answer")
			case answer != nil && int(answer[3]&15) != tt.rcode:
				t.Errorf("rcode %d, want %d, in %x", answer[3]&15, tt.rcode, answer)
			}
			if strings.HasPrefix(tt.name, "ECS") && answer != nil && binary.BigEndian.Uint16(answer[10:]) != 1 {
				t.Errorf("FORMERR without OPT: %x", answer)
			}
		})
	}
	t.Run("random", func(t *testing.T) { randomPackets(t, conn) })
	t.Run("TCP", func(t *testing.T) { tcpPackets(t, e.dns) })
	if out := exchange(t, conn, unhex(t, tests[0].packet)); out == nil || out[3]&15 != 0 {
		t.Errorf("a good query afterwards: %x", out)
	}
}

// exchange sends a packet and returns its answer, nil if none comes. A query
// that is sure to have an answer is sent behind it, so that nobody waits.
func exchange(t *testing.T, conn net.Conn, packet []byte) (answer []byte) {
	t.Helper()
	const fence = 0xfe17
	last := unhex(t, "fe170000"+"0001000000000000"+"0566656e6365"+question) // fence.m.test
	for _, p := range [][]byte{packet, last} {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 65535)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n < 12 {
			t.Fatalf("an answer of %d bytes", n)
		}
		if binary.BigEndian.Uint16(buf) == fence {
			return answer
		}
		answer = append([]byte(nil), buf[:n]...)
	}
}

// randomPackets sends good queries with bytes changed. Whatever comes back
// must be an answer.
func randomPackets(t *testing.T, conn net.Conn) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	good := unhex(t, header+"0001000000000001"+question+"00002904d000000000000b"+"00080007"+"00011800"+"010203")
	for range 2000 {
		p := append([]byte(nil), good[:1+r.IntN(len(good))]...)
		for range r.IntN(6) {
			p[r.IntN(len(p))] = byte(r.Uint32())
		}
		if answer := exchange(t, conn, p); answer != nil && answer[2]&0x80 == 0 {
			t.Fatalf("%x is answered by a query: %x", p, answer)
		}
	}
}

// tcpPackets sends three queries at once, and then one of 65,535 bytes, as no
// query is long.
func tcpPackets(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to say
	query := unhex(t, header+"0001000000000000"+question)
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	if _, err = conn.Write(append(append(append([]byte(nil), framed...), framed...), framed...)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for range 3 {
		var length [2]byte
		if _, err = io.ReadFull(conn, length[:]); err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadFull(conn, make([]byte, binary.BigEndian.Uint16(length[:]))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = conn.Write([]byte{0xff, 0xff, 0}); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); n > 0 || err == nil || ok && timeout.Timeout() {
		t.Errorf("got %d bytes, %v, want the end of the connection", n, err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
