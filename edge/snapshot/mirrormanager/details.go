package mirrormanager

import (
	"fmt"
	"math"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// details reads an entry of FileDetailsCache: a directory and its files.
func (d *decoder) details(m *fields) {
	first, named := len(d.files), false
	directory := ""
	for m.next() {
		switch m.num {
		case 1:
			directory, named = strings.Trim(string(m.text("directory")), "/"), true
		case 2:
			f := m.message("FileDetailsCache.FileDetailsCacheFiles")
			d.files = append(d.files, d.file(&f))
		default:
			m.skip()
		}
	}
	m.require(named, "directory")
	for i := range d.files[first:] {
		d.files[first+i].directory = directory
	}
}

func (d *decoder) file(m *fields) (f file) {
	named := false
	for m.next() {
		switch m.num {
		case 1:
			f.name, named = string(m.text("filename")), true
		case 2:
			v := m.message("FileDetailsCache.FileDetailsCacheFiles.FileDetails")
			f.versions = append(f.versions, d.version(&v))
		default:
			m.skip()
		}
	}
	m.require(named, "filename")
	return f
}

// version reads one FileDetails. The mirrorlist-server leaves out a size of 0,
// so that means unknown.
func (d *decoder) version(m *fields) snapshot.Version {
	v := snapshot.Version{Size: -1}
	timed, sized := false, false
	for m.next() {
		switch m.num {
		case 1:
			v.MTime, timed = int64(min(m.uint("TimeStamp"), math.MaxInt64)), true
		case 2:
			size := m.uint("Size")
			sized = true
			if 0 < size && size <= math.MaxInt64 {
				v.Size = int64(size)
			}
		case 3:
			d.hash(m, &v, snapshot.SHA1)
		case 4:
			d.hash(m, &v, snapshot.MD5)
		case 5:
			d.hash(m, &v, snapshot.SHA256)
		case 6:
			d.hash(m, &v, snapshot.SHA512)
		default:
			m.skip()
		}
	}
	m.require(timed, "TimeStamp")
	m.require(sized, "Size")
	return v
}

func (d *decoder) hash(m *fields, v *snapshot.Version, k snapshot.HashKind) {
	text := m.text(k.String())
	if err := v.SetHash(k, string(text)); err != nil {
		d.report.odd("file hash dropped", fmt.Sprintf("%.150s", err))
	}
}
