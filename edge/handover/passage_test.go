package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// echo serves lines: it answers each with its name.
func echo(c *Conn, name string, hold chan struct{}) {
	defer c.Close() //nolint:errcheck // of the test
	in := bufio.NewReader(c)
	for {
		if in.Buffered() == 0 {
			c.Between()
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if hold != nil { // say that it is read, and wait for leave to answer
			hold <- struct{}{}
			<-hold
		}
		fmt.Fprintf(c, "%s %s", name, line)
	}
}

// TestPassage has connections in all states when the next process takes over.
func TestPassage(t *testing.T) {
	var g *Passage
	var l net.Listener
	old, fresh := pair(t, func(p *Process) {
		g = p.Passage("lines")
		inner, err := p.Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l = g.Listener(inner)
	})
	to := fresh.Passage("lines")
	fresh.Ready()
	var servers sync.WaitGroup
	hold := make(chan struct{})
	connect := func(hold chan struct{}) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		servers.Go(func() { echo(s.(*Conn), "old", hold) })
		return c, bufio.NewReader(c)
	}
	ask := func(c net.Conn, in *bufio.Reader, text, want string) {
		t.Helper()
		_, err := io.WriteString(c, text)
		if err == nil && want != "" {
			text, err = in.ReadString('\n')
		}
		if want != "" && text != want+"\n" || err != nil {
			t.Errorf("%q, %v, want %q", text, err, want)
		}
	}
	new1, inNew := connect(nil)
	idle, inIdle := connect(nil)
	ask(idle, inIdle, "a\n", "old a")
	half, inHalf := connect(nil)
	ask(half, inHalf, "a\n", "old a")
	ask(half, inHalf, "b\nhal", "old b") // part of a request has come with the one before
	busy, inBusy := connect(hold)
	ask(busy, inBusy, "a\n", "")
	<-hold
	g.Leave()
	if _, err := old.Listen(t.Context(), "tcp4", "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	after := func(n int) { // n connections have come over
		t.Helper()
		for range n {
			c, ok := to.Next(t.Context())
			if !ok {
				t.Fatal("none came")
			}
			go echo(c, "new", nil)
		}
	}
	after(2)
	ask(new1, inNew, "a\n", "new a")
	ask(idle, inIdle, "b\n", "new b")
	hold <- struct{}{}
	after(1)
	if text, err := inBusy.ReadString('\n'); err != nil || text != "old a\n" {
		t.Errorf("%q, %v", text, err)
	}
	ask(busy, inBusy, "b\n", "new b")
	ask(half, inHalf, "f\n", "old half")
	after(1)
	ask(half, inHalf, "c\n", "new c")
	servers.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if open := g.Wait(ctx); open > 0 || g.moved.Load() != 4 || g.lost.Load() != 0 {
		t.Errorf("%d are open, %d moved, %d are lost", open, g.moved.Load(), g.lost.Load())
	}
}

// late is a listener that has each connection in hand until it is told to go on.
type late struct {
	net.Listener

	has, on chan struct{}
}

func (l *late) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.has <- struct{}{}
	<-l.on
	return c, err
}

// A connection that is being accepted when the next process takes over moves, too,
// though there is no other one.
func TestPassageAccepting(t *testing.T) {
	var g *Passage
	_, fresh := pair(t, func(p *Process) { g = p.Passage("lines") })
	to := fresh.Passage("lines")
	fresh.Ready()
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close() //nolint:errcheck // of the test
	client, err := net.Dial("tcp4", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // of the test
	l := &late{inner, make(chan struct{}), make(chan struct{})}
	go func() {
		if c, err := g.Listener(l).Accept(); err == nil {
			echo(c.(*Conn), "old", nil)
		}
	}()
	<-l.has
	g.Leave()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if open := g.Wait(over); open != 1 {
		t.Errorf("%d are waited for, want that which is being accepted", open)
	}
	close(l.on)
	if c, ok := to.Next(t.Context()); !ok || c.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("came %v, want %s", c, client.LocalAddr())
	}
	if open := g.Wait(t.Context()); open != 0 {
		t.Errorf("%d are open", open)
	}
}

// A request of which the first bytes come just as the next process takes over
// has its time for the rest.
func TestPassageWithinRequest(t *testing.T) {
	var g *Passage
	pair(t, func(p *Process) { g = p.Passage("lines") })
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // of the test
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // of the test
	from, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := g.conn(from)
	defer c.Close() //nolint:errcheck // of the test
	if err = c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.wait()
	g.Leave() // after the bytes were read, and before that is noted
	if !c.woke(true) {
		t.Error("it does not leave")
	}
	c.between, c.begun = false, true
	if _, err = io.WriteString(client, "rest"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "rest" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// Where there is no next process, a request that is on its way is read, and what is
// still for long is closed.
func TestPassageToNobody(t *testing.T) {
	g := (&Process{}).Passage("lines")
	l, _ := waiting(t, g, 0)
	connect := func() (net.Conn, chan string) {
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan string, 1)
		go func() {
			line, err := bufio.NewReader(c).ReadString('\n')
			served <- fmt.Sprintf("%q, %v", line, err)
			_ = c.Close()
		}()
		return client, served
	}
	_, still := connect()
	asking, served := connect()
	g.leave(time.Now().Add(time.Minute))
	if _, err := io.WriteString(asking, "a\n"); err != nil {
		t.Fatal(err)
	}
	if text := <-served; text != `"a\n", <nil>` {
		t.Errorf("read %s", text)
	}
	g.Leave() // a second for the other
	if text := <-still; text != `"", EOF` {
		t.Errorf("where nothing comes: read %s", text)
	}
	if open := g.Wait(t.Context()); open != 0 || g.moved.Load()+g.lost.Load() != 0 {
		t.Errorf("%d are open, %d moved, %d are lost", open, g.moved.Load(), g.lost.Load())
	}
}

// TestPassing has a server of net/http hand over.
func TestPassing(t *testing.T) {
	open := func(p *Process, at string) net.Listener {
		l, err := p.ListenPassing(t.Context(), "tcp4", at)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	serve := func(l net.Listener, name string) *http.Server {
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }), ReadHeaderTimeout: time.Minute}
		go func() { _ = s.Serve(l) }()
		return s
	}
	const at = "127.0.0.1:0"
	var l net.Listener
	old, fresh := pair(t, func(p *Process) { l = open(p, at) })
	s := serve(l, "old")
	unused, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()                                                  //nolint:errcheck // of the test
	if text, bad := get(l.Addr().String()); bad != nil || text != "old" { // after which unused is accepted
		t.Fatalf("%q, %v", text, bad)
	}
	kept := fresh.Passage("tcp4 " + at) // the address of another socket, under the old one's name
	fresh.Ready()
	if err = s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err = old.Finish(ErrTakenOver); err != nil {
		t.Fatal(err)
	}
	c, ok := kept.Next(t.Context())
	if !ok || c.RemoteAddr().String() != unused.LocalAddr().String() {
		t.Errorf("came %v, want %s", c, unused.LocalAddr())
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the old listener: %v", err)
	}
}

func get(at string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + at)
	if err != nil {
		return "", err
	}
	defer r.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(r.Body)
	return string(text), err
}
