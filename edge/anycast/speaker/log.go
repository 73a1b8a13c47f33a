package speaker

import (
	"log/slog"

	gobgp "github.com/osrg/gobgp/v3/pkg/log"
)

// A logger gives gobgp's lines to a log.
type logger struct{ log *slog.Logger }

var _ gobgp.Logger = logger{}

func (l logger) attributes(fields gobgp.Fields) (out []any) {
	for name, value := range fields {
		if name != gobgp.FieldFacility {
			out = append(out, name, value)
		}
	}
	return out
}

// Panic logs; what gobgp takes for the end of the world is an error here.
func (l logger) Panic(msg string, fields gobgp.Fields) { l.Error(msg, fields) }

// Fatal logs, too.
func (l logger) Fatal(msg string, fields gobgp.Fields) { l.Error(msg, fields) }

// Error logs an error.
func (l logger) Error(msg string, fields gobgp.Fields) { l.log.Error(msg, l.attributes(fields)...) }

// Warn logs a warning.
func (l logger) Warn(msg string, fields gobgp.Fields) { l.log.Warn(msg, l.attributes(fields)...) }

// Info logs what is usual.
func (l logger) Info(msg string, fields gobgp.Fields) { l.log.Info(msg, l.attributes(fields)...) }

// Debug logs nothing: gobgp tells each message.
func (logger) Debug(string, gobgp.Fields) {}

// SetLevel does nothing.
func (logger) SetLevel(gobgp.LogLevel) {}

// GetLevel returns what is worth a line.
func (logger) GetLevel() gobgp.LogLevel { return gobgp.InfoLevel }
