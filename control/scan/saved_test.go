package scan

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/control/registry"
)

// newState returns a made-up state.
func newState(rng *rand.Rand) *State {
	s := &State{master: "m", scans: rng.IntN(9), dirs: map[string]*dir{}, read: map[string]readFile{}, waiting: map[string]int64{"d/1/young": rng.Int64()}}
	for i := range rng.IntN(20) {
		d := &dir{
			path: fmt.Sprintf("d/%d", i), changed: rng.Int64N(1e9) - 5, readable: rng.IntN(2) > 0, trusted: rng.IntN(2) > 0,
			id: fileID{rng.Int64(), rng.Int64(), -rng.Int64(), rng.Uint64(), noDevice, fs.FileMode(rng.Uint32())},
		}
		for k := range rng.IntN(9) {
			d.files = append(d.files, registry.File{Name: fmt.Sprintf("f%d\xff", k), Size: rng.Int64N(1e12), Changed: rng.Int64N(1e9)})
			d.links = append(d.links, link{fmt.Sprint("l", k), "../x"})
			d.subdirs, d.young = append(d.subdirs, fmt.Sprint("s", k)), append(d.young, fmt.Sprint("f", k))
		}
		s.dirs[d.path] = d
		s.read[d.path+"/f"] = readFile{id: fileID{size: 1, mtime: 2, ctime: 3, inode: 4, device: noDevice}, hashes: &registry.Hashes{{1}, nil, {2}, nil}}
	}
	return s
}

func sameState(a, b *State) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(State{}, dir{}, fileID{}, link{}, readFile{}), cmpopts.EquateEmpty())
}

func TestSavedState(t *testing.T) {
	for seed := range uint64(30) {
		want := newState(rand.New(rand.NewPCG(seed, 1)))
		data, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got State
		if err = got.UnmarshalBinary(data); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := sameState(want, &got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		for n := range data {
			if new(State).UnmarshalBinary(data[:n]) == nil {
				t.Fatalf("seed %d: the first %d bytes are a state", seed, n)
			}
		}
	}
}

// TestSavedStateOfBefore: a state that has a history of metadata is read without
// it, so that an upgrade does not have all masters read anew.
func TestSavedStateOfBefore(t *testing.T) {
	data, err := os.ReadFile("testdata/state-with-history")
	if err != nil {
		t.Fatal(err)
	}
	var got State
	if err = got.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	want := &State{
		master: "m", scans: 3, waiting: map[string]int64{"d/young": 5},
		dirs: map[string]*dir{"d": {
			path: "d", changed: 100, readable: true, id: fileID{1, 2, 3, 4, noDevice, 0o755},
			files: []registry.File{{Name: "f", Size: 1, Changed: 99}},
		}},
		read: map[string]readFile{"d/f": {id: fileID{size: 1, mtime: 2, ctime: 3, inode: 4, device: noDevice}, hashes: &registry.Hashes{{1}, nil, {2}, nil}}},
	}
	if diff := sameState(want, &got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzLoader reads directories of any bytes.
func FuzzLoader(f *testing.F) {
	w := saver{}
	for _, d := range newState(rand.New(rand.NewPCG(3, 1))).dirs {
		w.dir(d)
	}
	f.Add(w.out)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := loader{rest: data}
		var again saver
		var dirs []*dir
		for len(r.rest) > 0 && r.err == nil {
			dirs = append(dirs, r.dir())
		}
		if r.err != nil {
			return
		}
		for _, d := range dirs {
			again.dir(d)
		}
		back := loader{rest: again.out}
		for _, d := range dirs {
			one, two := &State{dirs: map[string]*dir{"": d}}, &State{dirs: map[string]*dir{"": back.dir()}}
			if diff := sameState(one, two); diff != "" || back.err != nil {
				t.Fatalf("%v %s", back.err, diff)
			}
		}
	})
}
