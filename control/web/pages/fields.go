package pages

import "github.com/waypost/waypost/control/registry"

// fieldsOf returns all fields of a kind's form. Tokens have a page of their own.
func fieldsOf(kind registry.Kind) []field {
	switch kind {
	case registry.KindSite:
		return siteFields()
	case registry.KindHost:
		return hostFields()
	case registry.KindCategory:
		return categoryFields()
	case registry.KindProduct:
		return []field{
			{Key: "name", Label: "Name", Entry: text, New: true, Required: true},
			{Key: "public", Label: "Shown to everybody", Entry: check},
			{Key: "versions", Label: "Versions", Entry: rows, Columns: []field{
				{Key: "name", Label: "Version", Entry: text, Required: true},
				{Key: "codename", Label: "Code name", Entry: text},
				{Key: "test", Label: "For tests", Entry: check},
			}},
		}
	case registry.KindRepository:
		return []field{
			{Key: "name", Label: "Name", Help: "The value of repo= in questions of clients.", Entry: text, New: true, Required: true},
			{Key: "arch", Label: "Architecture", Help: "The value of arch=. Empty where the name is another's.", Entry: text, New: true},
			{Key: "category", Label: "Category", Entry: choice},
			{Key: "path", Label: "Directory", Help: "Such as pub/os/43/x86_64.", Entry: text, Slashes: true},
			{Key: "version", Label: "Version of the category's product", Entry: text},
			{Key: "disabled", Label: "Switched off", Entry: check},
			{Key: "redirect_to", Label: "Another name answers", Help: "For all architectures; then everything else is empty.", Entry: text},
		}
	case registry.KindRelease:
		return []field{
			{Key: "name", Label: "Name", Entry: text, New: true, Required: true},
			{Key: "paths", Label: "Directories", Help: "All below them is under embargo. One a line.", Entry: lines, Slashes: true},
			{Key: "lift_at", Label: "The embargo ends (UTC)", Entry: moment, Required: true},
			{Key: "quiet", Label: "Mirrors are told only by an announcement", Entry: check},
		}
	case registry.KindOverride:
		return []field{
			{Key: "name", Label: "Name", Entry: text, New: true, Required: true},
			{Key: "country", Label: "Country", Help: "Two letters.", Entry: text, Upper: true, Required: true},
			{Key: "netblock", Label: "Netblock that is in the country", Entry: text},
			{Key: "continent", Label: "Continent that the country is on", Entry: choice, Options: []string{"", "AF", "AN", "AS", "EU", "NA", "OC", "SA"}},
			{Key: "embargoed", Label: "Mirrors in the country are not accepted", Entry: check},
		}
	case registry.KindUser:
		return []field{
			{Key: "name", Label: "Name", Entry: text, New: true, Required: true},
			{Key: "mail", Label: "Mail address", Entry: text},
			{Key: "admin", Label: "Is an operator, who may do everything", Entry: check, Operator: true},
			{Key: "disabled", Label: "May not sign in", Entry: check, Operator: true},
			{Key: "subject", Label: "Name at a sign-in service", Entry: text, Operator: true},
		}
	}
	return nil
}

func siteFields() []field {
	return []field{
		{Key: "name", Label: "Name", Help: "Of the organisation, short; it cannot be changed.", Entry: text, New: true, Required: true},
		{Key: "url", Label: "Web site", Entry: text},
		{Key: "admins", Label: "Users who may change it", Help: "One a line.", Entry: lines},
		{Key: "contacts", Label: "Mail addresses", Help: "Told of releases and of trouble. One a line.", Entry: lines},
		{Key: "webhooks", Label: "Webhooks", Help: "URLs that are told the same. One a line.", Entry: lines},
		{Key: "private", Label: "Private: none of its mirrors is listed for the public", Entry: check},
		{Key: "user_active", Label: "Active", Help: "Without it, none of its mirrors is listed.", Entry: check},
		{Key: "reason", Label: "Reason, where it is not active", Entry: text},
		{Label: "For operators", Entry: heading, Operator: true},
		{Key: "state", Label: "State", Entry: choice, Options: []string{"pending", "approved", "rejected"}, Operator: true},
		{Key: "admin_active", Label: "Active, says the operator", Entry: check, Operator: true},
	}
}

