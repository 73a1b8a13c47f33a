package report

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/control/report/bzip2"
)

// A document is what is sent: settings, and what was found of each category.
type document struct {
	*settings
	found [][]directory
}

// A body is a document as it travels. It is kept compressed, for further tries.
type body struct {
	data   []byte
	header map[string]string
}

// text returns a text as JSON.
func text(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string cannot fail
	}
	return b
}

// write writes the document as JSON, with this password.
func (d *document) write(to io.Writer, password string) error {
	w := bufio.NewWriter(to)
	if d.protocol == protocolXMLRPC {
		d.writeSubmission(w, password)
	} else {
		d.writeJSON(w)
	}
	return w.Flush()
}

// writeJSON writes what checkin.Server.ServeAPI reads.
func (d *document) writeJSON(w *bufio.Writer) {
	fmt.Fprintf(w, "{\n\"host\": %s,\n", text(d.site+"/"+d.host))
	if !d.syncedAt.IsZero() {
		fmt.Fprintf(w, "\"synced_at\": %q,\n", d.syncedAt.UTC().Format(time.RFC3339))
	}
	if d.userActive != "" {
		fmt.Fprintf(w, "\"user_active\": %t,\n", slices.Contains([]string{"true", "1", "t", "y", "yes"}, d.userActive))
	}
	fmt.Fprint(w, "\"categories\": {")
	for i, c := range d.categories {
		fmt.Fprintf(w, "%s\n%s: {", comma(i), text(c.name))
		if d.files {
			d.writeFiles(w, d.found[i])
		} else {
			fmt.Fprint(w, "\"directories\": [")
			for j, found := range d.found[i] {
				fmt.Fprintf(w, "%s\n%s", comma(j), text(found.path))
			}
			fmt.Fprint(w, "]")
		}
		fmt.Fprint(w, "}")
	}
	fmt.Fprint(w, "}}\n")
}

// comma stands before all elements but the first.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// writeFiles writes a full file list as one text.
func (d *document) writeFiles(w *bufio.Writer, found []directory) {
	fmt.Fprint(w, `"files": "[Version]\n2\n\n[Files]\n`)
	for _, f := range found {
		rows := text(string(f.rows))
		// without the quotes around it; a Writer keeps its errors
		_, _ = w.Write(rows[1 : len(rows)-1])
	}
	fmt.Fprint(w, `\n[End]\n"`)
}

// writeSubmission writes what report_mirror sends.
func (d *document) writeSubmission(w *bufio.Writer, password string) {
	fmt.Fprintf(w, "{\"version\": 0,\n\"global\": {\"enabled\": \"1\", \"server\": %s},\n", text(d.server))
	fmt.Fprintf(w, "\"site\": {\"enabled\": \"1\", \"name\": %s, \"password\": %s},\n", text(d.site), text(password))
	fmt.Fprintf(w, "\"host\": {\"enabled\": \"1\", \"name\": %s", text(d.host))
	if d.userActive != "" {
		fmt.Fprintf(w, ", \"user_active\": %s", text(d.userActive))
	}
	fmt.Fprint(w, "},\n\"stats\": {}")
	for i, c := range d.categories {
		fmt.Fprintf(w, ",\n%s: {\"enabled\": \"1\", \"dirtree\": {", text(strings.ToLower(c.name)))
		for j, found := range d.found[i] {
			fmt.Fprintf(w, "%s\n%s: {}", comma(j), text(found.path))
		}
		fmt.Fprint(w, "}}")
	}
	fmt.Fprint(w, "}\n")
}

// show prints what would be sent.
func (d *document) show(out io.Writer) error {
	fmt.Fprintf(out, "POST %s\n", d.server)
	return d.write(out, "(not shown)")
}

// body encodes the document.
func (d *document) body() (*body, error) {
	if d.protocol == protocolXMLRPC {
		return d.call()
	}
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := d.write(z, ""); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return &body{b.Bytes(), map[string]string{
		"Content-Type": "application/json", "Content-Encoding": "zstd", "Authorization": "Bearer " + d.token,
	}}, nil
}

// call encodes the document as an XML-RPC call.
func (d *document) call() (*body, error) {
	var b bytes.Buffer
	b.WriteString("<?xml version='1.0'?>\n<methodCall>\n<methodName>checkin</methodName>\n<params>\n<param>\n<value><string>")
	base := base64.NewEncoder(base64.URLEncoding, &b)
	z := bzip2.NewWriter(base)
	if err := d.write(z, d.password); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := base.Close(); err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	b.WriteString("</string></value>\n</param>\n</params>\n</methodCall>\n")
	return &body{b.Bytes(), map[string]string{"Content-Type": "text/xml"}}, nil
}
