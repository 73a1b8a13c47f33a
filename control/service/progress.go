package service

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// A board shows what is under way in this process. It is for any number of
// goroutines; the zero value is empty.
type board struct {
	mu   sync.Mutex
	work map[string]*progress // guarded by mu
}

// A progress is how far one thing is. total is 0 where that is not known.
type progress struct{ done, total int }

// begin puts something on the board, and returns how to say how far it is, and
// that it is over.
func (b *board) begin(name string) (update func(done, total int), end func()) {
	p := &progress{}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work == nil {
		b.work = map[string]*progress{}
	}
	b.work[name] = p
	update = func(done, total int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		*p = progress{done, total}
	}
	return update, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.work[name] == p {
			delete(b.work, name)
		}
	}
}

// line returns the board as one line of at most so many columns, "" if it is empty.
func (b *board) line(columns int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.work) == 0 {
		return ""
	}
	parts := make([]string, 0, len(b.work))
	for _, name := range slices.Sorted(maps.Keys(b.work)) {
		if p := b.work[name]; p.total > 0 {
			parts = append(parts, fmt.Sprintf("%s %d%%", name, 100*p.done/p.total))
		} else {
			parts = append(parts, name)
		}
	}
	text := []rune(fmt.Sprintf("%d under way: %s", len(parts), strings.Join(parts, ", ")))
	if len(text) > columns {
		text = append(text[:columns-1], '…')
	}
	return string(text)
}

// terminal reports whether a file is one.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull && os.Getenv("TERM") != "dumb"
}

// columns of the line: what every terminal has.
const columns = 79

// show keeps a line up to date on a terminal until ctx ends. The cursor waits at
// its beginning, so that a line of the log takes its place.
func (b *board) show(ctx context.Context, w io.Writer, ticks <-chan time.Time) {
	shown := false
	for {
		select {
		case <-ctx.Done():
			if shown {
				_, _ = io.WriteString(w, "\x1b[2K\r")
			}
			return
		case <-ticks:
		}
		line := b.line(columns)
		if line == "" && !shown {
			continue
		}
		_, _ = io.WriteString(w, "\x1b[2K"+line+"\r") // a terminal that is gone is no trouble
		shown = line != ""
	}
}
