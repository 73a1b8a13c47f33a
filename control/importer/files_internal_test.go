package importer

import (
	"strings"
	"testing"
)

// A foreign list of files gives good files or an error.
func FuzzReadFiles(f *testing.F) {
	f.Add(`[{"name": "a", "size": "30", "timestamp": 300}]`)
	f.Add(`[{"name": "../a", "size": -1, "timestamp": 1e99}]`)
	f.Add("(dp0")
	f.Fuzz(func(t *testing.T, text string) {
		files, err := readFiles(text)
		if err != nil && files != nil {
			t.Error("files and an error")
		}
		for _, file := range files {
			if file.Name == "" || strings.Contains(file.Name, "/") || file.Size < 0 || file.Changed < 0 {
				t.Errorf("%+v", file)
			}
		}
	})
}
