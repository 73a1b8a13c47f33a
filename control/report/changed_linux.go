package report

import (
	"io/fs"
	"syscall"
)

// attributesChanged returns when the attributes of a file changed, in Unix
// seconds; 0 if that is not known.
func attributesChanged(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(s.Ctim.Sec) //nolint:unconvert // it is an int32 on some machines
	}
	return 0
}
