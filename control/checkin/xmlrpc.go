package checkin

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A call is an XML-RPC call with one text as its only parameter. encoding/xml
// would hold that text, which is nearly all of the request, in memory several
// times over; this reads it as it comes in:
//
//	c := call{in: bufio.NewReader(body)}
//	method, err := c.method()
//	text, err := c.text()     // to be read to its end
//	err = c.end()
//
// Of XML it knows what the callers write: a declaration, comments, elements.
type call struct {
	in     *bufio.Reader
	quoted bool // the text is inside <string>
}

// maxTag is how long a tag, a comment or a method's name may be.
const maxTag = 1024

// until returns what comes before the byte end, and takes both.
func (c *call) until(end byte) (string, error) {
	var b []byte
	for {
		got, err := c.in.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("it ends too early")
			}
			return "", fmt.Errorf("decoding XML: %w", err)
		}
		if got == end {
			return string(b), nil
		}
		if len(b) == maxTag {
			return "", fmt.Errorf("decoding XML: a tag is longer than %d bytes", maxTag)
		}
		b = append(b, got)
	}
}

// tag takes the next tag, with the white space, declarations and comments
// before it, and returns what is between < and >.
func (c *call) tag() (string, error) {
	for {
		before, err := c.until('<')
		if err != nil {
			return "", err
		}
		if before = strings.TrimSpace(strings.TrimPrefix(before, "\ufeff")); before != "" {
			return "", fmt.Errorf("decoding XML: want a tag, got %.40q", before)
		}
		tag, err := c.until('>')
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(tag, "!--"):
			for !strings.HasSuffix(tag, "--") || tag == "!--" {
				if tag, err = c.until('>'); err != nil {
					return "", err
				}
			}
		case !strings.HasPrefix(tag, "?"):
			return strings.TrimSpace(tag), nil
		}
	}
}

// tags takes these tags, one after the other.
func (c *call) tags(names ...string) error {
	for _, name := range names {
		got, err := c.tag()
		if err != nil {
			return err
		}
		if got != name {
			return fmt.Errorf("decoding XML: want <%s>, got <%.40s>", name, got)
		}
	}
	return nil
}

// method returns the name of the method that is called.
func (c *call) method() (string, error) {
	if err := c.tags("methodCall", "methodName"); err != nil {
		return "", err
	}
	name, err := c.until('<')
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(name), c.finish("/methodName")
}

// finish takes the rest of a tag whose < has been taken.
func (c *call) finish(name string) error {
	got, err := c.until('>')
	if err == nil && strings.TrimSpace(got) != name {
		err = fmt.Errorf("decoding XML: want <%s>, got <%.40s>", name, got)
	}
	return err
}

// text returns the call's parameter, <value><string>TEXT</string></value> or
// <value>TEXT</value>, up to the tag behind it.
func (c *call) text() (io.Reader, error) {
	if err := c.tags("params", "param", "value"); err != nil {
		return nil, err
	}
	for {
		next, _ := c.in.Peek(1)
		switch {
		case len(next) == 0:
			_, err := c.until('>') // says why
			return nil, err
		case bytes.IndexByte([]byte(" \t\r\n"), next[0]) >= 0:
			// white space before the text means nothing, either way
			_, _ = c.in.Discard(1)
			continue
		case next[0] == '<':
			c.quoted = true
			return &until{c.in}, c.tags("string")
		}
		return &until{c.in}, nil
	}
}

// end takes what follows the text.
func (c *call) end() error {
	if c.quoted {
		if err := c.tags("/string"); err != nil {
			return err
		}
	}
	return c.tags("/value", "/param", "/params", "/methodCall")
}

// until reads up to the next <, which it leaves.
type until struct{ in *bufio.Reader }

// Read implements [io.Reader].
func (u *until) Read(p []byte) (int, error) {
	next, err := u.in.Peek(1)
	if len(next) == 0 {
		return 0, err
	}
	next, _ = u.in.Peek(min(u.in.Buffered(), len(p)))
	end := bytes.IndexByte(next, '<')
	if end == 0 {
		return 0, io.EOF
	}
	if end > 0 {
		next = next[:end]
	}
	n := copy(p, next)
	_, err = u.in.Discard(n)
	return n, err
}

// The codes of faults, of "Specification for Fault Code Interoperability".
const (
	faultParse  = -32700
	faultMethod = -32601
	faultServer = -32500
)

// escaped returns text as XML.
func escaped(text string) string {
	var b strings.Builder
	// a Builder takes everything
	_ = xml.EscapeText(&b, []byte(text))
	// the clients look at the text without unescaping it
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}

// response is the answer to a call that returned text.
func response(text string) string {
	return "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><string>" + escaped(text) +
		"</string></value>\n</param>\n</params>\n</methodResponse>\n"
}

// fault is the answer to a call that failed.
func fault(code int, text string) string {
	return fmt.Sprintf("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n"+
		"<member>\n<name>faultCode</name>\n<value><int>%d</int></value>\n</member>\n"+
		"<member>\n<name>faultString</name>\n<value><string>%s</string></value>\n</member>\n"+
		"</struct></value>\n</fault>\n</methodResponse>\n", code, escaped(text))
}
