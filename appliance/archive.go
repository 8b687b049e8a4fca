package appliance

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// The record of time-stamps is whole in itself even when its end is cut off, or all
// of it is gone. What it must hold is therefore kept in two other places, every ten
// minutes, at the start and at the end: its head and what accounts have used in the
// database, in one transaction with an entry of the journal; and the head in the
// vault, under a MAC whose key only the token gives. What they know was on the disk
// before they were told, so after a crash the record is never behind them.

const (
	aboutStamps = "stamps"
	headEvent   = "stamps.head"
	lossEvent   = "stamps.loss-accepted"
	missedEvent = "stamps.missing"
	stateKey    = "stamps/state" // what the ledger knew at the head noted last
)

// underWay is how many stamps the vault may have made, since it was shown the record
// last, that were never recorded: those under way when something was killed, and
// those with which it was tried whether a disk still fails, one a second.
const underWay = 1 << 16

// witnesses is what others know of the record of time-stamps.
type witnesses struct {
	noted ledger.Head // in the journal, the last
	shown ledger.Head // in the vault
	// counted is the entry that the record has reached if all is in it that the vault
	// has made since it was shown it.
	counted int64
	lost    []ledger.Gap // accepted
	state   []byte       // at noted
	// id is which record it is, by the state, by the journal or by the vault; zero:
	// nobody knows.
	id [16]byte
}

// witnesses asks the journal and what the vault has said.
func (a *Appliance) witnesses(ctx context.Context, t *vault.TimeStamping) (w witnesses, err error) {
	if w.shown.Seq = t.Archive.Seq; copy(w.shown.Hash[:], t.Archive.Hash) != len(w.shown.Hash) && w.shown.Seq > 0 {
		return w, errors.New("appliance: the vault does not say which record of time-stamps it was shown; is it an older program?")
	}
	if t.Fault == "" {
		w.counted = t.Archive.Seq + t.Made() - t.Archive.Made
	}
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		if w.noted, w.id, err = lastNoted(tx); err != nil {
			return err
		}
		if w.state, err = tx.Setting(stateKey); err != nil && store.KindOf(err) != store.NotFound {
			return err
		}
		if id, ok := ledger.StateOf(w.state); ok {
			w.id = id
		}
		if len(t.Archive.Ledger) == len(w.id) {
			if shown := [16]byte(t.Archive.Ledger); w.id == [16]byte{} {
				w.id = shown
			} else if w.id != shown && t.Fault == "" {
				return a.twoRecords(w.id, shown)
			}
		}
		entries, err := tx.JournalOfEvent(aboutStamps, lossEvent, store.MaxRows)
		for _, e := range entries {
			g, err := acceptedGap(e.Detail)
			if err != nil {
				return fmt.Errorf("appliance: journal entry %d: %w", e.Seq, err)
			}
			w.lost = append(w.lost, g)
		}
		return err
	})
	return w, err
}

// twoRecords says that the database and the vault know different records: they are of
// two appliances, and whichever is here by mistake, nothing that it knows is good.
func (a *Appliance) twoRecords(noted, shown [16]byte) error {
	return &ledger.Error{Kind: ledger.Foreign, Msg: fmt.Sprintf("%s knows the record of time-stamps %x, and %s was shown another (%x): one of the two is of another appliance. Nothing was changed. Put the right one back, from where it was moved to or from the backup",
		a.Layout.Database(), noted, a.Layout.VaultDB(), shown)}
}

// known are the states that the record must have been at. One of which only the
// number is known, by what the vault has counted, is left out.
func (w *witnesses) known() []ledger.Head { return []ledger.Head{w.noted, w.shown} }

// beyond is how many stamps the vault has made after an entry, when those are more
// than can have been under way; otherwise 0.
func (w *witnesses) beyond(end int64) int64 {
	if n := w.counted - end; n > underWay {
		return n
	}
	return 0
}

func (w *witnesses) options(a *Appliance) ledger.Options {
	unverified, _ := ParseOID(a.Config.TSA.UnverifiedPolicy) // it was looked at when the configuration was read
	return ledger.Options{Index: a.index, ReadOnly: a.opt.Unattended, OnEvent: a.ledgerEvent, ID: w.id, Known: w.known(), Lost: w.lost,
		Unverified: unverified}
}

