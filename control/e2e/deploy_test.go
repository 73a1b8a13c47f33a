//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/waypost/waypost/control/internal/needs"
)

// deploy is the folder with what operators install.
const deploy = "../../deploy"

// deployed returns a file of deploy.
func deployed(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{deploy}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rules is a file of rules for Prometheus.
type rules struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

// deployedRules returns all rules.
func deployedRules(t *testing.T) (all []rule) {
	t.Helper()
	var file rules
	if err := yaml.UnmarshalWithOptions([]byte(deployed(t, "prometheus", "waypost.rules.yml")), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestDeployRules has promtool check the rules and run their unit tests.
func TestDeployRules(t *testing.T) {
	t.Parallel()
	needs.Program(t, "promtool", "prometheus")
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"}, {"check", "rules", "--lint-fatal", "waypost.rules.yml"}, {"test", "rules", "waypost.test.yml"},
	} {
		cmd := command(t, "promtool", args...)
		cmd.Dir = filepath.Join(deploy, "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestDeployRunbook looks for a section on each alert, of three parts, and for
// the alert of each section.
func TestDeployRunbook(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, text := range strings.Split("\n"+deployed(t, "runbook.md"), "\n## ")[1:] {
		title, body, _ := strings.Cut(text, "\n")
		sections[title] = body
	}
	for _, r := range deployedRules(t) {
		if r.Alert == "" {
			continue
		}
		body, ok := sections[r.Alert]
		if !ok {
			t.Errorf("no section %s", r.Alert)
		}
		delete(sections, r.Alert)
		for _, part := range []string{"**Means.**", "**Look.**", "**Do.**"} {
			if ok && !strings.Contains(body, part) {
				t.Errorf("section %s has no %s", r.Alert, part)
			}
		}
		if at := r.Annotations["runbook_url"]; !strings.HasSuffix(at, "/deploy/runbook.md#"+strings.ToLower(r.Alert)) {
			t.Errorf("%s has runbook_url %q", r.Alert, at)
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s has severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", r.Alert)
		}
	}
	for title := range sections {
		if strings.HasPrefix(title, "Waypost") {
			t.Errorf("no alert %s, which has a section", title)
		}
	}
}

// TestDeploySysctl looks for each setting of IPv4 and IPv6 in this kernel; those
// of net.core are not in every container.
func TestDeploySysctl(t *testing.T) {
	t.Parallel()
	setting := regexp.MustCompile(`^([a-z0-9_.]+) = ([0-9 ]+)$`)
	n := 0
	for line := range strings.Lines(deployed(t, "sysctl.d", "90-waypost.conf")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		is := setting.FindStringSubmatch(line)
		if is == nil {
			t.Errorf("want NAME = NUMBERS, got %q", line)
			continue
		}
		n++
		path := "/proc/sys/" + strings.ReplaceAll(is[1], ".", "/")
		_, noIPv6 := os.Stat("/proc/sys/net/ipv6")
		here := strings.HasPrefix(is[1], "net.ipv4.") || strings.HasPrefix(is[1], "net.ipv6.") && noIPv6 == nil
		if _, err := os.Stat(path); here && err != nil {
			t.Error(err)
		}
	}
	if n < 10 {
		t.Errorf("%d settings", n)
	}
}

var (
	quoted   = regexp.MustCompile("`waypost ([^`]*)`|(?m)^    waypost (.*)$")
	leading  = regexp.MustCompile(`^(?:[a-z][a-z-]* )+`)
	dashDash = regexp.MustCompile(`--[a-z][a-z-]+`)
	usage    = regexp.MustCompile(`^Usage: waypost ((?:[a-z][a-z-]* )*)(\S*)`)
)

// TestDeployCommands asks each command that the runbook and the guides tell
// people to run for its help, which must know its flags.
func TestDeployCommands(t *testing.T) {
	t.Parallel()
	helps := map[string]string{}
	for _, guide := range []string{deploy + "/runbook.md", "../../docs/edges.md", "../../docs/operators.md"} {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range quoted.FindAllStringSubmatch(string(text), -1) {
			line, _, _ := strings.Cut(found[1]+found[2]+" ", "# ")
			words := leading.FindString(line) // the command, and what may be arguments
			if words == "" {
				continue // such as `waypost …`
			}
			if helps[words] == "" {
				helps[words] = output(t, waypost, append(strings.Fields(words), "--help")...)
			}
			is := usage.FindStringSubmatch(helps[words])
			if is == nil || !strings.HasPrefix(words, is[1]) || words != is[1] && is[2] == "<command>" {
				t.Errorf("%s: no command waypost %s: %q", guide, words, is)
			}
			for _, flag := range dashDash.FindAllString(line, -1) {
				if !regexp.MustCompile(flag + `[=, \n]`).MatchString(helps[words]) {
					t.Errorf("%s: waypost %shas no %s", guide, words, flag)
				}
			}
		}
	}
	if len(helps) < 30 {
		t.Errorf("%d commands", len(helps))
	}
}
