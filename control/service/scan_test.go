package service_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot"
)

// A plane is a control plane with one master, of the category os.
type plane struct {
	t      *testing.T
	config service.Config
	db     *store.Store
	log    *record
	stop   func()
}

// A record is a log that a test reads.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), text)
}

// newPlane starts a control plane that scans only when it is told.
func newPlane(t *testing.T, database string, m scan.Config) *plane {
	t.Helper()
	m.Category, m.Type = "os", scan.Directory
	p := &plane{t: t, config: service.Config{
		DataDir: t.TempDir(), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Database: database,
		SigningKeyFile: filepath.Join(t.TempDir(), "snapshot.key"), Masters: []scan.Config{m}, ScanEvery: 24 * time.Hour, Workers: 1,
	}, log: &record{}}
	p.start()
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *plane) start() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	s, err := service.New(ctx, p.config, slog.New(slog.NewTextHandler(p.log, nil)))
	if err == nil {
		err = s.Listen(ctx)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.db = s.Store()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
}

// category makes the category, which is then scanned without being told.
func (p *plane) category() {
	p.t.Helper()
	if _, err := p.db.Apply(p.t.Context(), "test", store.Put(&registry.Category{Name: "os", Path: "pub/os"}, 0)); err != nil {
		p.t.Fatal(err)
	}
	await(p.t, "the first scan", func() bool { _, ok := p.job(); return ok })
}

// job returns the newest job that is over.
func (p *plane) job() (store.Job, bool) {
	p.t.Helper()
	list, err := p.db.Jobs(p.t.Context(), store.JobFilter{Kind: "scan"})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, j := range list {
		if j.State == store.Done || j.State == store.Failed {
			return j, true
		}
	}
	return store.Job{}, false
}

// scan scans now and returns the job.
func (p *plane) scan(acceptLoss bool) store.Job {
	p.t.Helper()
	before, _ := p.job()
	payload := fmt.Sprintf(`{"category": "os", "accept_loss": %t}`, acceptLoss)
	if err := p.db.Enqueue(p.t.Context(), store.Task{Kind: "scan", Key: "os", Payload: payload, Attempts: 1}); err != nil {
		p.t.Fatal(err)
	}
	var j store.Job
	await(p.t, "a scan", func() bool {
		j, _ = p.job()
		return j.ID != before.ID
	})
	return j
}

// files returns how many files the store's tree has.
func (p *plane) files() (n int) {
	p.t.Helper()
	tree, err := p.db.Tree(p.t.Context(), "os")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, d := range tree.Directories {
		n += len(d.Files)
	}
	return n
}

func (p *plane) held() string {
	p.t.Helper()
	held, err := p.db.HeldScans(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return held["os"]
}

// tenFiles writes a master.
func tenFiles(t *testing.T) string {
	t.Helper()
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("d%d/a.iso", i))
	}
	return tree(t, names...)
}

// A master that lost much keeps its old tree until somebody says that it is meant.
func TestHeldScan(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		master := tenFiles(t)
		p := newPlane(t, database, scan.Config{Path: master})
		p.category()
		for i := range 5 {
			if err := os.RemoveAll(filepath.Join(master, fmt.Sprint("d", i))); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if j := p.scan(false); j.State != store.Failed || !strings.Contains(j.Result, "lost 5 of 10 files") {
				t.Errorf("%s: %s", j.State, j.Result)
			}
		}
		if n := p.files(); n != 10 || !strings.Contains(p.held(), "lost 5 of 10 files") {
			t.Errorf("%d files, held: %q", n, p.held())
		}
		if n := p.log.count("event=scan-held"); n != 1 {
			t.Errorf("people were told %d times, want once", n)
		}
		if j := p.scan(true); j.State != store.Done || p.files() != 5 || p.held() != "" {
			t.Errorf("%s: %s; %d files, held: %q", j.State, j.Result, p.files(), p.held())
		}
	})
}

// A master of a category that nobody has made yet is no failure; it is scanned
// once there is one. After a restart, nothing is read that was read before.
func TestScanAfterStarts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		p := newPlane(t, database, scan.Config{Path: tenFiles(t), Settle: -1, Compute: scan.Compute{Match: []string{`\.iso$`}}})
		await(t, "the first look at the registry", func() bool { return p.log.count("control plane") > 0 })
		p.category()
		first, _ := p.job()
		list, err := p.db.Jobs(t.Context(), store.JobFilter{Kind: "scan"})
		if err != nil || len(list) != 1 || !strings.HasSuffix(first.Result, "0 directories as before, 10 files read") {
			t.Errorf("%v %+v", err, list)
		}
		p.stop()
		p.start()
		if j := p.scan(false); !strings.HasSuffix(j.Result, " 0 files read") || strings.Contains(j.Result, "; 0 directories as before") {
			t.Errorf("after a restart: %s", j.Result)
		}
	})
}

// Names with odd bytes are published, or left out and counted; none keeps the
// others from edges.
func TestOddNames(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		good := []string{
			"a b", "a%2fb", "ü", "'quote\"<&>", "-rf", "...", "\u202eiso", "💿.iso", strings.Repeat("x", 255), "a\\b", "a;b?c#d", " ",
		}
		bad := []string{"\xff\xfe", "new\nline", "tab\t", "\x7f", "bad\xffdir/file", "c\x01/file", strings.Repeat(strings.Repeat("d", 200)+"/", 9) + "f"}
		p := newPlane(t, database, scan.Config{Path: tree(t, append(slices.Clone(good), bad...)...)})
		p.category()
		var snap *snapshot.Snapshot
		await(t, "a snapshot with files", func() bool {
			snap = last(t.Context(), t, p.db)
			return snap != nil && snap.Files.Len() > 0
		})
		var got []string
		for file := range snap.Files.Len() {
			got = append(got, string(snap.Files.Name(uint32(file))))
		}
		slices.Sort(good)
		if diff := cmp.Diff(good, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		await(t, "what was left out is logged", func() bool { return p.log.count("scan: left out") > 0 })
	})
}

// A master that is gone, or that goes away, leaves its old tree.
func TestVanishedMaster(t *testing.T) {
	master := tenFiles(t)
	p := newPlane(t, storetest.SQLite(t), scan.Config{Path: master})
	p.category()
	if err := os.Rename(master, master+"-away"); err != nil {
		t.Fatal(err)
	}
	if j := p.scan(true); j.State != store.Failed || !strings.Contains(j.Result, "no such file") || p.files() != 10 {
		t.Errorf("%s: %s; %d files", j.State, j.Result, p.files())
	}
	if err := os.Rename(master+"-away", master); err != nil {
		t.Fatal(err)
	}
	if j := p.scan(false); j.State != store.Done || p.files() != 10 {
		t.Errorf("%s: %s; %d files", j.State, j.Result, p.files())
	}
}
