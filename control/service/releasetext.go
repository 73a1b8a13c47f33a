package service

import (
	"fmt"
	"strings"
	"time"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// newsMessage returns what recipients are told of a release before its lift;
// without a site it is for operators.
func newsMessage(r *registry.Release, news registry.News, status web.ReleaseStatus, a recipients) notify.Message {
	m := notify.Message{Event: notify.ReleaseAnnounced, About: r.Name, At: time.Now().UTC()}
	m.Data = map[string]any{"paths": r.Paths, "lift_at": r.LiftAt, "bytes": status.Bytes, "files": status.Files}
	var b strings.Builder
	switch news {
	case registry.IsCancelled:
		m.Event, m.Subject = notify.ReleaseCancelled, "Called off: "+r.Name
		fmt.Fprintf(&b, "%s, which was announced for %s, is called off. What is below these directories may go, or change:\n", r.Name, moment(r.LiftAt))
	case registry.IsChanged:
		m.Event, m.Subject = notify.ReleaseChanged, fmt.Sprintf("Changed: %s is public from %s", r.Name, moment(r.LiftAt))
		b.WriteString(whatChanged(r))
	default:
		m.Subject = fmt.Sprintf("%s is public from %s; please mirror it before", r.Name, moment(r.LiftAt))
		fmt.Fprintf(&b, "%s will be public from %s. Its directories on the master:\n", r.Name, moment(r.LiftAt))
	}
	b.WriteString("\n")
	for _, path := range r.Paths {
		fmt.Fprintf(&b, "    %s\n", path)
	}
	b.WriteString("\n")
	if news != registry.IsCancelled {
		if status.Files > 0 {
			fmt.Fprintf(&b, "As of the last scan these are %d files of %s in %d directories.\n\n", status.Files, size(status.Bytes), status.Directories)
		}
		if a.site != nil {
			b.WriteString(whatToDo(r, a))
		}
	}
	m.Text = b.String()
	return m
}

// whatChanged says how a release differs from what mirrors were told.
func whatChanged(r *registry.Release) string {
	text := fmt.Sprintf("%s has changed.\n", r.Name)
	if r.Told != nil && !r.Told.LiftAt.Equal(r.LiftAt) {
		text += fmt.Sprintf("It will be public from %s, not from %s.\n", moment(r.LiftAt), moment(r.Told.LiftAt))
	} else {
		text += fmt.Sprintf("It will be public from %s, as before.\n", moment(r.LiftAt))
	}
	return text + "Its directories on the master are now:\n"
}

// whatToDo says what a mirror is asked to do.
func whatToDo(r *registry.Release, a recipients) string {
	var b strings.Builder
	b.WriteString("Your mirrors that carry it:\n\n")
	for _, h := range a.hosts {
		how := "takes new releases only when you let it"
		if h.AutoCarry {
			how = "takes new releases by itself"
		}
		fmt.Fprintf(&b, "    %s (%s)\n", h.Key(), how)
	}
	fmt.Fprintf(&b, `
Until %s
- fetch it, with the permissions that the master has: nobody may read it before;
- do not serve or announce it;
- report that you have it, by waypost report, report_mirror or
  quick-fedora-mirror. Nothing of it is shown to anybody. A mirror that has
  reported gets clients from the first second; one that has not gets them when
  a crawl after that time has seen it.
At that time make it readable on your server. Nobody needs to tell us.
`, moment(r.LiftAt))
	return b.String()
}

// moment writes a time for people everywhere.
func moment(t time.Time) string { return t.UTC().Format("Mon, 2 Jan 2006 15:04 UTC") }

// size writes a number of bytes for people.
func size(bytes int64) string {
	const unit = 1024
	value, names := float64(bytes), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for value >= unit && i < len(names)-1 {
		value, i = value/unit, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, names[i])
}
