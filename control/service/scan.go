package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

// maxLoss is the part of a master's files or directories that may vanish
// between two scans before a person has to say that this is meant.
const maxLoss = 0.3

// scanTask returns the task of a scan.
func scanTask(o web.Scan) (store.Task, error) {
	payload, err := json.Marshal(o)
	return store.Task{Kind: web.JobScan, Key: o.Category, Payload: string(payload), Attempts: 1}, err
}

// scan scans a master and keeps what it holds.
func (s *Service) scan(ctx context.Context, order web.Scan) (string, error) {
	category := order.Category
	i := slices.IndexFunc(s.config.Masters, func(m scan.Config) bool { return m.Category == category })
	world, _, err := s.store.World(ctx)
	if err != nil {
		return "", err
	}
	c, ok := registry.Find[*registry.Category](world, category)
	if i < 0 || !ok {
		return "", fmt.Errorf("category %s: want it in the registry, and among the masters of this process", category)
	}
	scanner, err := scan.New(s.config.Masters[i], c.Path)
	if err != nil {
		return "", err
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	result, err := scanner.Scan(ctx, scan.Request{Last: s.scans[category], Now: time.Now()})
	if err != nil {
		return "", err
	}
	if err = s.keepScan(ctx, c, result); err != nil {
		return "", err
	}
	s.scans[category] = result.State
	s.publishSoon()
	for _, w := range result.Report.Warnings {
		s.log.Warn("scan", "category", category, "warning", w)
	}
	if result.Unsettled() { // something was too young to be believed
		soon, err := scanTask(web.Scan{Category: category})
		if err != nil {
			return "", err
		}
		soon.At = time.Now().Add(time.Minute)
		if err = s.store.Enqueue(ctx, soon); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d directories, %d repositories", len(result.Tree.Directories), len(result.Found.Repositories)), nil
}

// keepScan keeps a scan, unless too much has vanished.
func (s *Service) keepScan(ctx context.Context, c *registry.Category, r *scan.Result) error {
	old, err := s.store.Tree(ctx, c.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if old != nil {
		change := scan.Compare(old, &r.Tree)
		if change.Loss() > maxLoss {
			return fmt.Errorf("the master of %s has lost %d of %d files and %d of %d directories; the scan is not believed",
				c.Name, change.LostFiles, change.OldFiles, change.LostDirectories+change.Closed, change.OldDirectories)
		}
	}
	if err = s.store.PutTree(ctx, &r.Tree); err != nil {
		return err
	}
	for file, versions := range r.Metadata {
		for _, v := range slices.Backward(versions) {
			f := registry.File{Size: v.Size, Changed: v.MTime, Hashes: (*registry.Hashes)(&v.Hashes)}
			if v.Hashes[snapshot.SHA256] == nil {
				continue
			}
			if err = s.store.NoteFile(ctx, path.Join(c.Path, file), f, time.Unix(v.Seen, 0)); err != nil {
				return err
			}
		}
	}
	return s.addRepositories(ctx, r)
}

// addRepositories adds the repositories that the registry does not have.
func (s *Service) addRepositories(ctx context.Context, r *scan.Result) error {
	world, _, err := s.store.World(ctx)
	if err != nil {
		return err
	}
	for _, found := range r.Found.Repositories {
		if _, ok := registry.Find[*registry.Repository](world, found.Key()); ok {
			continue
		}
		if _, err = s.store.Apply(ctx, "scan", store.Put(&found, 0)); err != nil && !errors.Is(err, store.ErrConflict) {
			s.log.Warn("a repository that was found is not added", "repository", found.Key(), "error", err)
		}
	}
	return nil
}
