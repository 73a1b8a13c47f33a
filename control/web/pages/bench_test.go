package pages_test

import (
	"fmt"
	"testing"

	"github.com/waypost/waypost/control/registry"
)

// BenchmarkMirrors asks for the list of 1,000 mirrors: of a view that is there,
// and of one that has to be made.
func BenchmarkMirrors(b *testing.B) {
	var many []registry.Object
	for i := range 1000 {
		many = append(many, &registry.Host{
			Site: "uni-x", Name: fmt.Sprint("many", i), Country: []string{"DE", "FR", "US", "JP"}[i%4], State: registry.Approved,
			Activity: registry.Activity{AdminActive: true, UserActive: true},
			Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{
				{URL: fmt.Sprintf("https://many%d.example.org/os", i)}, {URL: fmt.Sprintf("rsync://many%d.example.org/os", i)},
			}}},
		})
	}
	p := run(b, many...)
	browser := p.browser()
	for name, pass := range map[string]int64{"kept": 0, "made": 61} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p.clock.Add(pass)
				if s := browser.raw("/mirrors"); s != 200 {
					b.Fatal(s)
				}
			}
		})
	}
}
