package mirrormanager

import (
	"fmt"
	"strings"
)

// A Report says what was found in a cache, for logs.
type Report struct {
	Hosts        int
	Private      int // hosts that serve only their own clients
	Categories   int
	Directories  int
	Files        int
	Repositories int
	Odd          []Oddity // what was left out or is doubtful, in the order in which it was found
}

// An Oddity is one kind of thing that was left out or is doubtful.
type Oddity struct {
	Text     string // what it is and what was done
	Count    int
	Examples []string // the first few
}

// examples is how many examples of each oddity are kept.
const examples = 5

// String returns the report in a line of counts and a line for each oddity.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d hosts (%d private), %d categories, %d directories, %d files, %d repositories",
		r.Hosts, r.Private, r.Categories, r.Directories, r.Files, r.Repositories)
	for _, o := range r.Odd {
		fmt.Fprintf(&b, "\n%d × %s: %s", o.Count, o.Text, strings.Join(o.Examples, ", "))
		if o.Count > len(o.Examples) {
			b.WriteString(", …")
		}
	}
	return b.String()
}

// odd counts one more oddity of a kind; example says which.
func (r *Report) odd(text, example string) { r.odds(text, 1, example) }

func (r *Report) odds(text string, count int, example string) {
	for i := range r.Odd {
		if o := &r.Odd[i]; o.Text == text {
			o.Count += count
			if len(o.Examples) < examples {
				o.Examples = append(o.Examples, example)
			}
			return
		}
	}
	r.Odd = append(r.Odd, Oddity{Text: text, Count: count, Examples: []string{example}})
}
