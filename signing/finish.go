package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/formats/validate"
	"sigillo/store"
	"sigillo/tsa/accounts"
)

// finished completes a signed transaction and gives it as the holder sees it.
// Callers that meet on one transaction share the work and its outcome.
func (s *Service) finished(ctx context.Context, holder, id string) (Transaction, error) {
	_, err, _ := s.finishing.Do(id, func() (any, error) {
		t, items, err := s.load(ctx, holder, id)
		if err != nil || State(t.State) == Delivered {
			return nil, err
		}
		return nil, s.finish(ctx, t, items)
	})
	if err != nil {
		return Transaction{}, err
	}
	return s.Transaction(ctx, holder, id)
}

// finish turns signature values into delivered files. It may be run again
// after any failure: what is durable already is not done twice.
//
//  1. A time-stamp over each signature value. Durable: the token.
//  2. The signed file is assembled beside its final place, raised to B-LT or
//     B-LTA where that was asked for, and synced.
//  3. Our own validator must say TOTAL_PASSED; a file it does not accept is
//     never delivered.
//  4. Durable: the file under its final name, then, in one commit, its digest,
//     the report, state "delivered" and the journal entries.
func (s *Service) finish(ctx context.Context, t store.Transaction, items []store.Item) error {
	for i := range items {
		if err := s.stampItem(ctx, t, &items[i]); err != nil { // 1
			return err
		}
	}
	for i := range items {
		if err := s.assembleItem(ctx, t, &items[i]); err != nil { // 2, 3
			return err
		}
	}
	if err := syncDir(s.path("signed")); err != nil {
		return fromDisk(err, "the signed documents could not be stored")
	}
	ev := audit.Event{Actor: t.Holder, Event: "signature.delivered", Subject: t.ID,
		Detail: map[string]string{"count": strconv.Itoa(len(items))}}
	return s.advance(ctx, &t, Signed, Delivered, ev, func(tx *store.Tx) error { // 4
		for _, it := range items {
			ev.Detail["sha256."+strconv.Itoa(it.Seq)] = hex.EncodeToString(it.OutputSHA256)
			if err := tx.SetItemOutput(t.ID, it.Seq, it.Output, it.OutputName, it.OutputSHA256, it.Report); err != nil {
				return err
			}
		}
		return nil
	})
}

// stampItem puts the time-stamp token beside the signature value.
func (s *Service) stampItem(ctx context.Context, t store.Transaction, it *store.Item) error {
	if Level(it.Level) == BB || len(it.Token) > 0 {
		return nil
	}
	p, err := forms[Form(it.Form)].load(it.Prepared)
	if err != nil {
		return fail(Internal, "the prepared signature cannot be read", err)
	}
	imprint, err := p.StampDigest(it.Signature, crypto.SHA256)
	if err != nil {
		return fail(Internal, "the signature cannot be stamped", err)
	}
	if it.Token, err = s.cfg.Stamper.Stamp(ctx, crypto.SHA256, imprint, accounts.House); err != nil {
		return fromTSA(err)
	}
	return fromStore(s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		return tx.SetItemToken(t.ID, it.Seq, it.Token)
	}))
}

// assembleItem writes one signed file and judges it.
func (s *Service) assembleItem(ctx context.Context, t store.Transaction, it *store.Item) error {
	p, err := forms[Form(it.Form)].load(it.Prepared)
	if err != nil {
		return fail(Internal, "the prepared signature cannot be read", err)
	}
	d, err := s.document(ctx, t.Holder, it.Document)
	if err != nil {
		return err
	}
	it.Output = s.path("signed", t.ID+"-"+strconv.Itoa(it.Seq))
	tmp := it.Output + ".part"
	defer os.Remove(tmp)
	if it.OutputSHA256, err = assemble(tmp, d, p, it.Signature, it.Token); err != nil {
		return err
	}
	contents, done, err := beside(d, forms[Form(it.Form)])
	if err != nil {
		return err
	}
	defer done()
	if Level(it.Level).AtLeast(BLT) {
		if it.OutputSHA256, err = s.raise(ctx, tmp, Level(it.Level), contents); err != nil {
			return err
		}
	}
	if it.Report, err = s.judge(ctx, tmp, it, contents); err != nil {
		return s.unverified(ctx, t, it, err)
	}
	if err := os.Rename(tmp, it.Output); err != nil {
		return fromDisk(err, "the signed document could not be stored")
	}
	return nil
}

// unverified settles a signed file that our own validation does not accept.
// Where it only lacks current revocation data it is tried again later, and
// journalled once; anything else fails the transaction for good.
func (s *Service) unverified(ctx context.Context, t store.Transaction, it *store.Item, err error) error {
	var own *Error
	if !errors.As(err, &own) || own.Kind != NotVerified {
		return err
	}
	ev := audit.Event{Actor: t.Holder, Event: "signature.not-verified", Subject: t.ID,
		Detail: map[string]string{"seq": strconv.Itoa(it.Seq), "again": strconv.FormatBool(errors.Is(err, errTryLater))}}
	if errors.Is(err, errTryLater) {
		if _, told := s.unpassed.LoadOrStore(t.ID, true); !told {
			s.note(ctx, ev.Actor, ev.Event, ev.Subject, ev.Detail)
		}
		return err
	}
	now := s.cfg.Now()
	failed := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetTransactionFailed(t.ID, string(Signed), string(Failed), string(NotVerified), now); err != nil {
			return err
		}
		return audit.Append(tx, now, ev)
	})
	if failed != nil {
		return fromStore(failed)
	}
	return err
}

