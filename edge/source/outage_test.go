package source_test

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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

// levels returns those of the lines that came within a time.
func (l lines) levels(d time.Duration) (all []string) {
	time.Sleep(d)
	synctest.Wait()
	for len(l) > 0 {
		_, rest, _ := strings.Cut(<-l, "level=")
		level, _, _ := strings.Cut(rest, " ")
		all = append(all, level)
	}
	return all
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
			if got := log.levels(x.wait); !slices.Equal(got, x.want) {
				t.Errorf("%s: logged %v, want %v", x.name, got, x.want)
			}
		}
	})
}

// TestOutageWithPeers: what comes from peers does not end an outage of a control
// plane that takes questions and never answers.
func TestOutageWithPeers(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, p, log := newControl(), &peers{}, make(lines, 100)
		c.publish(t, network(10, "a"), signer(1))
		p.has(c, 10)
		var hangs atomic.Bool
		r := follow(t, roundTripper(func(request *http.Request) (*http.Response, error) {
			if hangs.Load() {
				<-request.Context().Done()
				return nil, request.Context().Err()
			}
			return c.RoundTrip(request)
		}), dir, func(config *source.RemoteConfig) { config.Log = slog.New(slog.NewTextHandler(log, nil)) })
		r.Join(p)
		go func() { _ = r.Run(t.Context()) }()
		log.levels(time.Minute)
		hangs.Store(true)
		if got := log.levels(3 * time.Minute); !slices.Equal(got, []string{"WARN"}) {
			t.Errorf("it hangs: logged %v", got)
		}
		elsewhere := newControl()
		elsewhere.publish(t, network(11, "a", "b"), signer(1))
		p.has(elsewhere, 11)
		if got := log.levels(time.Minute); version(r) != 11 || !slices.Equal(got, []string{"INFO"}) {
			t.Errorf("version %d from peers, logged %v", version(r), got)
		}
		c.publish(t, network(12, "a"), signer(1))
		hangs.Store(false)
		if got := log.levels(time.Minute); version(r) != 12 || !slices.Equal(got, []string{"INFO"}) {
			t.Errorf("version %d, it answers again, logged %v", version(r), got)
		}
	})
}
