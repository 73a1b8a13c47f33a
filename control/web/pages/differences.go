package pages

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A difference is a value that a change has changed.
type difference struct{ Key, Before, After string }

// differences returns what differs between two documents, sorted by key; all of
// it where one is missing.
func differences(before, after json.RawMessage) (out []difference) {
	old, now := flat(before), flat(after)
	keys := map[string]bool{}
	for key := range old {
		keys[key] = true
	}
	for key := range now {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if old[key] != now[key] {
			out = append(out, difference{key, old[key], now[key]})
		}
	}
	return out
}

// flat returns the values of a document by their keys, as text.
func flat(doc json.RawMessage) map[string]string {
	out := map[string]string{}
	var v any
	if len(doc) > 0 && json.Unmarshal(doc, &v) == nil {
		flatten("", v, out)
	}
	return out
}

func flatten(at string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if at != "" {
				key = at + "." + key
			}
			flatten(key, inner, out)
		}
	case []any:
		for i, inner := range v {
			flatten(fmt.Sprintf("%s[%d]", at, i), inner, out)
		}
	case nil:
	default:
		out[at] = fmt.Sprint(v)
	}
}
