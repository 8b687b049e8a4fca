package appliance

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// job is something done by the clock.
type job struct {
	name  string
	every time.Duration
	do    func(context.Context) error
}

// startJobs runs the appliance's clockwork. Each job runs alone; a failure is
// logged and tried again at the next turn.
func (a *Appliance) startJobs(ctx context.Context) {
	jobs := []job{
		// Lists are good for two hours; made anew every 45 minutes, one failed
		// run does no harm.
		{"revocation lists", 45 * time.Minute, a.PKI.PublishCRLs},
		{"journal checkpoint", 10 * time.Minute, a.checkpoint},
		// What `sigillo tsa account` changed beside us.
		{"customers' accounts", 2 * time.Second, a.Customers.Refresh},
		{"time-stamping units", time.Hour, a.rollUnits},
		{"state of the time-stamping authority", time.Minute, a.tellStamping},
		{"unfinished signatures", time.Minute, a.settle},
		{"old page images", time.Hour, a.forgetPages},
		{"expired sessions", time.Hour, a.forgetSessions},
		{"expired tokens", time.Hour, a.forgetTokens},
		{"approved proposals", time.Minute, a.resumeProposals},
		{"sessions at counters", 5 * time.Second, a.Counter.Sweep},
		{"callbacks of counters", 2 * time.Second, a.Counter.CallBack},
	}
	for _, j := range jobs {
		a.jobs.Go(func() { a.run(ctx, j) })
	}
}

func (a *Appliance) run(ctx context.Context, j job) {
	t := time.NewTicker(j.every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := j.do(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("job failed", "job", j.name, "err", err)
			}
		}
	}
}

// stuck is how long a transaction may be under way: longer than any request
// may take.
const stuck = 5 * time.Minute

func (a *Appliance) settle(ctx context.Context) error {
	_, err := a.Signing.Settle(ctx, stuck)
	return err
}

// forgetPages removes what was kept of documents a day ago: page images, and
// refused documents that nobody wanted converted.
func (a *Appliance) forgetPages(context.Context) error {
	old := a.opt.Now().Add(-24 * time.Hour)
	var folders []string
	defer func() {
		for _, dir := range slices.Backward(folders) {
			_ = os.Remove(dir) // only when it is empty
		}
	}()
	return filepath.WalkDir(a.Layout.Pages(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == a.Layout.Pages() {
			return nil
		}
		info, err := e.Info()
		switch {
		case err != nil || !info.ModTime().Before(old):
			return nil
		case e.IsDir(): // an empty one that is young is about to be used
			folders = append(folders, path)
			return nil
		}
		return os.Remove(path)
	})
}

// checkpoint has the head of the journal signed by the token, so that its tail
// can't be cut off unseen, and shows the vault how far the record of time-stamps goes.
// That is done for a record whose file has gone, too: others then know what it held.
func (a *Appliance) checkpoint(ctx context.Context) (err error) {
	if a.Ledger != nil {
		gone := a.Ledger.Look()
		defer func() { err = errors.Join(err, gone) }()
		if err := a.noteHead(ctx); err != nil {
			return err
		}
	}
	if err := a.noteVaultHead(ctx); err != nil {
		return err
	}
	s, err := a.Vault.Signer(ctx, journal)
	if err != nil {
		return err
	}
	if err := a.journal.Checkpoint(ctx, s, journal); err != nil || a.Ledger == nil {
		return err
	}
	if err := a.keepOwnHead(ctx); err != nil { // one witness less; the index may be on a full disk
		a.log.Error("the end of the journal could not be kept beside the index of time-stamps", "err", err)
	}
	return a.witness(ctx)
}

// answers says whether something accepts connections on a Unix socket.
func answers(socket string) bool {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
