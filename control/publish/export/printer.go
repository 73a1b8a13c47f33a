package export

import (
	"fmt"
	"io"
)

// A printer writes lines until its writer fails.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) { p.print(format+"\n", args...) }

func (p *printer) print(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// failed returns the writer's error.
func (p *printer) failed(what string) error {
	if p.err != nil {
		return fmt.Errorf("writing the export for %s: %w", what, p.err)
	}
	return nil
}
