package blob_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store/blob"
	"github.com/waypost/waypost/edge/snapshot"
)

func codec(tb testing.TB, limit int) *blob.Codec {
	tb.Helper()
	c, err := blob.New(limit)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// tree returns a tree like that of a distribution; of every hundred files in a
// directory one has hashes.
func tree(rng *rand.Rand, dirs, files int) *registry.Tree {
	t := &registry.Tree{Category: "os", Scanned: time.UnixMilli(1_780_000_000_123).UTC()}
	for i := range dirs {
		d := registry.Directory{
			Path: fmt.Sprintf("releases/%d/Everything/x86_64/os/Packages/%06d", i%5+40, i), Readable: rng.IntN(10) > 0, Partial: rng.IntN(10) == 0,
			Changed: 1_770_000_000 + rng.Int64N(10_000_000),
		}
		for j := range files {
			f := registry.File{
				Name: fmt.Sprintf("package-%06d-%d.%d-%d.fc43.x86_64.rpm", i*files+j, rng.IntN(9), rng.IntN(30), rng.IntN(9)),
				Size: rng.Int64N(20_000_000) - 1, Changed: d.Changed - rng.Int64N(5_000_000),
			}
			if rng.IntN(100) == 0 {
				f.Hashes = &registry.Hashes{}
				sum := sha256.Sum256([]byte(f.Name))
				f.Hashes[snapshot.SHA256] = sum[:]
				if rng.IntN(2) == 0 {
					f.Hashes[snapshot.MD5] = sum[:16]
				}
			}
			d.Files = append(d.Files, f)
		}
		t.Directories = append(t.Directories, d)
	}
	return t
}

func listing(rng *rand.Rand, dirs int) *registry.Listing {
	l := &registry.Listing{Host: "uni-x/de1", Category: "os", Seen: time.UnixMilli(1_780_000_000_123).UTC()}
	for i := range uint32(dirs) {
		switch {
		case rng.IntN(500) > 0:
			l.Holds.Add(i)
		case rng.IntN(2) == 0:
			l.Unknown.Add(i)
		}
	}
	for range rng.IntN(20) {
		ref := registry.FileRef{Directory: rng.Uint32N(uint32(dirs)), Name: fmt.Sprint("file-", rng.IntN(1000))}
		l.Lacks = append(l.Lacks, ref)
		l.Older = append(l.Older, registry.OlderFile{FileRef: ref, SHA256: sha256.Sum256([]byte(ref.Name))})
	}
	return l
}

func TestTreeRoundTrip(t *testing.T) {
	c := codec(t, 64<<20)
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		want := tree(rng, rng.IntN(20), rng.IntN(30))
		got, err := c.DecodeTree(c.EncodeTree(want))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
	got, err := c.DecodeTree(c.EncodeTree(&registry.Tree{}))
	if diff := cmp.Diff(&registry.Tree{}, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("of nothing: %v %s", err, diff)
	}
}

// reread reads a tree directory by directory, all or some, and fills in what it
// left out from like.
func reread(c *blob.Codec, data []byte, like *registry.Tree, want func(dir int) bool) (*registry.Tree, error) {
	r, err := c.OpenTree(data)
	if err != nil {
		return nil, err
	}
	for i := range r.Tree.Directories {
		d := &r.Tree.Directories[i]
		if !want(i) {
			d.Files = like.Directories[i].Files
			continue
		}
		for _, f := range r.Files(i) {
			if f.Hashes != nil { // is good only until the next call
				hashes := *f.Hashes
				f.Hashes = &hashes
			}
			d.Files = append(d.Files, f)
		}
	}
	return r.Tree, r.End()
}

func TestTreeReader(t *testing.T) {
	c := codec(t, 64<<20)
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 8))
		want := tree(rng, 1+rng.IntN(20), rng.IntN(30))
		got, err := reread(c, c.EncodeTree(want), want, func(int) bool { return rng.IntN(3) > 0 })
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("seed %d: %v (-want +got):\n%s", seed, err, diff)
		}
	}
	r, err := c.OpenTree(c.EncodeTree(tree(rand.New(rand.NewPCG(1, 9)), 3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Files(2); r.Files(1) != nil || r.End() == nil {
		t.Error("a tree is read backwards")
	}
}

func TestListingRoundTrip(t *testing.T) {
	c := codec(t, 64<<20)
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		want := listing(rng, 1+rng.IntN(2000))
		got, err := c.DecodeListing(c.EncodeListing(want))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(sameBits)); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
	got, err := c.DecodeListing(c.EncodeListing(&registry.Listing{Holds: make(snapshot.Bitmap, 9)}))
	if diff := cmp.Diff(&registry.Listing{}, got); diff != "" || err != nil {
		t.Errorf("of nothing: %v %s", err, diff)
	}
}

// sameBits compares bitmaps whose empty ends do not matter.
func sameBits(a, b snapshot.Bitmap) bool {
	for i := range max(len(a), len(b)) {
		if i < len(a) && a[i] != 0 || i < len(b) && b[i] != 0 {
			if i >= len(a) || i >= len(b) || a[i] != b[i] {
				return false
			}
		}
	}
	return true
}

// Every shortened blob is refused, and every blob that says more than the limit allows.
func TestBadBlobs(t *testing.T) {
	c := codec(t, 1<<20)
	rng := rand.New(rand.NewPCG(1, 3))
	tree, listing := c.EncodeTree(tree(rng, 3, 3)), c.EncodeListing(listing(rng, 100))
	for n := range tree {
		if _, err := c.DecodeTree(tree[:n]); err == nil {
			t.Fatalf("the first %d bytes of a tree are a tree", n)
		}
	}
	for n := range listing {
		if _, err := c.DecodeListing(listing[:n]); err == nil {
			t.Fatalf("the first %d bytes of a listing are a listing", n)
		}
	}
	if _, err := c.DecodeTree(listing); err == nil {
		t.Error("a listing is a tree")
	}
	long := &registry.Tree{Category: string(bytes.Repeat([]byte("x"), 2<<20))}
	if _, err := c.DecodeTree(c.EncodeTree(long)); err == nil {
		t.Error("a blob above the limit is read")
	}
	// texts that share what is before them grow far beyond the blob
	many := &registry.Tree{Directories: make([]registry.Directory, 1000)}
	for i := range many.Directories {
		many.Directories[i].Path = string(bytes.Repeat([]byte("x"), 10_000+i))
	}
	if _, err := c.DecodeTree(c.EncodeTree(many)); err == nil {
		t.Error("texts above the limit are read")
	}
}

func FuzzTree(f *testing.F) {
	c := codec(f, 8<<20)
	rng := rand.New(rand.NewPCG(1, 4))
	f.Add(c.EncodeTree(&registry.Tree{}))
	f.Add(c.EncodeTree(tree(rng, 4, 4)))
	f.Add([]byte("WPT1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := c.DecodeTree(data)
		second, bad := reread(c, data, first, func(int) bool { return true })
		if (err == nil) != (bad == nil) {
			t.Fatalf("read whole: %v; by directories: %v", err, bad)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-whole +by directories):\n%s", diff)
		}
		again, err := c.DecodeTree(c.EncodeTree(first))
		if diff := cmp.Diff(first, again); diff != "" || err != nil {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
	})
}

func FuzzListing(f *testing.F) {
	c := codec(f, 8<<20)
	rng := rand.New(rand.NewPCG(1, 5))
	f.Add(c.EncodeListing(&registry.Listing{}))
	f.Add(c.EncodeListing(listing(rng, 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := c.DecodeListing(data)
		if err != nil {
			return
		}
		again, err := c.DecodeListing(c.EncodeListing(first))
		if diff := cmp.Diff(first, again, cmp.Comparer(sameBits)); diff != "" || err != nil {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
	})
}

func BenchmarkTreeOf2000000Files(b *testing.B) {
	c := codec(b, 1<<30)
	big := tree(rand.New(rand.NewPCG(1, 6)), 20_000, 100)
	data := c.EncodeTree(big)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			c.EncodeTree(big)
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.DecodeTree(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("live", func(b *testing.B) {
		big = nil
		for b.Loop() {
			before := live()
			t, err := c.DecodeTree(data)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(live()-before)/(1<<20), "MiB")
			runtime.KeepAlive(t)
		}
	})
}

func BenchmarkListingOf200000Directories(b *testing.B) {
	c := codec(b, 1<<30)
	l := listing(rand.New(rand.NewPCG(1, 7)), 200_000)
	data := c.EncodeListing(l)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			c.EncodeListing(l)
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.DecodeListing(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
