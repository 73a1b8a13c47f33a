package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// A content gives what is in files. Paths are below the category's top.
type content interface {
	// stat returns the state of a file that was listed so.
	stat(path string, listed *registry.File) (fileID, error)

	// open opens a file.
	open(ctx context.Context, path string, listed *registry.File) (io.ReadCloser, fileID, error)

	// fatal reports whether an error means that the master is going away.
	fatal(err error) bool

	close()
}

// openContent opens a directory or a URL; "" holds nothing.
func openContent(where string, client *http.Client) (content, error) {
	switch {
	case where == "":
		return noContent{}, nil
	case strings.HasPrefix(where, "http://"), strings.HasPrefix(where, "https://"):
		base, err := url.Parse(strings.TrimSuffix(where, "/") + "/")
		if err != nil {
			return nil, fmt.Errorf("content: %w", err)
		}
		return &webContent{base, client}, nil
	}
	root, err := os.OpenRoot(where)
	if err != nil {
		return nil, err
	}
	return &diskContent{root}, nil
}

// errNoContent says that files cannot be read here.
var errNoContent = errors.New("no content configured")

// A noContent has no files.
type noContent struct{}

func (noContent) stat(string, *registry.File) (fileID, error) { return fileID{}, errNoContent }

func (noContent) open(context.Context, string, *registry.File) (io.ReadCloser, fileID, error) {
	return nil, fileID{}, errNoContent
}

func (noContent) fatal(error) bool { return false }
func (noContent) close()           {}

// A diskContent is a directory. Links lead nowhere outside of it: os.Root.
type diskContent struct{ root *os.Root }

func (c *diskContent) stat(path string, _ *registry.File) (fileID, error) {
	info, err := c.root.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	return stateOf(info), nil
}

// stateOf is the identity of a file's content: permissions do not matter.
func stateOf(info fs.FileInfo) fileID {
	id := identify(info)
	id.mode = 0
	return id
}

func (c *diskContent) open(_ context.Context, path string, _ *registry.File) (io.ReadCloser, fileID, error) {
	f, err := c.root.OpenFile(path, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, fileID{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file any more: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		_ = f.Close()
		return nil, fileID{}, err
	}
	return f, stateOf(info), nil
}

func (c *diskContent) fatal(err error) bool {
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

func (c *diskContent) close() { _ = c.root.Close() }

// stillThere returns an error unless the directory is where it was opened.
func (c *diskContent) stillThere() error {
	opened, err := c.root.Stat(".")
	if err != nil {
		return fmt.Errorf("the top went away: %w", err)
	}
	now, err := os.Stat(c.root.Name())
	if err != nil {
		return fmt.Errorf("the top went away: %w", err)
	}
	if !os.SameFile(opened, now) {
		return fmt.Errorf("%s was replaced by another directory meanwhile", c.root.Name())
	}
	return nil
}

// A webContent is what an HTTP server has. A file's state is the one that was listed,
// if what is read agrees.
type webContent struct {
	base   *url.URL
	client *http.Client
}

func (c *webContent) stat(_ string, listed *registry.File) (fileID, error) {
	return fileID{size: listed.Size, mtime: listed.Changed * int64(time.Second)}, nil
}

func (c *webContent) open(ctx context.Context, path string, listed *registry.File) (io.ReadCloser, fileID, error) {
	target := c.base.JoinPath(strings.Split(path, "/")...)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, fileID{}, err
	}
	// bytes as they are in the file, and no cache in between
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fileID{}, err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "" {
		_ = resp.Body.Close()
		return nil, fileID{}, fmt.Errorf("GET %s: %s", target, strconv.Itoa(resp.StatusCode))
	}
	id, _ := c.stat(path, listed)
	if n := resp.ContentLength; n >= 0 {
		id.size = n
	}
	if at, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil && listed.Changed != 0 {
		id.mtime = at.UnixNano()
	}
	return resp.Body, id, nil
}

func (c *webContent) fatal(error) bool { return false }
func (c *webContent) close()           { c.client.CloseIdleConnections() }
