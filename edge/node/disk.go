package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// disk sends how full the file system below data_dir is: an edge that cannot
// write keeps answering, but starts from older data.
func (m *metrics) disk(s scrape) {
	var is unix.Statfs_t
	if unix.Statfs(m.n.config.DataDir, &is) != nil {
		return
	}
	s.send(prometheus.GaugeValue, "data_dir_free_bytes", "what may still be written below data_dir", float64(is.Bavail)*float64(is.Bsize), nil)
	s.send(prometheus.GaugeValue, "data_dir_size_bytes", "size of the file system below data_dir", float64(is.Blocks)*float64(is.Bsize), nil)
}
