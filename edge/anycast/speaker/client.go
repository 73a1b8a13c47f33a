package speaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A Client gives orders to a speaker, which it starts where none runs. It is
// for one goroutine.
type Client struct {
	// Socket is the speaker's.
	Socket string

	// Command starts a speaker on the socket: a program and its arguments.
	Command []string

	// Output is where the speaker writes its log; nil: nowhere. It must be a file
	// that outlives this process.
	Output *os.File

	conn net.Conn
	in   *json.Decoder
}

// Give gives an order and returns the report. It starts a speaker where none
// answers, and waits for it until ctx ends.
func (c *Client) Give(ctx context.Context, o *Order) (Report, error) {
	var r Report
	if c.conn == nil {
		if err := c.connect(ctx); err != nil {
			return r, err
		}
	}
	deadline := time.Now().Add(Lease)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	err := c.conn.SetDeadline(deadline)
	if err == nil {
		err = json.NewEncoder(c.conn).Encode(o)
	}
	if err == nil {
		err = c.in.Decode(&r)
	}
	if err != nil {
		return r, errors.Join(fmt.Errorf("giving an order to the speaker: %w", err), c.Close())
	}
	return r, nil
}

// Close ends the connection. The last order lives for [Lease].
func (c *Client) Close() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}

// connect connects to the speaker.
func (c *Client) connect(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", c.Socket)
	if err != nil {
		if err = c.start(); err != nil {
			return err
		}
		if conn, err = c.await(ctx); err != nil {
			return err
		}
	}
	c.conn, c.in = conn, json.NewDecoder(conn)
	return nil
}

// start starts a speaker in a session of its own, so that signals to this
// process's group, such as of a terminal, do not reach it.
func (c *Client) start() error {
	cmd := exec.Command(c.Command[0], c.Command[1:]...) //nolint:gosec // our own program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a speaker: %w", err)
	}
	go func() { _ = cmd.Wait() }() // so that it is no zombie; what it said is in the log
	return nil
}

// await connects once the speaker listens.
func (c *Client) await(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unix", c.Socket)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the speaker: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
