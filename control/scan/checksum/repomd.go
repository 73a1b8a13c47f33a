package checksum

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A repomd is what we read of a repomd.xml.
type repomd struct {
	XMLName xml.Name `xml:"repomd"`
	Data    []struct {
		Checksum struct {
			Type string `xml:"type,attr"`
			Hash string `xml:",chardata"`
		} `xml:"checksum"`
		Location struct {
			Href string `xml:"href,attr"`
			Base string `xml:"base,attr"`
		} `xml:"location"`
		Size string `xml:"size"`
	} `xml:"data"`
}

// parseRepomd reads a repomd.xml, which must be whole and be no more than
// one element.
func parseRepomd(r io.Reader) (List, error) {
	var l List
	var doc repomd
	d := xml.NewDecoder(r)
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "unexpected EOF") {
			err = fmt.Errorf("%w: %w", ErrIncomplete, err)
		}
		return l, fmt.Errorf("want <repomd>: %w", err)
	}
	for _, data := range doc.Data {
		kind, ok := kindByName(data.Checksum.Type)
		if !ok || data.Location.Base != "" {
			l.Skipped++
			continue
		}
		size, err := strconv.ParseInt(strings.TrimSpace(data.Size), 10, 64)
		if err != nil || size < 0 {
			size = -1
		}
		l.add(data.Location.Href, strings.TrimSpace(data.Checksum.Hash), kind, size)
	}
	return l, nil
}
