package service

import "golang.org/x/sys/unix"

// disk sends how full the file system below data_dir is, where SQLite writes.
func (f *figures) disk(send gauge) {
	var is unix.Statfs_t
	if unix.Statfs(f.s.config.DataDir, &is) != nil {
		return
	}
	send("data_dir_free_bytes", "what may still be written below data_dir", float64(is.Bavail)*float64(is.Bsize))
	send("data_dir_size_bytes", "size of the file system below data_dir", float64(is.Blocks)*float64(is.Bsize))
}
