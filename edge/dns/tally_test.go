package dns

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/statistics"
)

func count(category, dimension, name string) statistics.Count {
	return statistics.Count{Category: category, Dimension: dimension, Name: name, Count: 1}
}

func TestTally(t *testing.T) {
	tests := []struct {
		name, question string
		rrtype         uint16
		subnet         string // "": none
		want           []statistics.Count
	}{
		{
			"address", "one.m.test", dns.TypeA, "30.5.1.0/24",
			[]statistics.Count{count("os", "country", "US"), count("os", "host", "us1"), count("os", "kind", "dns")},
		},
		{
			"name, and not the nearest host, which has none", "dl.m.test", dns.TypeA, "30.5.1.0/24",
			[]statistics.Count{count("os", "country", "US"), count("os", "host", "us1"), count("os", "kind", "dns")},
		},
		{
			"nobody may serve", "none.m.test", dns.TypeA, "",
			[]statistics.Count{count("private", "country", ""), count("private", "kind", "unserved")},
		},
		{"no such records", "four.m.test", dns.TypeAAAA, "", nil},
		{"static", "txt.m.test", dns.TypeTXT, "", nil},
		{"a path that is not there", "gone.m.test", dns.TypeA, "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c statistics.Collector
			s := testServer(t, func(config *Config) {
				e := config.Engine
				e.Counter = c.Counter
				e.Swap(e.View().Index, nil)
			})
			options := []func(*dns.Msg){}
			if test.subnet != "" {
				options = append(options, ecs(test.subnet))
			}
			ask(t, s, query(t, test.question, test.rrtype, options...), true)
			got := c.Drain()
			if len(got) == 0 {
				got = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}
