package appliance

import (
	"context"
	"net"
	"time"

	"sigillo/store"
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
		{"unfinished signatures", time.Minute, a.finishSigned},
		{"expired sessions", time.Hour, a.forgetSessions},
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

func (a *Appliance) finishSigned(ctx context.Context) error {
	_, err := a.Signing.FinishSigned(ctx)
	return err
}

// checkpoint has the head of the journal signed by the token, so that its tail
// can't be cut off unseen.
func (a *Appliance) checkpoint(ctx context.Context) error {
	s, err := a.Vault.Signer(ctx, journal)
	if err != nil {
		return err
	}
	return a.journal.Checkpoint(ctx, s, journal)
}

func (a *Appliance) forgetSessions(ctx context.Context) error {
	return a.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.DeleteExpiredSessions(a.opt.Now())
		return err
	})
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
