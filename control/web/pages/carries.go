package pages

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// What a host carries is a part of the form for each category that the visitor
// sees: a box to tick, its URLs for clients and those for other mirrors only.
// The names of its entries end in the category's.
const (
	carryBox    = "carry:"
	carryURLs   = "urls:"
	carryHidden = "private:"
	carryAlways = "always:"
)

// carriedValues adds what a form shows of a list of [registry.Carry].
func carriedValues(out url.Values, v any) {
	list, _ := v.([]any)
	for _, item := range list {
		carry, _ := item.(map[string]any)
		category, _ := carry["category"].(string)
		out.Set(carryBox+category, "on")
		if carry["always_up_to_date"] == true {
			out.Set(carryAlways+category, "on")
		}
		var public, private []string
		urls, _ := carry["urls"].([]any)
		for _, u := range urls {
			object, _ := u.(map[string]any)
			text, _ := object["url"].(string)
			if object["private"] == true {
				private = append(private, text)
			} else {
				public = append(public, text)
			}
		}
		out.Set(carryURLs+category, strings.Join(public, "\n"))
		out.Set(carryHidden+category, strings.Join(private, "\n"))
	}
}

// readCarries returns what a form says that a host carries. What it carried
// before of categories that the visitor does not see stays. always tells
// whether the form could say that something is always up to date.
func readCarries(categories []string, before []registry.Carry, form url.Values, always bool) (list []registry.Carry) {
	for _, carry := range before {
		if !slices.Contains(categories, carry.Category) {
			list = append(list, carry)
		} else if now, ok := readCarry(carry, form, always); ok {
			list = append(list, now)
		}
	}
	for _, category := range categories {
		if slices.ContainsFunc(before, func(c registry.Carry) bool { return c.Category == category }) {
			continue
		}
		if carry, ok := readCarry(registry.Carry{Category: category}, form, always); ok {
			list = append(list, carry)
		}
	}
	return list
}

// readCarry returns what a form says of one category, and whether the host
// carries it.
func readCarry(carry registry.Carry, form url.Values, always bool) (registry.Carry, bool) {
	if always {
		carry.AlwaysUpToDate = form.Get(carryAlways+carry.Category) != ""
	}
	carry.URLs = append(readURLs(form.Get(carryURLs+carry.Category), false), readURLs(form.Get(carryHidden+carry.Category), true)...)
	return carry, form.Get(carryBox+carry.Category) != "" || carry.URLs != nil // who gives a URL means it
}

func readURLs(typed string, private bool) (list []registry.URL) {
	for line := range strings.Lines(typed) {
		if line = strings.TrimRight(strings.TrimSpace(line), "/"); line != "" {
			list = append(list, registry.URL{URL: line, Private: private})
		}
	}
	return list
}

// carryProblem returns the name of the entry that a problem's key is about,
// such as carries[2].urls[0].url.
func carryProblem(list []registry.Carry, key string) string {
	var i, j int
	if n, _ := fmt.Sscanf(key, "carries[%d].urls[%d]", &i, &j); n == 2 && i < len(list) && j < len(list[i].URLs) {
		if list[i].URLs[j].Private {
			return carryHidden + list[i].Category
		}
		return carryURLs + list[i].Category
	}
	if n, _ := fmt.Sscanf(key, "carries[%d]", &i); n == 1 && i < len(list) {
		return carryBox + list[i].Category
	}
	return "carries"
}
