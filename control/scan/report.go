package scan

import "sync"

// A Report says what a scan saw beside the tree.
type Report struct {
	Directories, Files int
	Bytes              int64

	// Reused is how many directories were taken over from the scan before.
	Reused int

	// Skipped counts what is not in the tree, by reason.
	Skipped map[string]int

	// Withheld counts files that may have a hash but did not get it, by reason.
	Withheld map[string]int

	// Examples are the first of what was skipped or withheld: REASON: PATH,
	// quoted.
	Examples []string

	// Missing counts hashes of files that do not exist.
	Missing int

	// Read is how many files were read, and ReadBytes how much that was.
	Read      int
	ReadBytes int64

	// Warnings are what rsync said of files that it could not list.
	Warnings []string
}

// maxExamples is how many examples a report has of each reason, at most.
const maxExamples = 10

// A counter fills a report, from many goroutines.
type counter struct {
	mu sync.Mutex
	*Report
}

func newCounter() *counter {
	return &counter{Report: &Report{Skipped: map[string]int{}, Withheld: map[string]int{}}}
}

func (c *counter) skip(reason, path string)     { c.count(c.Skipped, reason, path) }
func (c *counter) withhold(reason, path string) { c.count(c.Withheld, reason, path) }

func (c *counter) count(in map[string]int, reason, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in[reason]++
	if in[reason] <= maxExamples {
		c.Examples = append(c.Examples, reason+": "+quote(path))
	}
}

func (c *counter) reuse() {
	c.mu.Lock()
	c.Reused++
	c.mu.Unlock()
}

func (c *counter) wasRead(bytes int64) {
	c.mu.Lock()
	c.Read++
	c.ReadBytes += bytes
	c.mu.Unlock()
}
