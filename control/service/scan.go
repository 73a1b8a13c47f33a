package service

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

// maxLoss is the part of a master's files or directories that may vanish
// between two scans before a person has to say that this is meant.
const maxLoss = 0.3

// How long a version of metadata that was replaced is an alternate in metalinks,
// and how many there are, where the configuration of the master does not say.
const (
	maxStale    = 4 * 24 * time.Hour
	maxVersions = 20
)

// scanTask returns the task of a scan.
func scanTask(o web.Scan) (store.Task, error) {
	payload, err := json.Marshal(o)
	return store.Task{Kind: web.JobScan, Key: o.Category, Payload: string(payload), Attempts: 1}, err
}

// A lastScan is what the last scan of a category left, while that is the one
// whose tree the store has: another process may have scanned since.
type lastScan struct {
	state   *scan.State
	scanned time.Time // as the store has it
}

// scan scans a master and keeps what it holds. One scan of a process is under way
// at a time.
func (s *Service) scan(ctx context.Context, order web.Scan) (string, error) {
	category := order.Category
	i := s.master(category)
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
	_, done := s.board.begin("scan of " + category)
	defer done()
	last, err := s.lastScan(ctx, category)
	if err != nil {
		return "", err
	}
	result, err := scanner.Scan(ctx, scan.Request{Last: last, Now: time.Now()})
	if err != nil {
		return "", err
	}
	if err = s.believe(ctx, c, result, order.AcceptLoss); err != nil {
		return "", err
	}
	if err = s.keepScan(ctx, c, result); err != nil {
		return "", err
	}
	said, err := s.addRepositories(ctx, c, result)
	if err != nil {
		return "", err
	}
	s.publishSoon()
	s.reportScan(category, &result.Report)
	if result.Unsettled() { // something was too young to be believed
		if err = s.scanSoon(ctx, category); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d directories, %d repositories; %d directories as before, %d files read%s",
		len(result.Tree.Directories), len(result.Found.Repositories), result.Report.Reused, result.Report.Read, said), nil
}

// reportScan logs what a scan found odd.
func (s *Service) reportScan(category string, r *scan.Report) {
	for _, w := range r.Warnings {
		s.log.Warn("scan", "category", category, "warning", w)
	}
	if len(r.Skipped)+len(r.Withheld)+r.Missing > 0 {
		s.log.Info("scan: left out", "category", category, "paths", r.Skipped, "hashes", r.Withheld,
			"hashes_of_no_file", r.Missing, "such_as", r.Examples)
	}
}

// scanSoon queues a scan for when what is too young now will have settled. One
// that somebody has asked for meanwhile goes on as it was asked for.
func (s *Service) scanSoon(ctx context.Context, category string) error {
	soon, err := scanTask(web.Scan{Category: category})
	if err != nil {
		return err
	}
	soon.At = time.Now().Add(time.Minute)
	return s.store.EnqueueUnited(ctx, soon, func(queued string) (string, error) { return queued, nil })
}

// master returns the position of a category's master, -1 if it is not one of this
// process.
func (s *Service) master(category string) int {
	return slices.IndexFunc(s.config.Masters, func(m scan.Config) bool { return m.Category == category })
}

// lastScan returns what the last scan of a category left, by whatever process;
// nil if there was none or it cannot be read, and all is to be read anew.
func (s *Service) lastScan(ctx context.Context, category string) (*scan.State, error) {
	scans, err := s.store.Scans(ctx)
	if err != nil {
		return nil, err
	}
	at, ok := scans[category]
	if last := s.scans[category]; ok && last.state != nil && last.scanned.Equal(at) {
		return last.state, nil
	}
	delete(s.scans, category)
	data, err := s.store.ScanState(ctx, category)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // there was none
	}
	if err != nil {
		return nil, err
	}
	state := &scan.State{}
	if err = state.UnmarshalBinary(data); err != nil {
		s.log.Warn("scanning all anew", "category", category, "error", err)
		return nil, nil //nolint:nilnil // as above
	}
	return state, nil
}

// believe returns an error if so much has vanished since the last scan that a
// person has to look first, and tells people when that begins: before it is
// noted, so that who dies between tells twice rather than never. Until then the
// old tree stays.
func (s *Service) believe(ctx context.Context, c *registry.Category, r *scan.Result, acceptLoss bool) error {
	old, err := s.store.Tree(ctx, c.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	reason := ""
	if old != nil && !acceptLoss {
		if change := scan.Compare(old, &r.Tree); change.Loss() > maxLoss {
			reason = fmt.Sprintf("the master of %s has lost %d of %d files and %d of %d directories",
				c.Name, change.LostFiles, change.OldFiles, change.LostDirectories+change.Closed, change.OldDirectories)
		}
	}
	if reason == "" {
		return s.store.HoldScan(ctx, c.Name, "")
	}
	held, err := s.store.HeldScans(ctx)
	if err == nil && held[c.Name] == "" {
		err = s.tell(ctx, notify.Message{
			Event: notify.ScanHeld, About: c.Name, At: r.Tree.Scanned, Subject: "The scan of " + c.Name + " is not believed",
			Text: "At " + r.Tree.Scanned.UTC().Format(time.RFC3339) + " " + reason + ". What it held before stays published.\n" +
				"If it is meant to be so, say that: waypost ctl scan " + c.Name + " --accept-loss\n",
		})
	}
	if err == nil {
		err = s.store.HoldScan(ctx, c.Name, reason)
	}
	return errors.Join(fmt.Errorf("%s; the scan is not believed without accept_loss", reason), err)
}

// keepScan keeps what a scan found.
func (s *Service) keepScan(ctx context.Context, c *registry.Category, r *scan.Result) error {
	if err := s.noteVersions(ctx, c, r); err != nil {
		return err
	}
	if err := s.store.PutTree(ctx, &r.Tree); err != nil {
		return err
	}
	scans, err := s.store.Scans(ctx)
	if err != nil {
		return err
	}
	s.scans[c.Name] = lastScan{r.State, scans[c.Name]}
	state, err := r.State.MarshalBinary()
	if err == nil {
		err = s.store.PutScanState(ctx, c.Name, state)
	}
	if err != nil { // it only saves work
		s.log.Warn("the state of a scan is not kept", "category", c.Name, "error", err)
	}
	return nil
}

// noteVersions notes which versions of metadata are the current ones, and
// forgets what has been replaced for so long that no mirror should have it.
// Versions before are there since they were current, unless somebody expired
// them.
func (s *Service) noteVersions(ctx context.Context, c *registry.Category, r *scan.Result) error {
	history, err := s.store.HistoryBelow(ctx, c.Path)
	if err != nil {
		return err
	}
	for file, v := range r.Metadata {
		whole, sum := path.Join(c.Path, file), v.Hashes[snapshot.SHA256]
		if known := history[whole]; sum == nil || len(known) > 0 && bytes.Equal(known[0].Hashes[snapshot.SHA256], sum) {
			continue
		}
		f := registry.File{Size: v.Size, Changed: v.MTime, Hashes: (*registry.Hashes)(&v.Hashes)}
		if err = s.store.NoteFile(ctx, whole, f, r.Tree.Scanned); err != nil {
			return err
		}
	}
	rules := s.config.Masters[s.master(c.Name)].History
	if _, err = s.store.AgeHistory(ctx, c.Path, r.Tree.Scanned.Add(-cmp.Or(rules.MaxStale, maxStale))); err != nil {
		return err
	}
	return s.store.LimitHistory(ctx, c.Path, cmp.Or(rules.MaxVersions, maxVersions))
}
