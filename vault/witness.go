package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"sigillo/store"
)

// witnessJournal says whether this journal has the entry that somebody else knows.
// If not, the whole state was set back: the time-stamping units are stopped until
// somebody has looked.
func (v *server) witnessJournal(ctx context.Context, known *store.Checkpoint) error {
	var e []store.JournalEntry
	err := v.db.Read(ctx, func(tx *store.Tx) (err error) {
		e, err = tx.Journal(known.Seq, 1)
		return err
	})
	if err != nil {
		return because(err, "the vault's journal cannot be read")
	}
	if len(e) == 1 && e[0].Seq == known.Seq && bytes.Equal(e[0].Hash, known.Hash) {
		return nil
	}
	if v.tsa != nil && v.tsa.fault == nil {
		_, err = v.tsa.stopSetBack(ctx, "an old copy of the vault's state was put in its place",
			func(u *unit, _ *tally) bool { return u.State == UnitActive }, func(string, *tally) {})
	}
	return firstError(err, failf(Tampered, "entry %d of the vault's journal is not the one that was noted: the vault's state was set back. The time-stamping units were stopped", known.Seq))
}

// witness compares the state with the archive, and keeps how far that goes.
func (s *service) witness(ctx context.Context, b *witnessRequest) error {
	if len(b.Greatest) > lastUnit {
		return fail(BadRequest, "there are not so many units")
	}
	if a := b.Archive; a.Seq < 0 || a.Seq > 0 && len(a.Hash) != sha256.Size || len(a.Ledger) > sha256.Size {
		return fail(BadRequest, "the archive has no such head")
	}
	if err := s.compare(ctx, b.Greatest); err != nil {
		return err
	}
	return s.shown(ctx, b.Archive)
}

// shown keeps how far the archive goes. It never goes back.
func (s *service) shown(ctx context.Context, a Archive) error {
	var known Archive
	err := s.look(ctx, func(_ *store.Tx, r *root) error {
		known = r.Archive
		return nil
	})
	same := bytes.Equal(a.Hash, known.Hash)
	switch {
	case err == nil && len(known.Ledger) > 0 && len(a.Ledger) > 0 && !bytes.Equal(a.Ledger, known.Ledger):
		return failf(Tampered, "the archive is %x, the vault was shown %x: another one was put in its place", a.Ledger, known.Ledger)
	case err != nil || a.Seq == known.Seq && (same || a.Seq == 0):
		return err
	case a.Seq < known.Seq:
		return failf(Tampered, "the archive ends with entry %d, the vault was shown entry %d: entries are missing", a.Seq, known.Seq)
	case a.Seq == known.Seq:
		return failf(Tampered, "entry %d of the archive is not the one that the vault was shown", a.Seq)
	}
	t, err := s.report(ctx)
	if err != nil {
		return err
	}
	a.Made = t.Made()
	return s.change(ctx, func(_ *store.Tx, r *root) error {
		if a.Seq > r.Archive.Seq {
			r.Archive = a
		}
		return nil
	})
}

// compare stops the units whose archive knows more than this state does. If somebody
// starts them again they go on above what is in the archive. A number below those that
// this process gave is proof as well, when it lies above those known before: what a
// vault jumps over at its start was given by another state.
func (s *service) compare(ctx context.Context, greatest map[string]int64) error {
	jumps := map[string][]jump{}
	stopped, err := s.stopSetBack(ctx, "the archive has serial numbers that the vault does not know of: its state was set back",
		func(u *unit, t *tally) bool {
			g, ok := greatest[u.name]
			if len(t.Jumps) > 0 {
				jumps[u.name] = t.Jumps
			}
			return ok && u.State != UnitRetired && g>>46 == int64(u.number) && !t.gave(g&maxCount)
		},
		func(name string, t *tally) {
			t.Last, t.Jumps = max(t.Last, greatest[name]&maxCount), nil
		})
	if err != nil {
		return err
	}
	if stopped == 0 {
		return s.compared(ctx, jumps)
	}
	return failf(Tampered, "the vault's state is older than the archive: %d units were stopped. Check what else was set back before you start them again", stopped)
}

// compared forgets the jumps that the archive was compared with: from now on its
// greatest number may be one that was given after them.
func (s *service) compared(ctx context.Context, jumps map[string][]jump) error {
	if len(jumps) == 0 {
		return nil
	}
	return s.change(ctx, func(_ *store.Tx, r *root) error {
		for name, old := range jumps {
			if t := r.Units[name]; t != nil {
				t.Jumps = slices.DeleteFunc(t.Jumps, func(j jump) bool { return slices.Contains(old, j) })
			}
		}
		return nil
	})
}

// stopSetBack stops the units that are meant, durably and then at once, and mends
// what is known of them. It says how many they were.
func (s *service) stopSetBack(ctx context.Context, reason string, meant func(*unit, *tally) bool, mend func(string, *tally)) (int, error) {
	s.moving.Lock()
	defer s.moving.Unlock()
	var names []string
	err := s.look(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		for _, u := range us {
			if meant(u, r.Units[u.name]) {
				names = append(names, u.name)
			}
		}
		return err
	})
	for _, name := range names {
		e := s.change(ctx, func(tx *store.Tx, r *root) error {
			if t := r.Units[name]; t != nil {
				mend(name, t)
			}
			return s.moveIn(tx, r, name, "vault", "tsu.stopped", func(u *unit) error {
				if u.State == UnitActive {
					u.State = UnitStopped
				}
				u.Reason = reason
				return nil
			})
		})
		s.halt(ctx, name, reason)
		err = errors.Join(err, e)
	}
	return len(names), because(err, "the units could not be stopped")
}

const maxCount = 1<<46 - 1 // of the counter in a serial number
