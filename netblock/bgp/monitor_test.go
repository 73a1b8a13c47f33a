package bgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"github.com/osrg/gobgp/v3/pkg/packet/bmp"

	"github.com/waypost/waypost/netblock"
)

// A stream is what a router says, written by gobgp's codec.
type stream struct {
	testing.TB
	bytes.Buffer
}

func (s *stream) message(m *bmp.BMPMessage) {
	s.Helper()
	b, err := m.Serialize()
	if err != nil {
		s.Fatal(err)
	}
	s.Write(b)
}

// of returns the header of one of the router's peers.
func of(peer string, flags uint8) bmp.BMPPeerHeader {
	kind := bmp.BMP_PEER_TYPE_GLOBAL
	if peer == "" {
		kind, peer = 3, "::"
	}
	return *bmp.NewBMPPeerHeader(kind, flags, 0, peer, 64500, "192.0.2.1", 0)
}

func (s *stream) update(h bmp.BMPPeerHeader, withdrawn []string, origin uint32, announced ...string) {
	s.Helper()
	var w, n []*gobgp.IPAddrPrefix
	var attrs []gobgp.PathAttributeInterface
	for _, text := range withdrawn {
		x := p(text)
		w = append(w, gobgp.NewIPAddrPrefix(uint8(x.Bits()), x.Addr().String()))
	}
	for _, text := range announced {
		if strings.Contains(text, ":") {
			attrs = append(attrs, mp6(text))
			continue
		}
		x := p(text)
		n = append(n, gobgp.NewIPAddrPrefix(uint8(x.Bits()), x.Addr().String()))
	}
	if len(announced) > 0 {
		attrs = append(attrs, attrsOf(seq(64500, origin))...)
	}
	s.message(bmp.NewBMPRouteMonitoring(h, gobgp.NewBGPUpdateMessage(w, attrs, n)))
}

func (s *stream) end(h bmp.BMPPeerHeader) {
	s.message(bmp.NewBMPRouteMonitoring(h, gobgp.NewEndOfRib(gobgp.RF_IPv4_UC)))
	s.message(bmp.NewBMPRouteMonitoring(h, gobgp.NewEndOfRib(gobgp.RF_IPv6_UC)))
}

// newMonitor returns a monitor, and the table that it applied last.
func newMonitor(tb testing.TB) (*Monitor, *map[netip.Prefix]uint32) {
	tb.Helper()
	got := &map[netip.Prefix]uint32{}
	c := &MonitorConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0"), MaxPrefixes: 1000, Log: slog.New(slog.DiscardHandler)}
	c.Apply = func(table *netblock.Table, changes []netblock.Change) {
		for _, x := range changes { // they must say the same as the table
			if x.Delete {
				delete(*got, x.Prefix)
			} else {
				(*got)[x.Prefix] = x.Value
			}
		}
		if !maps.Equal(*got, rows(table)) {
			tb.Errorf("the changes give %v, the table has %v", *got, rows(table))
		}
	}
	if err := c.Validate(); err != nil {
		tb.Fatal(err)
	}
	return NewMonitor(c), got
}

var router = netip.MustParseAddr("192.0.2.9")

