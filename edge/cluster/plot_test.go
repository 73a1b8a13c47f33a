package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A curve is the share of edges that know something, or have decided, at each
// step since it happened; on average over all that happened.
type curve struct {
	name   string
	shares []float64
}

const plotStep = 100 * time.Millisecond

// shares returns a curve of times: until each of them, one more edge knows.
func (s *simulation) shares(of map[string][]time.Duration) (shares []float64) {
	total := float64(len(of) * len(s.edges))
	for at := time.Duration(0); ; at += plotStep {
		n, more := 0, false
		for _, times := range of {
			for _, t := range times {
				if t <= at {
					n++
				} else {
					more = true
				}
			}
		}
		shares = append(shares, float64(n)/total)
		if !more {
			return shares
		}
	}
}

// plot draws curves from 0 to 15 seconds as SVG, with lines at 50 and 99 percent.
func plot(title string, curves []curve) []byte {
	const left, top, width, height, seconds = 50, 40, 600, 300, 15
	x := func(s float64) float64 { return left + width*s/seconds }
	y := func(share float64) float64 { return top + height*(1-share) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 390" font-family="sans-serif" font-size="12">
<rect width="700" height="390" fill="white"/>
<text x="%d" y="20" font-size="14">%s</text>
`, left, title)
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 0.99} {
		fmt.Fprintf(&b, `<path d="M%d %.1fh%d" stroke="#ccc"/><text x="%d" y="%.1f" text-anchor="end">%.0f %%</text>
`, left, y(share), width, left-6, y(share)+4, 100*share)
	}
	for s := 0; s <= seconds; s += 5 {
		fmt.Fprintf(&b, `<path d="M%.1f %dv%d" stroke="#ccc"/><text x="%.1f" y="%d" text-anchor="middle">%d s</text>
`, x(float64(s)), top, height, x(float64(s)), top+height+18, s)
	}
	for i, c := range curves {
		colour := []string{"#06c", "#390", "#c30"}[i%3]
		var points strings.Builder
		for at, share := range c.shares {
			if s := plotStep.Seconds() * float64(at); s <= seconds {
				fmt.Fprintf(&points, "%.0f,%.1f ", x(s), y(share))
			}
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%d" y="%d" fill="%s">%s</text>
`, strings.TrimSpace(points.String()), colour, left+420, top+height-60+18*i, colour, c.name)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func TestShares(t *testing.T) {
	s := &simulation{edges: make([]*simEdge, 2)}
	got := s.shares(map[string][]time.Duration{"a": {0, 200 * time.Millisecond}, "b": {50 * time.Millisecond}})
	if fmt.Sprint(got) != "[0.25 0.5 0.75]" {
		t.Errorf("got %v", got)
	}
}