// openLedger opens the record of time-stamps, unless entries are missing that others
// know of.
func (a *Appliance) openLedger(ctx context.Context, t *vault.TimeStamping) error {
	w, err := a.witnesses(ctx, t)
	if err != nil {
		return err
	}
	a.Ledger, err = ledger.Open(a.Layout.Ledger(), w.options(a))
	if err == nil && !a.opt.Unattended {
		end := a.Ledger.Head().Seq
		if n := w.beyond(end); n > 0 {
			err = &ledger.Error{Kind: ledger.Lost, Msg: fmt.Sprintf("the record in %s ends with entry %d, but the vault has made some %d time-stamps since, more than a crash can lose: put the segments back from the backup", a.Layout.Ledger(), end, n)}
		}
	}
	if ledger.KindOf(err) != ledger.Lost {
		return prefixed("appliance: the record of time-stamps: %w", err)
	}
	a.noteMissing(ctx, err)
	return fmt.Errorf("appliance: the record of time-stamps is not complete, and nothing is stamped without it: %w. Should they be lost for good, let `sigillo tsa accept-loss --reason TEXT` go on without them: the journal keeps that, and what the accounts had used when it was noted last, at most ten minutes before, stays used", err)
}

func prefixed(format string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format, err)
}

// noteMissing journals that entries are missing, once however often it is tried.
func (a *Appliance) noteMissing(ctx context.Context, cause error) {
	if a.opt.Unattended {
		return
	}
	var last []store.JournalEntry
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.JournalOf(aboutStamps, 1)
		return err
	})
	if err == nil && len(last) == 1 && last[0].Event == missedEvent {
		return
	}
	a.note(ctx, audit.Event{Actor: "appliance", Event: missedEvent, Subject: aboutStamps, Detail: map[string]string{"text": cause.Error()}})
}

// ledgerEvent puts what an operator should know of the ledger into log and
// journal.
func (a *Appliance) ledgerEvent(e ledger.Event) {
	level := slog.LevelWarn
	if e.Kind == "stopped" {
		level = slog.LevelError
	}
	a.log.Log(context.Background(), level, "record of time-stamps", "event", e.Kind, "text", e.Text, "err", e.Err)
	a.note(context.Background(), audit.Event{Actor: "appliance", Event: "stamps." + e.Kind, Subject: aboutStamps,
		Detail: map[string]string{"text": e.Text}})
}

// AcceptLoss lets the appliance in dir stamp again although time-stamps that were
// recorded are lost for good. Nothing else may run in the folder. The journal is told
// what is lost, who accepts it and why, before anything is changed. The numbers of
// the lost entries are not given again, and what the accounts had used of them stays
// used, as far as it was noted. who tells for the journal who accepts it, or refuses:
// accounts and factors of the staff can be asked for, nothing else of the appliance.
func AcceptLoss(ctx context.Context, dir string, opt Options, reason string, who func(*Appliance) (string, error)) (loss ledger.Loss, err error) {
	if reason == "" {
		return loss, errors.New("appliance: say with --reason why the time-stamps are given up; the journal keeps it")
	}
	a, err := newAppliance(dir, opt)
	if err != nil {
		return loss, err
	}
	defer a.Close()
	if a.lock, err = lock(a.Layout.Lock()); err != nil {
		return loss, err
	}
	if err := a.startVault(false); err != nil {
		return loss, err
	}
	if err := a.openDatabase(ctx); err != nil {
		return loss, err
	}
	if a.index, err = store.Open(ctx, a.Layout.StampIndex(), store.Appliance); err != nil {
		return loss, err
	}
	operator, err := who(a)
	if err != nil {
		return loss, err
	}
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return loss, err
	}
	return a.acceptLoss(ctx, &t, operator, reason)
}

