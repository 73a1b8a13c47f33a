package checksum

import (
	"io"
	"path"
	"strconv"
	"strings"
)

// parseLines reads the formats of sha256sum, of BSD's and of openssl dgst:
//
//	# FILE: 12345 bytes
//	HASH  FILE
//	HASH *FILE
//	SHA256 (FILE) = HASH
//	HASH                      the file is that of name without its end
//
// The comment with a size is Fedora's, and stands before the hash.
func parseLines(name string, r io.Reader) (List, error) {
	var l List
	sizes := map[string]int64{}
	err := messageLines(r, func(line string) {
		if file, size, ok := sizeComment(line); ok {
			sizes[file] = size
			return
		}
		l.addLine(name, line, sizes)
	}, func() {
		l = List{}
		clear(sizes)
	})
	return l, err
}

// addLine adds what a line says.
func (l *List) addLine(name, line string, sizes map[string]int64) {
	if strings.TrimSpace(line) == "" || line[0] == '#' {
		return
	}
	file, tag, hash := bsdLine(line)
	if tag == "" {
		file, hash = gnuLine(line)
	}
	kind, ok := kindByName(tag)
	if tag == "" {
		kind, ok = kindByLength(len(hash))
	}
	if file == "" && path.Ext(name) != "" {
		file = strings.TrimSuffix(name, path.Ext(name))
	}
	if !ok {
		l.Skipped++
		return
	}
	size, known := sizes[file]
	if !known {
		size = -1
	}
	l.add(file, hash, kind, size)
}

// bsdLine reads KIND (FILE) = HASH; tag is "" for other lines.
func bsdLine(line string) (file, tag, hash string) {
	open := strings.Index(line, "(")
	end := strings.LastIndex(line, ")")
	if open <= 0 || end < open {
		return "", "", ""
	}
	hash, ok := strings.CutPrefix(strings.TrimSpace(line[end+1:]), "=")
	tag = strings.TrimSpace(line[:open])
	if !ok || strings.Contains(tag, " ") {
		return "", "", ""
	}
	return line[open+1 : end], tag, strings.TrimSpace(hash)
}

// gnuLine reads HASH  FILE. A backslash before the hash says that the name has
// escapes.
func gnuLine(line string) (file, hash string) {
	line, escaped := strings.CutPrefix(line, `\`)
	hash, file, ok := strings.Cut(line, " ")
	if !ok {
		return "", strings.TrimSpace(line)
	}
	switch {
	case strings.HasPrefix(file, "*"), strings.HasPrefix(file, " "):
		file = file[1:]
	}
	if escaped {
		file = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(file)
	}
	return file, hash
}

// sizeComment reads # FILE: SIZE bytes.
func sizeComment(line string) (file string, size int64, ok bool) {
	text, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return "", 0, false
	}
	if text, ok = strings.CutSuffix(text, " bytes"); !ok {
		return "", 0, false
	}
	i := strings.LastIndex(text, ": ")
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(text[i+2:], 10, 63)
	return text[:i], int64(n), err == nil
}
