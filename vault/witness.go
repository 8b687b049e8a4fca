package vault

import (
	"context"
	"errors"

	"sigillo/store"
)

// witness stops the units whose archive knows more than this state does. If somebody
// starts them again they go on above what is in the archive.
func (s *service) witness(ctx context.Context, greatest map[string]int64) error {
	if len(greatest) > lastUnit {
		return fail(BadRequest, "there are not so many units")
	}
	var back []string
	s.moving.Lock()
	defer s.moving.Unlock()
	unknown := func(u *unit, t *tally) bool {
		g, ok := greatest[u.name]
		return ok && u.State != UnitRetired && g>>46 == int64(u.number) && g&maxCount > t.Last
	}
	err := s.look(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		for _, u := range us {
			if unknown(u, r.Units[u.name]) {
				back = append(back, u.name)
			}
		}
		return err
	})
	if err != nil || len(back) == 0 {
		return err
	}
	for _, name := range back {
		e := s.change(ctx, func(tx *store.Tx, r *root) error {
			t := r.Units[name]
			if t != nil {
				t.Last = max(t.Last, greatest[name]&maxCount)
			}
			return s.moveIn(tx, r, name, "vault", "tsu.stopped", func(u *unit) error {
				if u.State == UnitActive {
					u.State = UnitStopped
				}
				u.Reason = "the archive has serial numbers that the vault does not know of: its state was set back"
				return nil
			})
		})
		s.halt(ctx, name, "the vault's state was set back")
		err = errors.Join(err, e)
	}
	if err != nil {
		return because(err, "the units could not be stopped")
	}
	return failf(Tampered, "the vault's state is older than the archive: %d units were stopped. Check what else was set back before you start them again", len(back))
}

const maxCount = 1<<46 - 1 // of the counter in a serial number
