package vault

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/store"
	"sigillo/tsa/clock"
)

// What the vault remembers of the time-stamping service is one row, the root, and
// one for each unit. Each row is under a MAC whose key only the token gives, and the
// root says which revision of every unit's row is the last: one row that is changed,
// removed or put back as it once was is noticed, and the service does nothing then.
// What no MAC can notice is that all rows go back together, as when an old copy of
// the file is restored; serial numbers are safe then as well, see floor.

// root is the record of the root row.
type root struct {
	Node     uint32            `json:"node"`
	NextUnit uint32            `json:"nextUnit"` // number of the next unit on this node
	Units    map[string]*tally `json:"units"`
	Verifier *verifier         `json:"verifier,omitempty"` // of the passphrase
	Boot     string            `json:"boot,omitempty"`     // start of the machine the session belongs to
	Session  []byte            `json:"session,omitempty"`  // what the ticket is made of
	Stop     clock.Stop        `json:"stop"`               // the clock's latch
	Archive  Archive           `json:"archive"`            // as far as it was shown

	version int64 // of the row it was read from
}

// tally is what changes of a unit while it stamps.
type tally struct {
	Revision int64 `json:"revision"` // of the unit's row
	Since    int64 `json:"since"`    // when it was made, ms
	Last     int64 `json:"last"`     // greatest number reserved
	Until    int64 `json:"until"`    // promise about its times, ms; 0: none
	Stamps   int64 `json:"stamps"`   // made and told to the journal

	// Jumps are what processes have left out at their start, see floor, since the
	// archive was compared last: the last maxJumps. No vault that knows its state has
	// given a number in one of them.
	Jumps []jump `json:"jumps,omitempty"`
}

// jump is the greatest number reserved before and the first one after it.
type jump struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

const maxJumps = 16

// verifier recognises the passphrase of the responsible.
type verifier struct {
	Salt     []byte      `json:"salt"`
	Argon    auth.Argon2 `json:"argon2"`
	MAC      []byte      `json:"mac"` // by the token, over what the passphrase gives
	Failures int         `json:"failures"`
	Locked   int64       `json:"lockedUntil"` // ms; 0: not
}

// unit is the record of a unit's row.
type unit struct {
	Revision    int64       `json:"revision"`
	Request     string      `json:"request"` // that made it
	State       UnitState   `json:"state"`
	Reason      string      `json:"reason,omitempty"`
	Changed     time.Time   `json:"changed"`
	Series      string      `json:"series"`
	Type        hsm.KeyType `json:"type"`
	PublicKey   []byte      `json:"publicKey,omitempty"`
	Certificate []byte      `json:"certificate,omitempty"`
	Chain       [][]byte    `json:"chain,omitempty"`
	From        time.Time   `json:"from,omitzero"`
	To          time.Time   `json:"to,omitzero"`
	Made        time.Time   `json:"made"`

	name   string
	number uint32
}

const aboutService = "time-stamping" // subject of entries about the service as a whole

var errServiceTampered = fail(Tampered, "the vault's record of the time-stamping service was changed or put back; nothing is stamped. Restore the vault's state from a backup")

func (v *server) rootMAC(r store.TSARoot) []byte {
	return newMessage("sigillo tsa root v1").num(r.Version).bytes(r.Record).mac(&v.rowKey)
}

func (v *server) unitMAC(u store.TSAUnit) []byte {
	return newMessage("sigillo tsa unit v1").text(u.Name).num(u.Number).bytes(u.Record).mac(&v.rowKey)
}

// root reads the root row and checks it. least is the newest version that was known
// before the transaction began: a snapshot may well be older than what is known now.
func (s *service) root(tx *store.Tx, least int64) (*root, error) {
	row, err := tx.TSARoot()
	if store.KindOf(err) == store.NotFound {
		return nil, errServiceTampered
	}
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	r := &root{version: row.Version}
	if !hmac.Equal(row.MAC, s.v.rootMAC(row)) || row.Version < least || json.Unmarshal(row.Record, r) != nil || r.Units == nil {
		return nil, errServiceTampered
	}
	return r, nil
}

