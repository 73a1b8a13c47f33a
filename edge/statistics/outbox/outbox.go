// Package outbox brings what an edge counted to its control plane, each count
// once, also when one of them is away for days.
//
//	Put ──► DIR/00001763769600123.json.gz ──► POST /v1/statistics ──► 204: it is done
//	                                           else: the same again, ever less often
//
// Batches have growing numbers, and are sent one after another: the control
// plane passes over a batch whose number is not above the last one's, so that
// one whose answer was lost may be sent again. A number is that of the
// millisecond in which the batch was made, or above: an edge that has lost its
// folder begins above what it had used before.
//
// A batch is on disk before it is sent, and stays there until it was taken. The
// last one that was done stays, too, under the name NUMBER.done: it keeps its
// number from being given again. What is too old, what does not fit, and what
// the control plane will never take, is dropped and counted. While nothing can
// be written, batches wait in memory.
package outbox

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/waypost/waypost/edge/snapshot/wire/durable"
	"github.com/waypost/waypost/edge/statistics"
)

// A Batch is what is sent: the body of POST /v1/statistics, as control/web
// reads it.
type Batch struct {
	Batch  int64   `json:"batch"` // its number
	Counts []Count `json:"counts"`
}

// A Count is how often something was answered in a minute.
type Count struct {
	At        time.Time `json:"at"` // the start of the minute
	Category  string    `json:"category"`
	Dimension string    `json:"dimension"`
	Name      string    `json:"name"`
	Count     int64     `json:"count"`
}

// Limits, which are those of the control plane where it has some.
const (
	longestWord = 256                // bytes
	longestBody = 768 << 10          // bytes of a batch as JSON
	oldest      = 7 * 24 * time.Hour // what is older is dropped
	defaultRoom = 64 << 20           // bytes of all batches; they are compressed
)

// Config says where an [Outbox] keeps batches, and who gets them.
type Config struct {
	// Dir is the folder for batches, of this outbox alone. Required.
	Dir string

	// URL is the control plane's, such as https://control.example.org. Required.
	URL string

	// Token returns the token of this edge. Required.
	Token func() (string, error)

	// Room is how many bytes of batches are kept; the oldest are dropped for
	// new ones. 0: 64 MiB, which is a week of a thousand counts a minute.
	Room int64

	// Spread is up to how long sending waits at random, so that edges whose
	// clocks agree do not come all at once.
	Spread time.Duration

	Transport http.RoundTripper // nil: one with Go's defaults
	Log       *slog.Logger      // nil: nothing is logged
	Now       func() time.Time  // nil: [time.Now]
}

// An Outbox keeps batches until the control plane has them. [Outbox.Run] is for
// one goroutine, the rest for any.
type Outbox struct {
	config Config
	client *http.Client
	wake   chan struct{} // there is something to send

	mu     sync.Mutex
	queue  []letter // guarded by mu; by number
	last   int64    // guarded by mu: the highest number that was given
	done   int64    // guarded by mu: the number of the one batch that is kept as done; 0: none
	counts counts
}

// A letter is a batch that waits.
type letter struct {
	number int64
	size   int64
	data   []byte // as it is on disk; nil: it is there
}

type counts struct{ sent, failed, refused, dropped, unwritten atomic.Uint64 }

// Counters are what an [Outbox] counted since it was opened, and what is in it.
type Counters struct {
	Sent      uint64 // batches that were taken
	Failed    uint64 // attempts that were not answered, or with an error that may pass
	Refused   uint64 // batches that the control plane will never take
	Dropped   uint64 // batches that were too old, damaged, or did not fit
	Unwritten uint64 // times a batch could not be written to disk
	Waiting   int    // batches
	Bytes     int64  // of these
}

// Open opens the outbox in a folder, which it makes if there is none.
func Open(c Config) (*Outbox, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Room = cmp.Or(c.Room, defaultRoom)
	c.URL = strings.TrimRight(c.URL, "/")
	o := &Outbox{config: c, client: newClient(c.Transport), wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("opening the outbox of statistics: %w", err)
	}
	if err := o.look(); err != nil {
		return nil, fmt.Errorf("opening the outbox of statistics: %w", err)
	}
	if len(o.queue) > 0 {
		o.wake <- struct{}{}
	}
	return o, nil
}

// The names of batches: NUMBER and one of these.
const (
	waiting = ".json.gz"
	over    = ".done"
)

func (o *Outbox) path(number int64, suffix string) string {
	return filepath.Join(o.config.Dir, fmt.Sprintf("%017d%s", number, suffix))
}

