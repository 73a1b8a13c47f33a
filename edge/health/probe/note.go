package probe

import (
	"log/slog"
	"time"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// A note is a line for the log. Notes are made under the mutex and logged
// outside it.
type note struct {
	level slog.Level
	text  string
	about []slog.Attr
}

// noteChange tells that a target went down or up.
func (p *Prober) noteChange(t *target, down bool, now time.Time) {
	about := []slog.Attr{
		slog.String("host", t.name.Host), slog.String("kind", t.kind().String()),
		slog.Duration("after", now.Sub(t.since)),
	}
	if !down {
		p.notes = append(p.notes, note{slog.LevelInfo, "mirror is up", about})
		return
	}
	p.notes = append(p.notes, note{slog.LevelWarn, "mirror is down", append(about,
		slog.String("verdict", t.result.Verdict.String()), slog.String("detail", t.result.Detail),
		slog.String("url", t.plan.url.Redacted()))})
}

// noteAbstention tells that a kind began or ceased to abstain.
func (p *Prober) noteAbstention(k health.Kind, failed, counted int) {
	n := note{slog.LevelInfo, "probes succeed again and count", []slog.Attr{
		slog.String("kind", k.String()), slog.Int("failing", failed), slog.Int("of", counted),
	}}
	if p.kinds[k].abstaining {
		n.level, n.text = slog.LevelWarn, "nearly all probes fail, this machine may be cut off: no mirror goes down by them"
	}
	p.notes = append(p.notes, n)
}

// noteCap tells that more targets than before are kept up by the cap.
func (p *Prober) noteCap(k health.Kind, capped int) {
	if capped > p.kinds[k].capped {
		p.notes = append(p.notes, note{slog.LevelWarn, "too many mirrors of a country or continent fail: some are kept up", []slog.Attr{
			slog.String("kind", k.String()), slog.Int("kept_up", capped), slog.Float64("max_down", p.config.MaxDown),
		}})
	}
}

// noteCertificate tells of a certificate that is about to expire, once: where
// http leads to https, not for both.
func (p *Prober) noteCertificate(t *target, r *Result) {
	twin := health.Target{Host: t.name.Host, Scheme: index.HTTPS, Family: t.name.Family}
	if t.name != twin && p.targets[twin] != nil {
		return
	}
	if r.Expiring && !t.result.Expires.Equal(r.Expires) {
		p.notes = append(p.notes, note{slog.LevelWarn, "a mirror's certificate expires soon", []slog.Attr{
			slog.String("host", t.name.Host), slog.String("url", t.plan.url.Redacted()), slog.Time("expires", r.Expires),
		}})
	}
}