// setRoot writes the next version.
func (s *service) setRoot(tx *store.Tx, r *root, first bool) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	row := store.TSARoot{Version: r.version + 1, Record: b}
	row.MAC = s.v.rootMAC(row)
	put := tx.SetTSARoot
	if first {
		put = tx.PutTSARoot
	}
	if err := put(row); err != nil {
		return because(err, "the vault's state cannot be written")
	}
	r.version++
	return nil
}

// versions remembers the newest version this process has seen: a row that is put
// back under a running vault is noticed.
type versions struct {
	mu   sync.Mutex
	seen int64 // guarded by mu
}

func (n *versions) newest() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen
}

func (n *versions) saw(v int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = max(n.seen, v)
}

// change runs f on the root in one transaction and writes what it left.
func (s *service) change(ctx context.Context, f func(*store.Tx, *root) error) error {
	var version int64
	least := s.newest()
	err := s.v.db.Write(ctx, func(tx *store.Tx) error {
		r, err := s.root(tx, least)
		if err != nil {
			return err
		}
		if err := f(tx, r); err != nil {
			return err
		}
		version = r.version + 1
		return s.setRoot(tx, r, false)
	})
	if err == nil {
		s.saw(version)
	}
	return s.noted(ctx, because(err, "the vault's state cannot be written"))
}

// look runs f on one snapshot of the root.
func (s *service) look(ctx context.Context, f func(*store.Tx, *root) error) error {
	least := s.newest()
	err := s.v.db.Read(ctx, func(tx *store.Tx) error {
		r, err := s.root(tx, least)
		if err != nil {
			return err
		}
		return f(tx, r)
	})
	return s.noted(ctx, because(err, "the vault's state cannot be read"))
}

// noted journals that the state was tampered with, now and then.
func (s *service) noted(ctx context.Context, err error) error {
	if err != errServiceTampered {
		return err
	}
	now := s.v.now()
	if key, first := s.tampered.first("", now, now.Add(tamperedEvery)); first {
		if e := s.v.journal(ctx, audit.Event{Actor: "vault", Event: "tsa.tampered", Subject: aboutService}); e != nil {
			s.tampered.forget(key)
			s.v.log.Error("a tampered record could not be journalled", "err", e)
		}
	}
	return err
}

// unitOf reads a unit and checks it against the root.
func (s *service) unitOf(tx *store.Tx, r *root, name string) (*unit, error) {
	if r.Units[name] == nil {
		return nil, failf(NotAllowed, "there is no time-stamping unit %q", name)
	}
	row, err := tx.TSAUnit(name)
	if store.KindOf(err) == store.NotFound {
		return nil, errServiceTampered
	}
	if err != nil {
		return nil, err
	}
	return s.openUnit(r, row)
}

func (s *service) openUnit(r *root, row store.TSAUnit) (*unit, error) {
	u := &unit{name: row.Name, number: uint32(row.Number)}
	t := r.Units[row.Name]
	if !hmac.Equal(row.MAC, s.v.unitMAC(row)) || t == nil || json.Unmarshal(row.Record, u) != nil || u.Revision != t.Revision {
		return nil, errServiceTampered
	}
	return u, nil
}

// units reads all units. All that the root knows must be there.
func (s *service) units(tx *store.Tx, r *root) ([]*unit, error) {
	rows, err := tx.TSAUnits()
	if err != nil {
		return nil, err
	}
	if len(rows) != len(r.Units) {
		return nil, errServiceTampered
	}
	us := make([]*unit, 0, len(rows))
	for _, row := range rows {
		u, err := s.openUnit(r, row)
		if err != nil {
			return nil, err
		}
		us = append(us, u)
	}
	return us, nil
}

// setUnit writes a unit's next revision.
func (s *service) setUnit(tx *store.Tx, r *root, u *unit, first bool) error {
	t := r.Units[u.name]
	if t == nil {
		t = &tally{Since: millis(u.Made)}
		r.Units[u.name] = t
	}
	t.Revision++
	u.Revision = t.Revision
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	row := store.TSAUnit{Name: u.name, Number: int64(u.number), Record: b}
	row.MAC = s.v.unitMAC(row)
	if first {
		return tx.PutTSAUnit(row)
	}
	return tx.SetTSAUnit(row)
}