func (a *Appliance) acceptLoss(ctx context.Context, t *vault.TimeStamping, operator, reason string) (ledger.Loss, error) {
	w, err := a.witnesses(ctx, t)
	if err != nil {
		return ledger.Loss{}, err
	}
	o := w.options(a)
	end := max(w.noted.Seq, w.shown.Seq)
	aside, err := ledger.Open(a.Layout.Ledger(), ledger.Options{ReadOnly: true})
	if err == nil {
		end = max(end, aside.Head().Seq)
		err = aside.Close()
	}
	if err != nil && ledger.KindOf(err) != ledger.NotFound {
		return ledger.Loss{}, err
	}
	if n := w.beyond(end); n > 0 {
		o.Known = append(o.Known, ledger.Head{Seq: end + n})
	}
	return ledger.AcceptLoss(a.Layout.Ledger(), o, w.state, func(l ledger.Loss) error {
		return a.DB.Write(ctx, func(tx *store.Tx) error {
			for _, g := range l.Gaps {
				err := audit.Append(tx, a.opt.Now(), audit.Event{Actor: operator, Event: lossEvent, Subject: aboutStamps, Detail: map[string]string{
					"from": strconv.FormatInt(g.From, 10), "to": strconv.FormatInt(g.To, 10), "free": strconv.FormatInt(g.Free, 10), "reason": reason,
					"charged": strconv.FormatInt(l.Charged, 10), "unknown": strconv.FormatInt(l.Unknown, 10)}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// witness tells the vault what the record holds: of each unit, and how far it goes. A
// vault whose state was set back would give serial numbers a second time; it then
// stops the unit.
func (a *Appliance) witness(ctx context.Context) error {
	head := a.Ledger.Head()
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return err
	}
	greatest := map[string]int64{}
	for _, u := range t.Units {
		if serial, _, ok := a.Ledger.Latest(u.Name); ok {
			greatest[u.Name] = serial
		}
	}
	id := a.Ledger.ID()
	return a.Vault.Witness(ctx, greatest, vault.Archive{Seq: head.Seq, Hash: head.Hash[:], Ledger: id[:]})
}

// noteHead puts the head of the record of time-stamps into the journal, whose own
// head the token signs: what lies before can then no longer be rewritten. What the
// accounts have used goes beside it. A head that lies behind the one noted last is
// refused.
func (a *Appliance) noteHead(ctx context.Context) error {
	if a.Ledger.Head().Seq == a.notedHead {
		return nil
	}
	h, state := a.Ledger.State()
	id := a.Ledger.ID()
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		noted, _, err := lastNoted(tx)
		if err != nil || h == noted {
			return err
		}
		if h.Seq <= noted.Seq {
			return &ledger.Error{Kind: ledger.Lost, Msg: fmt.Sprintf("the record ends with entry %d, but entry %d was noted in the journal: it was set back; stop the service, look at %s, and start it again", h.Seq, noted.Seq, a.Layout.Ledger())}
		}
		err = audit.Append(tx, a.opt.Now(), audit.Event{Actor: "appliance", Event: headEvent, Subject: aboutStamps,
			Detail: map[string]string{"seq": strconv.FormatInt(h.Seq, 10), "hash": hex.EncodeToString(h.Hash[:]), "ledger": hex.EncodeToString(id[:])}})
		if err != nil {
			return err
		}
		return tx.PutSetting(stateKey, state)
	})
	if err == nil {
		a.notedHead = h.Seq
	}
	return err
}

// VerifyStamps reads the whole record of time-stamps and checks it against the
// heads that the journal has noted of it, and the one that the vault was shown.
func (a *Appliance) VerifyStamps(ctx context.Context) (ledger.Report, error) {
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return ledger.Report{}, err
	}
	w, err := a.witnesses(ctx, &t)
	if err != nil {
		return ledger.Report{}, err
	}
	heads := []ledger.Head{w.shown}
	for from := int64(1); ; {
		var entries []store.JournalEntry
		err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
			entries, err = tx.Journal(from, store.MaxRows)
			return err
		})
		if err != nil {
			return ledger.Report{}, err
		}
		for _, e := range entries {
			if e.Event == headEvent {
				h, _, err := notedHead(e.Detail)
				if err != nil {
					return ledger.Report{}, fmt.Errorf("appliance: journal entry %d: %w", e.Seq, err)
				}
				heads = append(heads, h)
			}
		}
		if len(entries) < store.MaxRows {
			return a.Ledger.Verify(ctx, heads...)
		}
		from = entries[len(entries)-1].Seq + 1
	}
}

// lastNoted is the head in the last entry about one, and of which record; zero: there
// is none, or it does not say.
func lastNoted(tx *store.Tx) (h ledger.Head, id [16]byte, err error) {
	entries, err := tx.JournalOfEvent(aboutStamps, headEvent, 1)
	if err != nil || len(entries) == 0 {
		return h, id, err
	}
	if h, id, err = notedHead(entries[0].Detail); err != nil {
		return h, id, fmt.Errorf("appliance: journal entry %d: %w", entries[0].Seq, err)
	}
	return h, id, nil
}

func notedHead(detail []byte) (h ledger.Head, id [16]byte, err error) {
	var d struct{ Seq, Hash, Ledger string }
	if err := json.Unmarshal(detail, &d); err != nil {
		return h, id, err
	}
	if h.Seq, err = strconv.ParseInt(d.Seq, 10, 64); err != nil {
		return h, id, err
	}
	b, err := hex.DecodeString(d.Hash)
	if err != nil || copy(h.Hash[:], b) != len(h.Hash) {
		return h, id, errors.New("the head of the record of time-stamps cannot be read")
	}
	if b, err := hex.DecodeString(d.Ledger); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return h, id, nil
}

func acceptedGap(detail []byte) (g ledger.Gap, err error) {
	var d struct{ From, To, Free string }
	if err := json.Unmarshal(detail, &d); err != nil {
		return g, err
	}
	if g.From, err = strconv.ParseInt(d.From, 10, 64); err == nil {
		g.To, err = strconv.ParseInt(d.To, 10, 64)
	}
	if err == nil && d.Free != "" { // older entries leave no number free
		g.Free, err = strconv.ParseInt(d.Free, 10, 64)
	}
	return g, err
}
