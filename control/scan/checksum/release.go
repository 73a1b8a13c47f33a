package checksum

import (
	"io"
	"strconv"
	"strings"
)

// parseRelease reads the sections of hashes of a Debian Release file:
//
//	SHA256:
//	 HASH SIZE PATH
func parseRelease(r io.Reader) (List, error) {
	var l List
	section := ""
	err := messageLines(r, func(line string) {
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			section, _, _ = strings.Cut(line, ":")
			return
		}
		kind, ok := kindByName(section)
		if !ok || strings.TrimSpace(line) == "" {
			return
		}
		f := strings.Fields(line)
		if len(f) != 3 {
			l.Skipped++
			return
		}
		size, err := strconv.ParseUint(f[1], 10, 63)
		if err != nil {
			l.Skipped++
			return
		}
		l.add(f[2], f[0], kind, int64(size))
	}, func() {
		l, section = List{}, ""
	})
	return l, err
}
