package store

import "context"

// A JobOf is a kind of jobs in a state.
type JobOf struct {
	Kind  string
	State JobState
}

// JobCounts returns how many jobs there are. The database goes through all of
// them.
func (s *Store) JobCounts(ctx context.Context) (map[JobOf]int, error) {
	counts := map[JobOf]int{}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var j JobOf
		var n int
		bad := scan(&j.Kind, &j.State, &n)
		counts[j] = n
		return bad
	}, `SELECT kind, state, COUNT(*) FROM jobs GROUP BY kind, state`)
	return counts, wrap("counting jobs", err)
}