// establish makes the first root, or finds that there was one.
func (s *service) establish(ctx context.Context) error {
	err := s.v.db.Write(ctx, func(tx *store.Tx) error {
		r, err := s.root(tx, 0)
		if err == nil {
			if r.Node != s.cfg.Node {
				return failf(NotAllowed, "the vault's state is of the node with the number %d, the configuration says %d; a number belongs to one node for ever", r.Node, s.cfg.Node)
			}
			_, err = s.units(tx, r)
			return err
		}
		if _, missing := tx.TSARoot(); store.KindOf(missing) != store.NotFound {
			return err
		}
		known, err1 := tx.JournalOf(aboutService, 1)
		rows, err2 := tx.TSAUnits()
		if err := firstError(err1, err2); err != nil {
			return err
		}
		if len(known)+len(rows) > 0 {
			return errServiceTampered
		}
		if err := s.setRoot(tx, &root{Node: s.cfg.Node, NextUnit: 1, Units: map[string]*tally{}}, true); err != nil {
			return err
		}
		return audit.Append(tx, s.v.now(), audit.Event{Actor: "vault", Event: "tsa.established", Subject: aboutService})
	})
	return because(err, "the vault's state of the time-stamping service cannot be read")
}

// Serial numbers rise with time at least this fast, counted from when the unit was
// made: see floor.
const (
	perMilli = 16
	maxFloor = int64(30 * 365 * 24 * time.Hour / time.Millisecond)
)

// floor is below what the first number of a process may not be: the milliseconds
// since the unit was made, times 16. A unit that has made fewer than 16,000 stamps a
// second over its life, and none does more for long, has given no number above it.
// So even a vault whose state was restored from an old copy, which knows nothing of
// what it gave since, gives none twice. (30 years of it are a third of the 46 bits.)
func (t *tally) floor(now time.Time) int64 {
	return min(max(now.UnixMilli()-t.Since, 0), maxFloor) * perMilli
}

// gave says whether this state, or one that it came from, can have given a number.
func (t *tally) gave(count int64) bool {
	return count <= t.Last && !slices.ContainsFunc(t.Jumps, func(j jump) bool { return j.From < count && count < j.To })
}

// Reserve implements [tsa.Counter] on the root row. Durable: the numbers and the
// promise.
func (s *service) Reserve(ctx context.Context, name string, n int64, until time.Time) (first int64, before time.Time, err error) {
	s.reserving.Lock()
	defer s.reserving.Unlock()
	now := s.v.now()
	err = s.change(ctx, func(_ *store.Tx, r *root) error {
		t := r.Units[name]
		if t == nil || n < 1 {
			return errServiceTampered
		}
		first, before = t.Last+1, time.Time{}
		if s.highest[name] == 0 {
			first = max(first, t.floor(now)+1)
		}
		if first <= s.highest[name] {
			return errServiceTampered
		}
		if t.Until != 0 {
			before = time.UnixMilli(t.Until).UTC()
		}
		if first > t.Last+1 {
			t.Jumps = append(t.Jumps[max(len(t.Jumps)+1-maxJumps, 0):], jump{t.Last, first})
		}
		t.Last, t.Until = first+n-1, max(t.Until, millis(until.Add(time.Millisecond-1)))
		return nil
	})
	if err != nil {
		if s.refused[name]++; s.refused[name] == 1 {
			s.v.log.Error("the serial numbers of a unit cannot be stored: no time-stamps; look at the disk", "unit", name, "err", err)
		}
		return 0, time.Time{}, err
	}
	if tries := s.refused[name]; tries > 0 {
		s.v.log.Warn("the serial numbers of a unit are stored again", "unit", name, "failed", tries)
		delete(s.refused, name)
	}
	s.highest[name] = first + n - 1
	return first, before, nil
}

// latch is the clock's latch in the root row.
type latch struct{ s *service }

func (l latch) Load(ctx context.Context) (stop clock.Stop, err error) {
	return stop, l.s.look(ctx, func(_ *store.Tx, r *root) error {
		stop = r.Stop
		return nil
	})
}

func (l latch) Store(ctx context.Context, stop clock.Stop) error {
	return l.s.change(ctx, func(_ *store.Tx, r *root) error {
		r.Stop = stop
		return nil
	})
}

// detail is what the journal says of a unit, and more.
func (u *unit) detail(more map[string]string) map[string]string {
	d := map[string]string{"series": u.Series, "state": string(u.State)}
	maps.Copy(d, more)
	return d
}