func TestMonitor(t *testing.T) {
	m, got := newMonitor(t)
	want := func(what string, pairs ...any) {
		t.Helper()
		m.flush(time.Now())
		all := map[netip.Prefix]uint32{}
		for i := 0; i < len(pairs); i += 2 {
			all[p(pairs[i].(string))] = uint32(pairs[i+1].(int))
		}
		if d := cmp.Diff(fmt.Sprint(all), fmt.Sprint(*got)); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	say := func(what func(s *stream)) {
		t.Helper()
		s := &stream{TB: t}
		what(s)
		if err := m.listenTo(router, s); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	first, second, own := of("198.51.100.1", 0), of("2001:db8::1", 0), of("", 0)
	m.stations = 0
	say(func(s *stream) {
		s.message(bmp.NewBMPInitiation([]bmp.BMPInfoTLVInterface{bmp.NewBMPInfoTLVString(bmp.BMP_INIT_TLV_TYPE_SYS_NAME, "r1")}))
		s.update(first, nil, 100, "20.0.0.0/16", "20.1.0.0/16")
	})
	want("before the end of the table")
	both := &stream{TB: t}
	both.update(first, nil, 100, "20.0.0.0/16", "20.1.0.0/16")
	both.end(first)
	both.update(second, nil, 200, "20.1.0.0/16", "2600::/32")
	both.end(second)
	both.update(of("198.51.100.7", bmpRIBOut), nil, 300, "20.9.0.0/16")
	both.message(bmp.NewBMPRouteMonitoring(*bmp.NewBMPPeerHeader(1, 0, 7, "198.51.100.8", 1, "192.0.2.1", 0), gobgp.NewEndOfRib(gobgp.RF_IPv4_UC)))
	say(func(s *stream) { s.Write(both.Bytes()) })
	want("two peers", "20.0.0.0/16", 100, "20.1.0.0/16", 100, "2600::/32", 200)
	if st := m.Status(); len(st.Tables) != 2 || !st.Tables[0].Stale || st.Tables[1].Peer.String() != "2001:db8::1" || st.Prefixes != 3 || st.Connections != 2 {
		t.Errorf("%+v", st)
	}
	say(func(s *stream) {
		s.Write(both.Bytes())
		s.update(first, []string{"20.1.0.0/16"}, 0)
		s.update(second, nil, 201, "20.1.0.0/16")
		s.update(own, nil, 500, "20.0.0.0/16")
		s.end(own)
	})
	want("changes, and the router's own table", "20.0.0.0/16", 500, "20.1.0.0/16", 201, "2600::/32", 200)
	say(func(s *stream) {
		s.Write(both.Bytes())
		s.message(bmp.NewBMPPeerDownNotification(first, bmp.BMP_peerDownByUnknownReason, nil, []byte{0}))
	})
	want("a peer is down", "20.0.0.0/16", 500, "20.1.0.0/16", 200, "2600::/32", 200)
	m.config.HoldLast = -time.Second
	want("too old")
}

// TestMonitorTwin compares changes in random order with maps.
func TestMonitorTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m, got := newMonitor(t)
	peers := []string{"198.51.100.1", "198.51.100.2", "2001:db8::1"}
	slow := make([]map[netip.Prefix]uint32, len(peers))
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- m.listenTo(router, in) }()
	send := func(s *stream) {
		if _, err := out.Write(s.Bytes()); err != nil {
			t.Fatal(err)
		}
		s.Reset()
	}
	s := &stream{TB: t}
	for i, peer := range peers {
		slow[i] = map[netip.Prefix]uint32{}
		s.end(of(peer, 0))
	}
	send(s)
	updates := uint64(6)
	for range 300 {
		i, n := r.IntN(len(peers)), r.IntN(40)
		prefix := fmt.Sprintf("20.%d.0.0/16", n)
		if r.IntN(3) == 0 {
			s.update(of(peers[i], 0), []string{prefix}, 0)
			delete(slow[i], p(prefix))
		} else {
			origin := uint32(1 + r.IntN(3))
			s.update(of(peers[i], 0), nil, origin, prefix)
			slow[i][p(prefix)] = origin
		}
		send(s)
		updates++
		if r.IntN(4) > 0 {
			continue
		}
		for m.Status().Updates < updates { // the pipe is read before the message is taken in
		}
		m.flush(time.Now())
		want := map[netip.Prefix]uint32{}
		for _, said := range slices.Backward(slow) {
			maps.Copy(want, said)
		}
		if !maps.Equal(want, *got) {
			t.Fatalf("got %v, want %v", *got, want)
		}
	}
	_ = out.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestMonitorBad(t *testing.T) {
	good := &stream{TB: t}
	good.update(of("198.51.100.1", 0), nil, 100, "20.0.0.0/16")
	many := &stream{TB: t}
	for i := range 1001 {
		many.update(of("198.51.100.1", 0), nil, 100, fmt.Sprintf("20.%d.%d.0/24", i/256, i%256))
	}
	tables := &stream{TB: t}
	for i := range 17 {
		tables.update(of(fmt.Sprintf("198.51.100.%d", i), 0), nil, 100, "20.0.0.0/16")
	}
	for name, x := range map[string]struct{ in, want string }{
		"http":            {"GET / HTTP/1.1\r\n", "want BMP version 3"},
		"huge":            {"\x03\xff\xff\xff\xff\x00", "4294967295 bytes"},
		"cut off":         {string(good.Bytes()[:good.Len()-1]), "unexpected EOF"},
		"no peer header":  {"\x03\x00\x00\x00\x07\x00x", "want at least 42"},
		"too many":        {many.String(), "max_prefixes"},
		"too many tables": {tables.String(), "max_tables"},
	} {
		m, _ := newMonitor(t)
		if err := m.listenTo(router, strings.NewReader(x.in)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want …%s…", name, err, x.want)
		}
	}
	m, got := newMonitor(t)
	broken := good.Bytes()
	broken[bmpHeader+bmpPeerHeader+18] = 9 // no UPDATE
	s := &stream{TB: t}
	s.Write(broken)
	s.update(of("198.51.100.1", 0), nil, 100, "20.1.0.0/16")
	s.end(of("198.51.100.1", 0))
	in, out := io.Pipe()
	go func() { _ = m.listenTo(router, in) }()
	_, _ = out.Write(s.Bytes())
	for m.Status().Updates < 4 {
	}
	m.flush(time.Now())
	if st := m.Status(); st.Malformed != 1 || len(*got) != 1 || !strings.Contains(st.LastMalformed, "want an UPDATE") {
		t.Errorf("%+v, %v", st, *got)
	}
	_ = out.Close()
}

// TestTwoStations has a router that connects twice at a time, as one does that
// has two targets which are the same: the newer connection counts, and what the
// older one goes on to say does not make its table begin anew.
func TestTwoStations(t *testing.T) {
	m, got := newMonitor(t)
	say := func() (tell func(func(*stream)), end func()) {
		in, out := io.Pipe()
		done := make(chan struct{})
		go func() { _ = m.listenTo(router, in); close(done) }()
		tell = func(what func(*stream)) {
			s := &stream{TB: t}
			what(s)
			_, _ = out.Write(s.Bytes())
			_, _ = out.Write([]byte{3, 0, 0, 0, 6, bmpStatistics}) // so that what was before has been read
			_, _ = out.Write([]byte{3, 0, 0, 0, 6, bmpStatistics})
		}
		return tell, func() { _ = out.Close(); <-done }
	}
	h := of("", 0)
	whole := func(s *stream) { s.update(h, nil, 100, "20.0.0.0/16", "2600::/32"); s.end(h) }
	first, endFirst := say()
	first(whole)
	second, endSecond := say()
	second(whole)
	for range 3 {
		first(func(s *stream) { s.update(h, nil, 200, "20.9.0.0/16") })
		second(func(s *stream) { s.update(h, nil, 300, "20.0.0.0/16") })
	}
	endSecond()
	first(func(s *stream) { s.update(h, nil, 200, "20.9.0.0/16") })
	endFirst()
	m.flush(time.Now().Add(time.Hour))
	want := map[netip.Prefix]uint32{p("20.0.0.0/16"): 300, p("2600::/32"): 100}
	if !maps.Equal(*got, want) {
		t.Errorf("%v, want %v", *got, want)
	}
}

// TestRoomForTables has tables of routers that have gone: they give way.
func TestRoomForTables(t *testing.T) {
	m, _ := newMonitor(t)
	m.config.MaxTables = 2
	for i := range 5 {
		s := &stream{TB: t}
		h := of(fmt.Sprintf("198.51.100.%d", i), 0)
		s.update(h, nil, 100, "20.0.0.0/16")
		s.end(h)
		if err := m.listenTo(router, s); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	if got := m.Status().Tables; len(got) != 2 || got[1].Peer.String() != "198.51.100.4" || got[0].Peer.String() != "198.51.100.3" {
		t.Errorf("%+v", got)
	}
}

func FuzzBMP(f *testing.F) {
	s := &stream{TB: f}
	s.update(of("198.51.100.1", 0), nil, 100, "20.0.0.0/16", "2600::/32")
	s.update(of("2001:db8::1", bmpPostPolicy), []string{"20.0.0.0/16"}, 0)
	s.end(of("", 0))
	s.message(bmp.NewBMPPeerDownNotification(of("198.51.100.1", 0), bmp.BMP_peerDownByUnknownReason, nil, []byte{0}))
	f.Add(s.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := newMonitor(t)
		if err := m.listenTo(router, bytes.NewReader(b)); err == nil {
			t.Error("it ended without a reason")
		}
		m.flush(time.Now())
	})
}
