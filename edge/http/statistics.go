package http

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/waypost/waypost/geo"
)

// A StatisticsLog is a file with a line for each list by repository, in the
// form that MirrorManager's statistics read by columns:
//
//	IP: 192.0.2.1; DATE: 2026-07-21; COUNTRY: DE; REPO: epel-9; ARCH: x86_64
//
// Lines are queued by requests and written, many at once, by [StatisticsLog.Run].
// A full queue drops lines rather than memory or time: a disk that hangs holds
// up no answer. It is safe for any number of goroutines.
type StatisticsLog struct {
	config StatisticsConfig
	wake   chan struct{} // Run has something to do

	queue   sync.Mutex // guards pending; held for the time of a copy
	pending []byte

	writer sync.Mutex // guards what follows; held while writing
	file   *os.File
	batch  []byte

	dropped atomic.Uint64
	failed  atomic.Uint64
}

// A StatisticsConfig is what a [StatisticsLog] needs.
type StatisticsConfig struct {
	Path string // is made if it is missing, and appended to

	// Truncate keeps only the /24 or /48 of addresses.
	Truncate bool

	// Sync lets a request whose line finds nobody writing write it itself,
	// so that the line is in the file before the client has the answer, as
	// with Fedora's mirrorlist-server. At most one request at a time waits
	// for the disk.
	Sync bool

	QueueBytes int // how much may wait to be written; 0: 1 MiB
}

const defaultQueueBytes = 1 << 20

// OpenStatisticsLog opens the file. [StatisticsLog.Run] closes it.
func OpenStatisticsLog(c StatisticsConfig) (*StatisticsLog, error) {
	if c.QueueBytes == 0 {
		c.QueueBytes = defaultQueueBytes
	}
	l := &StatisticsLog{config: c, wake: make(chan struct{}, 1)}
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	return l, nil
}

// Reopen opens the file by its name anew, for when log rotation has renamed
// it. On an error the old one stays in use.
func (l *StatisticsLog) Reopen() error {
	// O_NONBLOCK: a named pipe that nobody reads is an error, not a wait.
	f, err := os.OpenFile(l.config.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644) //nolint:gosec // others count these lines
	if err != nil {
		return fmt.Errorf("opening statistics log: %w", err)
	}
	l.writer.Lock()
	defer l.writer.Unlock()
	if l.file != nil {
		l.flush()
		_ = l.file.Close() // every line was written, or counted as failed
	}
	l.file = f
	return nil
}

// Dropped returns how many lines were dropped because the queue was full.
func (l *StatisticsLog) Dropped() uint64 { return l.dropped.Load() }

// Failed returns how many batches of lines could not be written.
func (l *StatisticsLog) Failed() uint64 { return l.failed.Load() }

// Run writes what is queued as soon as it is there. When ctx ends it writes
// the rest, closes the file, and returns.
func (l *StatisticsLog) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return l.close()
		case <-l.wake:
			l.writer.Lock()
			l.flush()
			l.writer.Unlock()
		}
	}
}

func (l *StatisticsLog) close() error {
	l.writer.Lock()
	defer l.writer.Unlock()
	l.flush()
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("closing statistics log: %w", err)
	}
	return nil
}

// flush writes what is queued. The caller holds writer.
func (l *StatisticsLog) flush() {
	l.queue.Lock()
	l.batch, l.pending = l.pending, l.batch[:0]
	l.queue.Unlock()
	if len(l.batch) == 0 {
		return
	}
	if _, err := l.file.Write(l.batch); err != nil {
		l.failed.Add(1)
	}
}

// A Statistic is one line of a [StatisticsLog].
type Statistic struct {
	Time       time.Time // UTC
	Client     netip.Addr
	Given      string      // Client as it was given; "": as it is written
	Country    geo.Country // unknown: N/A
	Repo, Arch []byte      // as asked for; blanks and what is not ASCII become ?
}

// Add queues a line. It does not keep st.
func (l *StatisticsLog) Add(st *Statistic) {
	l.queue.Lock()
	before := len(l.pending)
	if l.pending = l.append(l.pending, st); len(l.pending) > l.config.QueueBytes {
		l.pending = l.pending[:before]
		l.dropped.Add(1)
	}
	l.queue.Unlock()
	if l.config.Sync && l.writer.TryLock() {
		l.flush()
		l.writer.Unlock()
		return
	}
	select {
	case l.wake <- struct{}{}:
	default: // it has yet to look
	}
}

// append appends the line of st.
func (l *StatisticsLog) append(buf []byte, st *Statistic) []byte {
	buf = append(buf, "IP: "...)
	switch {
	case l.config.Truncate:
		buf = truncated(st.Client).AppendTo(buf)
	case st.Given != "":
		buf = append(buf, st.Given...)
	default:
		buf = st.Client.AppendTo(buf)
	}
	buf = append(buf, "; DATE: "...)
	buf = st.Time.AppendFormat(buf, time.DateOnly)
	buf = append(buf, "; COUNTRY: "...)
	if st.Country.Known() {
		buf = append(buf, st.Country[0], st.Country[1])
	} else {
		buf = append(buf, "N/A"...)
	}
	buf = append(buf, "; REPO: "...)
	buf = appendColumn(buf, st.Repo)
	buf = append(buf, "; ARCH: "...)
	buf = appendColumn(buf, st.Arch)
	return append(buf, '\n')
}

// truncated returns the first address of a's /24 or /48.
func truncated(a netip.Addr) netip.Addr {
	n := 48
	if a.Is4() {
		n = 24
	}
	p, _ := a.Prefix(n) // fits both families
	return p.Addr()
}

// maxColumn is the longest name that is logged whole.
const maxColumn = 128

// appendColumn appends text so that it stays one column of one line, also for
// readers who know the blanks of Unicode or insist on UTF-8.
func appendColumn(buf, text []byte) []byte {
	for _, c := range text[:min(len(text), maxColumn)] {
		if c <= ' ' || c == ';' || c >= 0x7f {
			c = '?'
		}
		buf = append(buf, c)
	}
	return buf
}
