package source_test

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/source"
)

// lines are those of a log.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestOutageLog: an outage is a line when it begins, when its reason changes and
// each five minutes, and one when it ends.
func TestOutageLog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newControl()
		c.set(nil, http.StatusInternalServerError)
		log := make(lines, 100)
		r := follow(t, c, dir, func(config *source.RemoteConfig) { config.Log = slog.New(slog.NewTextHandler(log, nil)) })
		go func() { _ = r.Run(t.Context()) }()
		said := func(d time.Duration) (levels []string) {
			time.Sleep(d)
			synctest.Wait()
			for len(log) > 0 {
				_, rest, _ := strings.Cut(<-log, "level=")
				level, _, _ := strings.Cut(rest, " ")
				levels = append(levels, level)
			}
			return levels
		}
		for _, x := range []struct {
			name string
			do   func()
			wait time.Duration
			want []string
		}{
			{"without a snapshot", func() {}, time.Minute, []string{"ERROR"}},
			{"it is there", func() { c.publish(t, network(10, "a"), signer(1)) }, time.Minute, []string{"INFO"}},
			{"quiet", func() {}, time.Hour, nil},
			{"away", func() { c.set(nil, http.StatusBadGateway) }, 4 * time.Minute, []string{"WARN"}},
			{"still", func() {}, 2 * time.Minute, []string{"WARN"}},
			{"another reason", func() { c.set(nil, http.StatusNotFound) }, time.Minute, []string{"WARN"}},
			{"refused", func() { c.publish(t, network(11, "a"), signer(2)) }, 2 * time.Minute, []string{"ERROR"}},
			{"back", func() { c.publish(t, network(12, "a"), signer(1)) }, time.Minute, []string{"INFO"}},
		} {
			x.do()
			if got := said(x.wait); !slices.Equal(got, x.want) {
				t.Errorf("%s: logged %v, want %v", x.name, got, x.want)
			}
		}
	})
}
