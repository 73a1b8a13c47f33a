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

// BenchmarkView makes a view of 1,000 mirrors that carry 20 categories of 250
// repositories each, and shows one mirror.
func BenchmarkView(b *testing.B) {
	var many []registry.Object
	for c := range 20 {
		many = append(many, &registry.Category{Name: fmt.Sprint("c", c), Path: fmt.Sprint("pub/", c)})
		for r := range 250 {
			many = append(many, &registry.Repository{
				Name: fmt.Sprintf("c%d-%d", c, r), Arch: "x86_64", Category: fmt.Sprint("c", c), Path: fmt.Sprintf("pub/%d/releases/%d/Everything/x86_64/os", c, r),
			})
		}
	}
	for i := range 1000 {
		h := &registry.Host{Site: "uni-x", Name: fmt.Sprint("many", i), Country: "DE", State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true}}
		for c := range 20 {
			h.Carries = append(h.Carries, registry.Carry{Category: fmt.Sprint("c", c), URLs: []registry.URL{{URL: fmt.Sprintf("https://many%d.example.org/%d", i, c)}}})
		}
		many = append(many, h)
	}
	p := run(b, many...)
	browser := p.browser()
	b.ReportAllocs()
	for b.Loop() {
		p.clock.Add(61)
		if s := browser.raw("/mirror/uni-x/many7"); s != 200 {
			b.Fatal(s)
		}
	}
}
