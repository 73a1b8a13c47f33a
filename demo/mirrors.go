package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// top is the category that is really here.
const top = "pub/demo"

// A mirror is one of the file servers.
type mirror struct {
	name, country string
	url           string
	lacks         string // a file that it does not have
}

// master returns the files of the master.
func master() map[string]string {
	hello := "Hello. This file came from a mirror on your own machine.\n"
	image := strings.Repeat("This would be an image.\n", 4096)
	return map[string]string{
		"releases/1/hello.txt": hello,
		"releases/1/demo.iso":  image,
		"releases/1/SHA256SUMS": fmt.Sprintf("%x  hello.txt\n%x  demo.iso\n",
			sha256.Sum256([]byte(hello)), sha256.Sum256([]byte(image))),
		"releases/1/x86_64/repodata/repomd.xml": `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision></repomd>
`,
		"releases/1/x86_64/Packages/demo-1-1.noarch.rpm": "not really a package\n",
	}
}

// startMirrors writes the master and its mirrors below dir, and serves the
// mirrors until ctx ends.
func startMirrors(ctx context.Context, group *errgroup.Group, dir string) ([]mirror, error) {
	mirrors := []mirror{
		{name: "here-de", country: "DE"},
		{name: "here-us", country: "US"},
		{name: "here-jp", country: "JP", lacks: "releases/1/demo.iso"}, // not yet synchronised
	}
	if err := writeTree(filepath.Join(dir, "master"), ""); err != nil {
		return nil, err
	}
	for i := range mirrors {
		m := &mirrors[i]
		root := filepath.Join(dir, m.name)
		if err := writeTree(root, m.lacks); err != nil {
			return nil, err
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("listening for the mirror %s: %w", m.name, err)
		}
		m.url = "http://" + l.Addr().String() + "/demo"
		group.Go(func() error { return serve(ctx, l, http.StripPrefix("/demo", http.FileServer(http.Dir(root)))) })
	}
	return mirrors, nil
}

// serve serves HTTP until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// writeTree writes the master's files but one, as if an hour ago: so they are complete.
func writeTree(root, lacks string) error {
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for name, text := range master() {
		if name == lacks {
			continue
		}
		full := filepath.Join(root, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(full), 0o755) //nolint:gosec // G301: the world may read what a mirror has
		if err == nil {
			err = os.WriteFile(full, []byte(text), 0o644) //nolint:gosec // G306: as above
		}
		if err == nil {
			err = os.Chtimes(full, at, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