// errTryLater marks a validation that newer revocation data may change.
var errTryLater = errors.New("the revocation data at hand do not decide; try later")

// assemble streams the document and its signature into a new, synced file and
// gives its SHA-256.
func assemble(path string, d store.Document, p prepared, signature, token []byte) ([]byte, error) {
	var doc io.ReaderAt
	if d.Format != digestOnly {
		f, err := os.Open(d.Path)
		if err != nil {
			return nil, fail(Changed, "the stored document is missing", err)
		}
		defer f.Close()
		doc = f
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fromDisk(err, "the signed document could not be stored")
	}
	defer out.Close()
	h := sha256.New()
	if err := p.Assemble(io.MultiWriter(out, h), doc, d.Size, signature, token); err != nil {
		return nil, fromDisk(err, "the signed document could not be assembled")
	}
	if err := out.Sync(); err != nil {
		return nil, fromDisk(err, "the signed document could not be stored")
	}
	return h.Sum(nil), out.Close()
}

// judge runs our own validator over a signed file, as a relying party with our
// roots and our current lists would.
func (s *Service) judge(ctx context.Context, path string, it *store.Item, contents []validate.Content) ([]byte, error) {
	v, err := s.validator(ctx)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fromDisk(err, "the signed document cannot be read back")
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fromDisk(err, "the signed document cannot be read back")
	}
	report, err := v.Validate(ctx, validate.Document{Data: f, Size: st.Size(), Name: it.OutputName, Time: s.cfg.Now(), Contents: contents})
	if err != nil {
		return nil, fail(NotVerified, "the signed document cannot be validated", err)
	}
	data, err := json.Marshal(report)
	if err != nil {
		return nil, fail(Internal, "the validation report cannot be stored", err)
	}
	if report.Indication == validate.TotalPassed {
		return data, nil
	}
	s.cfg.Log.Error("own validation refuses a signature", "document", it.Document, "report", string(data))
	var cause error
	if undecided(report) {
		cause = errTryLater
	}
	return nil, fail(NotVerified, "our own validation does not accept the signed document", cause)
}

// undecided says whether nothing but revocation data is missing.
func undecided(r validate.Report) bool {
	for _, s := range r.Signatures {
		if s.Indication != validate.TotalPassed && s.SubIndication != validate.TryLater {
			return false
		}
	}
	return len(r.Signatures) > 0
}

// Resolve settles what a crash left behind, before requests are served. It
// gives the number of transactions settled.
func (s *Service) Resolve(ctx context.Context) (int, error) {
	if err := s.sweep(ctx); err != nil {
		return 0, err
	}
	return s.Settle(ctx, 0)
}

// Settle completes the transactions whose signatures are durable but whose
// files are not delivered, for instance because the disk was full or the time
// could not be shown, and sets back those that were authorised longer than age
// ago and are not under way in this process. What still can't be finished
// stays signed for the next turn.
func (s *Service) Settle(ctx context.Context, age time.Duration) (int, error) {
	stuck, err := s.inState(ctx, Authorised)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, t := range stuck {
		if _, busy := s.inFlight.Load(t.ID); !busy && s.cfg.Now().Sub(t.Updated) >= age {
			s.setBack(ctx, &t, "interrupted")
			n++
		}
	}
	open, err := s.inState(ctx, Signed)
	if err != nil {
		return n, err
	}
	for _, t := range open {
		if _, err := s.finished(ctx, t.Holder, t.ID); err != nil {
			s.cfg.Log.Error("a signed transaction could not be finished", "transaction", t.ID, "err", err)
			continue
		}
		n++
	}
	return n, nil
}

func (s *Service) inState(ctx context.Context, state State) (open []store.Transaction, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		open, err = tx.TransactionsInState(string(state))
		return err
	})
	return open, fromStore(err)
}

// sweep removes uploads that broke off, signed files that were never whole, and
// documents that no row names.
func (s *Service) sweep(ctx context.Context) error {
	for _, dir := range []string{"incoming", "signed", "documents"} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			return fromDisk(err, "the document folder cannot be read")
		}
		for _, e := range entries {
			gone := dir == "incoming" || dir == "signed" && strings.HasSuffix(e.Name(), ".part")
			if dir == "documents" {
				err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error { _, err := tx.Document(e.Name()); return err })
				gone = store.KindOf(err) == store.NotFound
			}
			if !gone {
				continue
			}
			s.note(ctx, "appliance", "document.swept", e.Name(), map[string]string{"folder": dir})
			os.RemoveAll(s.path(dir, e.Name())) // a conversion leaves a folder
		}
	}
	return nil
}
