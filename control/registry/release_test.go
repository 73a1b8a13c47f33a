package registry_test

import (
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
)

func TestReleaseNews(t *testing.T) {
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	soon, ago := now.Add(time.Hour), now.Add(-time.Hour)
	paths := []string{"pub/os/44"}
	told := &registry.Told{Paths: paths, LiftAt: soon}
	tests := []struct {
		name string
		in   registry.Release
		want registry.News
		gone registry.News
	}{
		{"new", registry.Release{Paths: paths, LiftAt: soon}, registry.IsNew, registry.NoNews},
		{"told", registry.Release{Paths: paths, LiftAt: soon, Announced: ago, Told: told}, registry.NoNews, registry.IsCancelled},
		{"told the same in another zone", registry.Release{Paths: paths, LiftAt: soon.In(time.FixedZone("", 3600)), Announced: ago, Told: told}, registry.NoNews, registry.IsCancelled},
		{"told by hand", registry.Release{Paths: paths, LiftAt: soon, Announced: ago}, registry.NoNews, registry.IsCancelled},
		{"put off", registry.Release{Paths: paths, LiftAt: soon.Add(1), Announced: ago, Told: told}, registry.IsChanged, registry.IsCancelled},
		{"other paths", registry.Release{Paths: []string{"pub/os/45"}, LiftAt: soon, Announced: ago, Told: told}, registry.IsChanged, registry.IsCancelled},
		{"lifted", registry.Release{Paths: paths, LiftAt: ago, Announced: ago, Told: told}, registry.IsLifted, registry.NoNews},
		{"lifted, never announced", registry.Release{Paths: paths, LiftAt: now}, registry.IsLifted, registry.NoNews},
		{"lifted and told", registry.Release{Paths: paths, LiftAt: ago, Lifted: ago}, registry.NoNews, registry.NoNews},
		{"lifted, put off, lifted again", registry.Release{Paths: paths, LiftAt: ago, Lifted: ago.Add(-1)}, registry.IsLifted, registry.NoNews},
		{"lifted long ago", registry.Release{Paths: paths, LiftAt: now.Add(-8 * 24 * time.Hour)}, registry.NoNews, registry.NoNews},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, gone := tt.in.News(now), tt.in.Gone(now); got != tt.want || gone != tt.gone {
				t.Errorf("news %d, want %d; gone %d, want %d", got, tt.want, gone, tt.gone)
			}
		})
	}
}
