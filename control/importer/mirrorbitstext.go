package importer

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// isMirmon reports whether the first line looks like one of export mirmon.
func isMirmon(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	fields := strings.Fields(string(first))
	if len(fields) < 2 {
		return false
	}
	_, err := geo.ParseCountry(fields[0])
	return err == nil && strings.Contains(fields[1], "://")
}

// mirmonRecords reads lines COUNTRY URL MAIL.
func mirmonRecords(data []byte) (out []record, problem *snapshot.Problem) {
	number, at := 0, map[string]int{}
	for line := range strings.Lines(string(data)) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		var u *url.URL
		var err error
		if len(fields) >= 2 {
			u, err = url.Parse(fields[1])
		}
		if u == nil || err != nil || u.Hostname() == "" || len(fields) > 3 {
			return nil, &snapshot.Problem{Line: number, Text: fmt.Sprintf("want COUNTRY URL MAIL, got %.100q", strings.TrimSpace(line))}
		}
		key := map[string]string{"http": "HTTPURL", "https": "HTTPURL", "rsync": "RSYNCURL", "ftp": "FTPURL"}[u.Scheme]
		if key == "" {
			return nil, &snapshot.Problem{Line: number, Text: fmt.Sprintf("want an http, https, rsync or ftp URL, got %q", fields[1])}
		}
		i, known := at[u.Hostname()]
		if !known || out[i].fields[key] != "" { // a second URL of a kind is that of another mirror
			name := u.Hostname()
			if known {
				name = fmt.Sprintf("%s-%d", name, number)
			}
			i = len(out)
			at[u.Hostname()] = i
			out = append(out, record{line: number, fields: map[string]string{"NAME": name, "COUNTRYCODES": fields[0]}})
		}
		out[i].fields[key] = fields[1]
		if len(fields) == 3 {
			out[i].fields["ADMINEMAIL"] = fields[2]
		}
	}
	return out, nil
}

// commentLine is where mirrorbits edit lets comments begin.
const commentLine = "##### Comments go below this line #####"

// shownRecords reads what mirrorbits show prints, and what edit shows.
func shownRecords(data []byte) (out []record, problem *snapshot.Problem) {
	number, inComment := 0, false
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		key, value, isField := strings.Cut(line, ":")
		name, begins := strings.CutPrefix(line, "Mirror: ")
		switch {
		case begins:
			out = append(out, newRecord(number))
			out[len(out)-1].fields["ID"] = strings.TrimSpace(name)
			inComment = false
		case line == commentLine, strings.TrimSpace(line) == "Comment:" && len(out) > 0:
			inComment = true
		case inComment && len(out) > 0:
			out[len(out)-1].fields["COMMENT"] += line + "\n"
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "#"):
		case !isField || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" || key == "":
			return nil, &snapshot.Problem{Line: number, Text: fmt.Sprintf("want KEY: VALUE, as mirrorbits show prints it, got %.100q", line)}
		default:
			if len(out) == 0 {
				out = append(out, newRecord(number))
			}
			r := out[len(out)-1]
			if _, again := r.lines[strings.ToUpper(key)]; again {
				return nil, &snapshot.Problem{Line: number, Key: key, Text: "given twice"}
			}
			text, ok := unquote(strings.TrimSpace(value))
			if !ok {
				return nil, &snapshot.Problem{Line: number, Key: key, Text: fmt.Sprintf("want a value in one line, got %.100q", value)}
			}
			r.fields[strings.ToUpper(key)], r.lines[strings.ToUpper(key)] = text, number
		}
	}
	return out, nil
}

func newRecord(line int) record {
	return record{line: line, fields: map[string]string{}, lines: map[string]int{}}
}

// unquote returns the value of a YAML scalar in one line.
func unquote(s string) (string, bool) {
	switch {
	case strings.HasPrefix(s, `"`):
		out, err := strconv.Unquote(s)
		return out, err == nil
	case strings.HasPrefix(s, "'"):
		inner, ok := strings.CutSuffix(s[1:], "'")
		return strings.ReplaceAll(inner, "''", "'"), ok
	case strings.HasPrefix(s, "|"), strings.HasPrefix(s, ">"):
		return "", false // goes on in the next lines
	}
	return s, true
}
