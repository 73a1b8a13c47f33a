package bgp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
)

// saveEvery is how often tables that changed are saved.
const saveEvery = 5 * time.Minute

// Files of saved tables are zstd of lines "PREFIX ASN", which package asn
// reads, after a first one that says whose and when.
const savedHead = "# waypost table of peer %s AS %d at %s\n"

// path is where the table of a peer is saved. Addresses of IPv6 have colons,
// which some file systems refuse.
func (p *peer) path() string {
	return filepath.Join(p.feed.config.Dir, strings.NewReplacer(":", "-", "%", "_").Replace(p.config.Address.String())+".zst")
}

// Restore reads the saved tables, as those of sessions that were lost when
// they were saved. The error says which ones are of no use; the others are.
func (f *Feed) Restore() error {
	if f.config.Dir == "" {
		return nil
	}
	var errs []error
	for _, p := range f.peers {
		if err := p.restore(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("the saved table of BGP peer %s is of no use: %w", p.config.Address, err))
		}
	}
	return errors.Join(errs...)
}

func (p *peer) restore() error {
	b, err := os.ReadFile(p.path())
	if err != nil {
		return err
	}
	at, err := p.savedAt(b)
	if err != nil {
		return err
	}
	if age := time.Since(at); age > p.feed.config.HoldLast {
		return fmt.Errorf("it is %s old, hold_last is %s", age.Round(time.Second), p.feed.config.HoldLast)
	}
	t, _, err := asn.Read(p.path(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, p.saved, p.since = t, t, at
	p.feed.config.Log.Info("the saved table of a BGP peer is in use", "peer", p.config.Address, "prefixes", t.Len(), "saved", at)
	return nil
}

// savedAt reads the first line of a saved table, which must be this peer's.
func (p *peer) savedAt(b []byte) (time.Time, error) {
	z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return time.Time{}, err
	}
	defer z.Close()
	line, err := bufio.NewReader(z).ReadString('\n')
	if err != nil {
		return time.Time{}, err
	}
	var address, at string
	var number uint32
	if _, err = fmt.Sscanf(line, savedHead, &address, &number, &at); err != nil {
		return time.Time{}, fmt.Errorf("its first line is %.80q", line)
	}
	if address != p.config.Address.String() || number != p.config.ASN {
		return time.Time{}, fmt.Errorf("it is that of %s, AS %d", address, number)
	}
	return time.Parse(time.RFC3339, at)
}

// saveChanged saves the tables that are not on disk as they are. last saves
// those of live sessions in any case, for the time in them.
func (f *Feed) saveChanged(last bool) {
	if f.config.Dir == "" {
		return
	}
	for _, p := range f.peers {
		p.mu.Lock()
		t, at := p.out, p.since
		if p.complete {
			at = time.Now()
		}
		same := t == nil || t == p.saved && (!last || !p.complete)
		p.mu.Unlock()
		if same {
			continue
		}
		if err := p.write(t, at); err != nil {
			f.config.Log.Error("a BGP table was not saved", "peer", p.config.Address, "error", err)
			continue
		}
		p.mu.Lock()
		p.saved = t
		p.mu.Unlock()
	}
}

// write saves a table: 0.3 s and 6 MiB for a full one.
func (p *peer) write(t *netblock.Table, at time.Time) error {
	var file bytes.Buffer
	z, err := zstd.NewWriter(&file, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(z, 64<<10)
	fmt.Fprintf(w, savedHead, p.config.Address, p.config.ASN, at.UTC().Format(time.RFC3339))
	var line []byte
	n := 0
	for prefix, origin := range t.All() {
		if n++; n%1024 == 0 {
			<-time.After(100 * time.Microsecond) // an idle processor looks for packets; one that yields does not
		}
		line = append(prefix.AppendTo(line[:0]), ' ')
		line = append(strconv.AppendUint(line, uint64(origin), 10), '\n')
		_, _ = w.Write(line) // the error comes with Flush
	}
	if err = errors.Join(w.Flush(), z.Close()); err != nil {
		return err
	}
	return p.feed.config.WriteFile(p.path(), file.Bytes(), 0o644)
}
