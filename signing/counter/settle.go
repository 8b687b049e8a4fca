package counter

import (
	"context"
	"errors"
	"time"

	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
)

// Resolve ends the sessions that were under way when the service stopped, once, before
// anything is served: what the vault had opened for them is gone, or is closed now.
//
//   - A dossier whose transaction is delivered is done: the customer had signed.
//   - One whose signatures are durable is finished by [signing.Service.Settle], and ended
//     by Sweep.
//   - An enrolment whose key is made gets its certificate from Sweep.
//   - All others are cancelled ([WhyRestart]): nothing was signed.
func (s *Service) Resolve(ctx context.Context) (int, error) {
	return s.each(ctx, func(v *session) error {
		switch {
		case v.state() == Matched && (v.Purpose == string(Sign) || v.Credential != ""):
			return s.follow(ctx, v)
		case v.Transaction != "" && v.state() == Signing:
			t, err := s.cfg.Signing.Transaction(ctx, v.Holder, v.Transaction)
			if err != nil {
				return err
			}
			if t.State != signing.Prepared {
				return s.settled(ctx, v, t)
			}
		}
		return s.end(ctx, v, Cancelled, WhyRestart, "appliance")
	})
}

// each does something with every session that is under way and that nobody is busy with.
func (s *Service) each(ctx context.Context, do func(*session) error) (n int, err error) {
	var rows []store.CounterSession
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.CounterSessionsUnder()
		return err
	})
	if err != nil {
		return 0, fromStore(err)
	}
	var errs []error
	for _, r := range rows {
		release := s.locks.try(r.ID)
		if release == nil {
			continue
		}
		v, err := s.load(ctx, r.ID)
		if err == nil && !v.state().Ended() {
			err = do(v)
		}
		release()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// Sweep ends what took too long, or whose tablet is silent, and finishes what waits for
// something else. It is for the clock, every few seconds.
func (s *Service) Sweep(ctx context.Context) error {
	_, err := s.each(ctx, func(v *session) error { return s.follow(ctx, v) })
	return errors.Join(err, s.finishWithdrawals(ctx))
}

// follow looks after one session.
func (s *Service) follow(ctx context.Context, v *session) error {
	now := s.cfg.Now()
	switch {
	case v.state() == Matched && v.Purpose == string(Sign):
		t, err := s.cfg.Signing.Transaction(ctx, v.Holder, v.Transaction)
		if err != nil {
			return err
		}
		return s.settled(ctx, v, t)
	case v.Credential != "" && v.Purpose == string(Enrol):
		_, err := s.certify(ctx, v)
		return err
	case !now.Before(v.Expires):
		return s.end(ctx, v, Expired, WhyTime, "appliance")
	case v.state() == Reading || v.state() == Signing:
		if s.silence(v, now) > AwayLife {
			return s.end(ctx, v, Cancelled, WhyTablet, "appliance")
		}
	}
	return nil
}

// silence is how long the tablet of a session was not heard of.
func (s *Service) silence(v *session, now time.Time) time.Duration {
	heard, _ := s.hub.look(v.Tablet)
	if heard.Before(v.Changed) {
		heard = v.Changed
	}
	return now.Sub(heard)
}

// finishWithdrawals destroys what is left of those who have withdrawn, where that failed
// when they did. One that cannot be destroyed does not keep the others, but when the vault
// does not answer, none can.
func (s *Service) finishWithdrawals(ctx context.Context) error {
	var list []store.Credential
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.WithoutConsent(pki.ProfileCounter)
		return err
	})
	if err != nil {
		return fromStore(err)
	}
	var errs []error
	for _, c := range list {
		err := s.destroy(ctx, c, reasonCessation, "appliance", "consent withdrawn")
		errs = append(errs, err)
		if k := signing.KindOf(err); ctx.Err() != nil || k == signing.KeyUnavailable || k == signing.Busy {
			break
		}
	}
	return errors.Join(errs...)
}
