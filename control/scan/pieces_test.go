package scan_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
)

func TestPieces(t *testing.T) {
	outside, top := t.TempDir(), t.TempDir()
	at := time.Unix(1e9, 0)
	for path, text := range map[string]string{
		filepath.Join(outside, "secret"): "secret", filepath.Join(top, "file"): "abcdef", filepath.Join(top, "newer"): "abcdef",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at.Add(map[bool]time.Duration{true: time.Hour}[filepath.Base(path) == "newer"])); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"away": filepath.Join(outside, "secret"), "up": "../" + filepath.Base(outside) + "/secret", "near": "file"} {
		if err := os.Symlink(to, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	pieces, err := scan.OpenPieces(scan.Config{Type: scan.FileList, Path: "list", Content: top})
	if err != nil {
		t.Fatal(err)
	}
	defer pieces.Close()
	for _, tt := range []struct {
		path    string
		size    int64
		changed int64
		want    string // "": an error
	}{
		{"file", 6, at.Unix(), "cd"},
		{"near", 6, at.Unix(), "cd"},
		{"file", 7, at.Unix(), ""},
		{"newer", 6, at.Unix(), ""},
		{"newer", 6, 0, "cd"}, // as trees of full file lists have it
		{"newer", 7, 0, ""},
		{"away", 6, at.Unix(), ""},
		{"up", 6, at.Unix(), ""},
		{"../" + filepath.Base(outside) + "/secret", 6, at.Unix(), ""},
		{"none", 6, at.Unix(), ""},
	} {
		piece := make([]byte, 2)
		n, err := pieces.ReadFileAt(tt.path, &registry.File{Size: tt.size, Changed: tt.changed}, piece, 2)
		if got := string(piece[:n]); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s of %d bytes, changed at %d: got %q, %v, want %q", tt.path, tt.size, tt.changed, got, err, tt.want)
		}
	}
	for _, c := range []scan.Config{
		{Type: scan.Rsync, URL: "rsync://m/os/"}, {Type: scan.FileList, Path: "list", Content: "https://m/os"},
	} {
		if pieces, err := scan.OpenPieces(c); pieces != nil || err != nil {
			t.Errorf("%+v: got %v, %v, want nothing", c, pieces, err)
		}
	}
	if _, err := scan.OpenPieces(scan.Config{Type: scan.Directory, Path: filepath.Join(top, "none")}); err == nil {
		t.Error("a directory that is not there was opened")
	}
}
