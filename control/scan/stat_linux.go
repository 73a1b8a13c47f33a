package scan

import (
	"io/fs"
	"syscall"
)

// identify returns what tells one state of a file from another.
func identify(info fs.FileInfo) fileID {
	id := fileID{size: info.Size(), mtime: info.ModTime().UnixNano(), mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.ctime, id.inode, id.device = st.Ctim.Nano(), st.Ino, st.Dev
	}
	return id
}
