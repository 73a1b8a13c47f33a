package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// scaleVariable says what this program is to do as a child of a benchmark, on
// which database, and with how much.
const scaleVariable = "WAYPOST_PUBLISH_SCALE"

func TestMain(m *testing.M) {
	if database := os.Getenv(crashVariable); database != "" {
		crashChild(database)
		return
	}
	if dir := os.Getenv(diskVariable); dir != "" {
		diskChild(dir)
		return
	}
	if order := os.Getenv(scaleVariable); order != "" {
		scaleChild(order)
		return
	}
	os.Exit(storetest.Main(m))
}

// A scale is how much there is.
type scale struct {
	Do       string // fill, publish or rescan
	Database string

	Hosts, Directories, Files int
}

// A cost is what one publication took.
type cost struct {
	Name            string
	Seconds, CPU    float64
	MiB             float64 // the most memory so far that was resident at a time
	Version         uint64
	Sections, Fresh int
}

// How long does it take to publish 1,000 hosts × 200,000 directories × 2,000,000
// files, and how much memory? cold is the first publication of a fresh process;
// change is the next, after one host's listing changed; tree, after a scan found
// one file more. Each file has a size, a time and a SHA-256.
// PUBLISH_SCALE=N makes it N times smaller.
func BenchmarkPublishAtScale(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a minute or two, and 2 GiB to make the data")
	}
	by := 1
	if text := os.Getenv("PUBLISH_SCALE"); text != "" {
		_, err := fmt.Sscan(text, &by)
		try(err)
	}
	for _, d := range []struct {
		name string
		make func(testing.TB) string
	}{{"sqlite", storetest.SQLite}, {"postgres", storetest.Postgres}} {
		b.Run(d.name, func(b *testing.B) {
			o := scale{"fill", d.make(b), 1000 / by, 200_000 / by, 2_000_000 / by}
			for _, c := range o.run(b) {
				b.Logf("%+v", c)
			}
			o.Do = "publish"
			for b.Loop() {
				for _, c := range o.run(b) {
					b.Logf("%+v", c)
					b.ReportMetric(c.Seconds, c.Name+"-s")
					b.ReportMetric(c.CPU, c.Name+"-cpu-s")
					b.ReportMetric(c.MiB, c.Name+"-MiB")
				}
			}
		})
	}
}

// run runs a child.
func (o scale) run(b *testing.B) (costs []cost) {
	b.Helper()
	order, err := json.Marshal(o)
	try(err)
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), scaleVariable+"="+string(order))
	var text bytes.Buffer
	cmd.Stderr = &text
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &costs)
	}
	if err != nil {
		b.Fatalf("%v\n%s%s", err, out, text.String())
	}
	return costs
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}

// scaleChild does as it is told, and prints what it cost.
func scaleChild(order string) {
	var o scale
	try(json.Unmarshal([]byte(order), &o))
	db, err := store.Open(context.Background(), store.Config{Database: o.Database})
	try(err)
	switch o.Do {
	case "fill":
		o.fill(db)
		fmt.Println("[]")
		return
	case "rescan":
		o.changeTree(db)
		return
	}
	key, err := wire.NewKey()
	try(err)
	p := &publish.Publisher{
		Store: db, Key: key, Holder: "scale", Now: time.Now, Log: slog.New(slog.DiscardHandler), Refresh: time.Hour, Keep: 10,
	}
	costs := []cost{measure("cold", p)}
	o.changeHost(db)
	costs = append(costs, measure("change", p))
	o.Do = "rescan" // what that takes is not what publishing takes
	text, err := json.Marshal(o)
	try(err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), scaleVariable+"="+string(text))
	try(cmd.Run())
	costs = append(costs, measure("tree", p))
	try(json.NewEncoder(os.Stdout).Encode(costs))
}

// measure publishes once.
func measure(name string, p *publish.Publisher) cost {
	before, err := p.Store.LastManifest(context.Background())
	if err != nil {
		before = store.Manifest{}
	}
	start, used := time.Now(), processor()
	version, err := p.Publish(context.Background())
	try(err)
	c := cost{Name: name, Seconds: time.Since(start).Seconds(), CPU: (processor() - used).Seconds(), MiB: resident(), Version: version}
	m, err := p.Store.Manifest(context.Background(), version)
	try(err)
	c.Sections = len(m.Sections)
	known := map[string]bool{}
	for _, s := range before.Sections {
		known[s] = true
	}
	for _, s := range m.Sections {
		if !known[s] {
			c.Fresh++
		}
	}
	return c
}

// processor returns how much time of processors this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	try(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident returns how much memory this process had resident at most, in MiB.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/status")
	try(err)
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			try(err)
			return float64(kib) / 1024
		}
	}
	return 0
}