// look finds out what is in the folder, and removes what crashes left behind.
func (o *Outbox) look() error {
	entries, err := os.ReadDir(o.config.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(o.config.Dir, e.Name())
		if durable.IsTemporary(name) {
			if err = os.Remove(path); err != nil {
				return err
			}
			continue
		}
		digits, suffix, _ := strings.Cut(name, ".")
		number, bad := strconv.ParseInt(digits, 10, 64)
		if bad != nil || number <= 0 {
			continue // not ours
		}
		o.last = max(o.last, number)
		switch "." + suffix {
		case waiting:
			info, bad := e.Info()
			if bad != nil {
				return bad
			}
			o.queue = append(o.queue, letter{number: number, size: info.Size()})
		case over:
			if err = o.keepDone(number); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(o.queue, func(a, b letter) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// keepDone makes a batch the one that is kept as done, if it is newer than the
// present one.
func (o *Outbox) keepDone(number int64) error {
	older := min(o.done, number)
	o.done = max(o.done, number)
	if older == 0 {
		return nil
	}
	return gone(os.Remove(o.path(older, over)))
}

// gone is nil where an error says that there is no such file.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Put takes what was counted in the minute that began at a time. It is on disk
// when Put returns without an error; with one it waits in memory, and Put tries
// to write it again the next time.
func (o *Outbox) Put(at time.Time, list []statistics.Count) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.config.Now()
	for len(list) > 0 {
		o.last = max(o.last+1, now.UnixMilli())
		b := Batch{Batch: o.last}
		list = b.fill(at.UTC().Truncate(time.Minute), list)
		data, err := pack(&b)
		if err != nil {
			return fmt.Errorf("encoding statistics: %w", err)
		}
		o.queue = append(o.queue, letter{o.last, int64(len(data)), data})
	}
	o.makeRoom(now)
	if len(o.queue) == 0 {
		return nil
	}
	select {
	case o.wake <- struct{}{}:
	default: // it has yet to look
	}
	return o.write()
}

// fill takes counts into the batch, and returns those that it has no room for.
func (b *Batch) fill(at time.Time, list []statistics.Count) (rest []statistics.Count) {
	const frame = 128 // of a count: its keys, its time, its number
	size := 0
	for i, c := range list {
		n := Count{at, word(c.Category), word(c.Dimension), word(c.Name), int64(c.Count)}
		size += frame + 2*(len(n.Category)+len(n.Dimension)+len(n.Name)) // JSON doubles a quotation mark
		if size > longestBody {
			return list[i:]
		}
		b.Counts = append(b.Counts, n)
	}
	return nil
}

// word returns text as the control plane takes it: of some length, without
// control characters.
func word(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r // and U+FFFD for bytes that are no UTF-8
	}, text)
	if len(text) <= longestWord {
		return text
	}
	end := longestWord
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// makeRoom drops what is too old, and the oldest of what is too much. Its
// callers hold mu.
func (o *Outbox) makeRoom(now time.Time) {
	total := int64(0)
	for _, l := range o.queue {
		total += l.size
	}
	for len(o.queue) > 0 && (total > o.config.Room || o.queue[0].number < now.Add(-oldest).UnixMilli()) {
		total -= o.queue[0].size
		o.counts.dropped.Add(1)
		o.config.Log.Warn("statistics are dropped: the control plane has been away for too long", "batch", o.queue[0].number)
		o.finish(o.queue[0].number)
	}
}

// write writes what is in memory only. Its callers hold mu.
func (o *Outbox) write() error {
	for i := range o.queue {
		l := &o.queue[i]
		if l.data == nil {
			continue
		}
		if err := durable.WriteFile(o.path(l.number, waiting), l.data, 0o640); err != nil {
			o.counts.unwritten.Add(1)
			return fmt.Errorf("keeping statistics: %w", err)
		}
		l.data = nil
	}
	return nil
}

// finish takes a batch out of the queue for good. Its callers hold mu. What
// fails on disk is harmless: after a restart the batch is sent again, and the
// control plane passes over it.
func (o *Outbox) finish(number int64) {
	i := slices.IndexFunc(o.queue, func(l letter) bool { return l.number == number })
	if i < 0 {
		return // dropped to make room
	}
	onDisk := o.queue[i].data == nil
	o.queue = slices.Delete(o.queue, i, i+1)
	if !onDisk {
		return
	}
	err := gone(os.Rename(o.path(number, waiting), o.path(number, over)))
	if err == nil {
		err = o.keepDone(number)
	}
	if err != nil {
		o.config.Log.Warn("old statistics stay on disk", "error", err)
	}
}

// Counters returns the counters.
func (o *Outbox) Counters() Counters {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := Counters{
		Sent: o.counts.sent.Load(), Failed: o.counts.failed.Load(), Refused: o.counts.refused.Load(),
		Dropped: o.counts.dropped.Load(), Unwritten: o.counts.unwritten.Load(), Waiting: len(o.queue),
	}
	for _, l := range o.queue {
		c.Bytes += l.size
	}
	return c
}

// pack returns a batch as it is on disk.
func pack(b *Batch) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	e := json.NewEncoder(z)
	e.SetEscapeHTML(false)
	err := errors.Join(e.Encode(b), z.Close())
	return out.Bytes(), err
}

// unpack returns the JSON of a batch.
func unpack(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, 2*longestBody))
}