func hostFields() []field {
	return []field{
		{Key: "site", Label: "Site", Entry: choice, New: true, Required: true},
		{Key: "name", Label: "Name", Help: "Such as its host name, without a slash; it cannot be changed.", Entry: text, New: true, Required: true},
		{Label: "What it carries", Entry: heading},
		{Key: "carries", Label: "Categories", Entry: carries},
		{Key: "auto_carry", Label: "Takes new releases without being asked", Entry: check},
		{Label: "Where it is", Entry: heading},
		{Key: "country", Label: "Country", Help: "Two letters, such as DE.", Entry: text, Upper: true},
		{Key: "location.lat", Label: "Latitude", Help: "In degrees, such as 52.5. Without a place it is in the middle of its country.", Entry: number},
		{Key: "location.lon", Label: "Longitude", Entry: number},
		{Key: "bandwidth", Label: "Bandwidth in Mbit/s", Help: "Its share of clients goes by this.", Entry: number},
		{Key: "max_connections", Label: "Connections of one client at a time", Entry: number},
		{Label: "Its clients", Entry: heading},
		{Key: "private", Label: "Private: only for clients of its netblocks and ASs", Entry: check},
		{Key: "asns", Label: "AS numbers", Help: "Clients of these come here first.", Entry: numbers},
		{Key: "peer_asns", Label: "AS numbers of peers", Entry: numbers, Operator: true},
		{Key: "netblocks", Label: "Netblocks", Help: "Clients of these come here first of all: 192.0.2.0/24, 2001:db8::/48, a range or a DNS name. One a line.", Entry: lines},
		{Key: "countries_allowed", Label: "Only for clients of these countries", Help: "Two letters each, one a line; empty is all.", Entry: lines, Upper: true},
		{Key: "countries_excluded", Label: "Not for clients of these countries", Entry: lines, Upper: true},
		{Key: "addresses", Label: "Addresses for DNS answers", Help: "IPv4 and IPv6, one a line.", Entry: lines},
		{Key: "dns", Label: "Answer DNS questions with these addresses", Entry: check},
		{Label: "Where it pulls from", Entry: heading},
		{Key: "tier", Label: "Tier", Help: "1 pulls from the master, 2 from tier 1, and so on.", Entry: number},
		{Key: "upstream", Label: "Upstream", Help: "SITE/HOST; empty is the master.", Entry: text},
		{Key: "pull_addresses", Label: "Addresses that it pulls from", Help: "For the upstream's list of who may. IPv4, IPv6 or names, one a line.", Entry: lines},
		{Label: "Running it", Entry: heading},
		{Key: "user_active", Label: "Active", Help: "Without it, it is not listed.", Entry: check},
		{Key: "reason", Label: "Reason, where it is not active", Entry: text},
		{Key: "maintenance", Label: "Maintenance (UTC): no clients, no crawls", Entry: rows, Columns: []field{
			{Key: "from", Label: "From", Entry: moment, Required: true}, {Key: "to", Label: "To", Entry: moment, Required: true},
		}},
		{Key: "no_crawl", Label: "Do not crawl it", Help: "A public mirror that is not crawled is not listed.", Entry: check},
		{Key: "contacts", Label: "Mail addresses beside the site's", Entry: lines},
		{Key: "comment", Label: "Comment", Entry: text},
		{Label: "For operators", Entry: heading, Operator: true},
		{Key: "state", Label: "State", Entry: choice, Options: []string{"pending", "approved", "rejected"}, Operator: true},
		{Key: "admin_active", Label: "Active, says the operator", Entry: check, Operator: true},
	}
}

func categoryFields() []field {
	return []field{
		{Key: "name", Label: "Name", Entry: text, New: true, Required: true},
		{Key: "path", Label: "Top directory", Help: "As clients know it, such as pub/os.", Entry: text, Slashes: true, Required: true},
		{Key: "product", Label: "Product", Entry: choice},
		{Key: "origin", Label: "Origin", Help: "URL where clients go when no mirror is left.", Entry: text, Slashes: true},
		{Key: "admin_only", Label: "Hidden from those who run mirrors", Entry: check},
		{Label: "How mirrors are chosen", Entry: heading},
		{Key: "policy.order", Label: "Order", Entry: choice, Options: []string{"", "bandwidth", "nearest"}},
		{Key: "policy.minimum", Label: "How many mirrors are enough", Entry: number},
		{Key: "policy.sticky", Label: "A client keeps its mirror", Entry: check},
		{Key: "policy.scheme", Label: "Scheme", Help: "same: clients of http get http.", Entry: choice, Options: []string{"", "same"}},
		{Key: "policy.bands", Label: "Bands", Help: "One a line; empty is all.", Entry: lines},
	}
}

// plural returns what several of a kind are called.
func plural(kind registry.Kind) string {
	switch kind {
	case registry.KindCategory:
		return "Categories"
	case registry.KindRepository:
		return "Repositories"
	}
	return sentence(string(kind)) + "s"
}