// fill puts a made-up mirror network into a database.
func (o scale) fill(db *store.Store) {
	ctx := context.Background()
	snap := synth.Snapshot(synth.Config{
		Seed: 1, Hosts: o.Hosts, Directories: o.Directories, Categories: 4, HostSets: 3000, Files: o.Files,
	})
	paths := make([]string, len(snap.Directories))
	for i, d := range snap.Directories {
		paths[i] = d.Path
	}
	numbers, err := db.Numbers(ctx, paths)
	try(err)
	changes := []store.Change{store.Put(&registry.Site{Name: "site", State: registry.Approved, Activity: on()}, store.Any)}
	for i, c := range snap.Categories {
		changes = append(changes, store.Put(&registry.Category{Name: c.Name, Path: c.Path}, store.Any))
		try(db.PutTree(ctx, treeOf(snap, uint32(i))))
	}
	lacks := make([][]registry.FileRef, len(snap.Hosts))
	for dir := range snap.Directories {
		for file, end := snap.Files.In(uint32(dir)); file < end; file++ {
			for _, h := range snap.Files.Lacks(file) {
				lacks[h] = append(lacks[h], registry.FileRef{Directory: numbers[dir], Name: nameOf(snap, file)})
			}
		}
	}
	for i := range snap.Hosts {
		h := &snap.Hosts[i]
		r := &registry.Host{Site: "site", Name: h.Name, State: registry.Approved, Activity: on(), Bandwidth: h.Bandwidth, Private: h.Private}
		for _, p := range h.Netblocks {
			r.Netblocks = append(r.Netblocks, p.String())
		}
		for _, m := range h.Mounts {
			carry := registry.Carry{Category: snap.Categories[m.Category].Name}
			for _, u := range m.URLs {
				carry.URLs = append(carry.URLs, registry.URL{URL: u})
			}
			r.Carries = append(r.Carries, carry)
			try(db.PutListing(ctx, listingOf(snap, numbers, r.Key(), h, m.Category, lacks[i])))
		}
		changes = append(changes, store.Put(r, store.Any))
	}
	_, err = db.Apply(ctx, "scale", changes...)
	try(err)
	try(db.Close())
}

// nameOf returns a file's name, of a usual length.
func nameOf(snap *snapshot.Snapshot, file uint32) string {
	return "package-name-" + string(snap.Files.Name(file)) + "-1.2.3.x86_64.rpm"
}

// treeOf returns what the master has of a category.
func treeOf(snap *snapshot.Snapshot, category uint32) *registry.Tree {
	c := snap.Categories[category]
	t := &registry.Tree{Category: c.Name, Scanned: time.UnixMilli(1_800_000_000_000)}
	for i, d := range snap.Directories {
		if d.Category != category {
			continue
		}
		dir := registry.Directory{Path: strings.TrimPrefix(strings.TrimPrefix(d.Path, c.Path), "/"), Readable: true}
		for file, end := snap.Files.In(uint32(i)); file < end; file++ {
			v, _ := snap.Files.Versions(file)
			dir.Files = append(dir.Files, registry.File{
				Name: nameOf(snap, file), Size: snap.Files.Size(v), Changed: snap.Files.MTime(v),
				Hashes: &registry.Hashes{snapshot.SHA256: snap.Files.Hash(v, snapshot.SHA256)},
			})
		}
		t.Directories = append(t.Directories, dir)
	}
	return t
}

func listingOf(snap *snapshot.Snapshot, numbers []uint32, key string, h *snapshot.Host, category uint32, lacks []registry.FileRef) *registry.Listing {
	l := &registry.Listing{Host: key, Category: snap.Categories[category].Name, Seen: time.Now()}
	of := map[uint32]bool{}
	for i, d := range snap.Directories {
		if d.Category == category && h.Has.Has(uint32(i)) {
			l.Holds.Add(numbers[i])
			of[numbers[i]] = true
		}
	}
	for _, f := range lacks {
		if of[f.Directory] {
			l.Lacks = append(l.Lacks, f)
		}
	}
	return l
}

// changeHost crawls one host anew, which lost a directory.
func (o scale) changeHost(db *store.Store) {
	ctx := context.Background()
	world, _, err := db.World(ctx)
	try(err)
	h := registry.All[*registry.Host](world)[o.Hosts/2]
	l, err := db.Listing(ctx, h.Key(), h.Carries[0].Category)
	try(err)
	at := slices.IndexFunc(l.Holds, func(w uint64) bool { return w != 0 })
	l.Holds[at] &= l.Holds[at] - 1
	l.Seen = time.Now()
	try(db.PutListing(ctx, l))
}

// changeTree adds a file to a master.
func (o scale) changeTree(db *store.Store) {
	ctx := context.Background()
	t, err := db.Tree(ctx, "cat1")
	try(err)
	d := &t.Directories[len(t.Directories)/2]
	d.Files = append(slices.Clip(d.Files), registry.File{Name: "zzz-" + path.Base(d.Path), Size: 1, Changed: time.Now().Unix()})
	t.Scanned = time.Now()
	try(db.PutTree(ctx, t))
}
