package wire_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// TestEncoderTwin changes what hosts hold at random: an encoder that remembers
// gives the sections of one that does not, and puts few of them.
func TestEncoderTwin(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 'E'))
		s := random(seed)
		var e wire.Encoder
		kept := map[wire.Hash]bool{}
		for round := range 6 {
			put := 0
			got, err := e.Encode(s, func(h wire.Hash) bool { return kept[h] }, func(h wire.Hash, _ []byte) error {
				kept[h] = true
				put++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want, err := wire.Encode(s, func(h wire.Hash, _ []byte) error {
				if !kept[h] {
					return fmt.Errorf("section %s was not put", h)
				}
				return nil
			})
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("seed %d, round %d: %v (-want +got):\n%s", seed, round, err, diff)
			}
			if round > 0 && round < 4 && put > 9 { // seven tables, a host, and its like
				t.Errorf("seed %d, round %d: %d sections were put", seed, round, put)
			}
			s = another(rng, s, round == 4)
			if round == 3 { // they are lost
				clear(kept)
			}
		}
	}
}

// another returns a snapshot in which a host holds something else, and lacks
// another file; or one with other directories, which are only the same ones anew.
func another(rng *rand.Rand, s *snapshot.Snapshot, anew bool) *snapshot.Snapshot {
	next := *s
	if anew {
		next.Directories = slices.Clone(s.Directories)
	}
	next.Hosts = slices.Clone(s.Hosts)
	if len(s.Hosts) == 0 || len(s.Directories) == 0 {
		return &next
	}
	at := rng.IntN(len(s.Hosts))
	has := slices.Clone(s.Hosts[at].Has)
	has.Add(rng.Uint32N(uint32(len(s.Directories))))
	next.Hosts[at].Has = has
	if n := s.Files.Len(); n > 0 {
		holes := map[uint32][]uint32{}
		maps.Copy(holes, s.Files.Holes())
		file := rng.Uint32N(uint32(n))
		holes[file] = append(slices.Clone(holes[file]), uint32(at))
		older := s.Files.AllOlder()
		next.Files = s.Files.WithHoles(holes)
		next.Files = next.Files.WithOlder(older)
	}
	return &next
}
