package notify

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a digest, so that a bad day stays readable.
const (
	fullTexts = 20  // messages with their text
	headlines = 500 // and further ones by their subject
)

// Digest returns one message that says what all of them say; of one it is that
// one. There is at least one. The subjects come first, by event; then the texts
// of the first twenty.
func Digest(messages []Message) Message {
	if len(messages) == 1 {
		return messages[0]
	}
	byEvent := map[Event][]Message{}
	var order []Event
	for _, m := range messages {
		if byEvent[m.Event] == nil {
			order = append(order, m.Event)
		}
		byEvent[m.Event] = append(byEvent[m.Event], m)
	}
	slices.SortStableFunc(order, func(a, b Event) int { return len(byEvent[b]) - len(byEvent[a]) })
	last := messages[len(messages)-1]
	out := Message{Event: "digest", About: "several", At: last.At}
	var counts []string
	var text strings.Builder
	lines := 0
	for _, e := range order {
		counts = append(counts, fmt.Sprintf("%d × %s", len(byEvent[e]), e))
		for _, m := range byEvent[e] {
			if lines++; lines <= headlines {
				fmt.Fprintf(&text, "- %s\n", strings.ReplaceAll(m.Subject, "\n", " "))
			}
		}
	}
	if lines > headlines {
		fmt.Fprintf(&text, "- and %d more\n", lines-headlines)
	}
	out.Subject = fmt.Sprintf("%d messages: %s", len(messages), strings.Join(counts, ", "))
	for _, e := range order {
		for _, m := range byEvent[e] {
			if lines = lines - 1; lines >= len(messages)-fullTexts {
				fmt.Fprintf(&text, "\n---- %s\n\n%s\n", strings.ReplaceAll(m.Subject, "\n", " "), strings.TrimRight(m.Text, "\n"))
			}
		}
	}
	if len(messages) > fullTexts {
		fmt.Fprintf(&text, "\n%d more have no text here; the control plane's jobs and audit log do.\n", len(messages)-fullTexts)
	}
	out.Text = text.String()
	return out
}
