package signing

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/vault"
)

// Sign authorises a prepared transaction with the holder's factors and
// completes it. It is the one place where a holder's key is used.
//
//  1. The transaction is the holder's and waits for factors; one that was
//     already signed is only finished, without factors.
//  2. The certificate is valid now (SIG-5).
//  3. The vault checks password and OTP and mints a SAD over exactly the
//     prepared digests. Durable there: the OTP step is used up.
//  4. Durable here, in one commit: the certificate is still valid, state
//     "authorised", journal entry "signature.intent".
//  5. The vault consumes the SAD and signs. Durable there: intent, then result.
//  6. Durable here: the signature values, state "signed", "signature.done".
//  7. Time-stamps, assembly, own validation, delivery: see finish.
//
// The password is wiped before Sign returns. Kinds: NotFound, WrongState,
// WrongFactors, ReusedOTP, Locked, Cert…, KeyUnavailable, TimeUnavailable,
// NotVerified, Busy, DiskFull.
func (s *Service) Sign(ctx context.Context, holder, id string, e Evidence) (Transaction, error) {
	defer clear(e.Password)
	return s.sign(ctx, holder, id, e.Client, e.Capture != nil, func(ctx context.Context, t store.Transaction, items []store.Item, cred credential) (use, error) {
		sad, err := s.authorise(ctx, t, items, cred, e) // 3
		return func(ctx context.Context, digests [][]byte, scheme string) ([][]byte, error) {
			return s.cfg.Vault.Sign(ctx, vault.Activation{SAD: sad.Token, Credential: cred.record, Hash: t.Hash, // 5
				Digests: digests, Scheme: scheme, Request: newID()})
		}, err
	})
}

// use has a credential's key sign digests.
type use func(ctx context.Context, digests [][]byte, scheme string) ([][]byte, error)

// SignAuthorised is [Service.Sign] for a transaction whose documents the holder has
// authorised before, by their digests (see package remote). In the place of step 3 it
// takes sign, which has the vault sign the prepared digests under that authorisation;
// client names who asks.
func (s *Service) SignAuthorised(ctx context.Context, holder, id, client string, sign func(ctx context.Context, digests [][]byte, scheme string) ([][]byte, error)) (Transaction, error) {
	return s.sign(ctx, holder, id, client, false, func(context.Context, store.Transaction, []store.Item, credential) (use, error) {
		return sign, nil
	})
}

// sign is the walk of Sign; permit is its step 3.
func (s *Service) sign(ctx context.Context, holder, id, client string, counter bool, permit func(context.Context, store.Transaction, []store.Item, credential) (use, error)) (Transaction, error) {
	t, items, err := s.load(ctx, holder, id)
	if err != nil {
		return Transaction{}, err
	}
	switch State(t.State) { // 1
	case Delivered:
		return s.Transaction(ctx, holder, id)
	case Signed:
		return s.finished(ctx, holder, id)
	case Prepared:
	default:
		return Transaction{}, fail(WrongState, "the transaction is "+t.State, nil)
	}
	cred, err := s.usable(ctx, holder, t.Credential, counter) // 2
	if err == nil && cred.row.Certificate != t.Certificate {
		err = fail(WrongState, "the certificate was replaced since; prepare the signature again", nil)
	}
	if err != nil {
		s.note(ctx, holder, "signature.refused", id, map[string]string{"kind": string(KindOf(err))})
		return Transaction{}, err
	}
	// From here on the work goes on although the client may hang up: an
	// authorised signature is finished, not left half-way.
	ctx = context.WithoutCancel(ctx)
	if _, busy := s.inFlight.LoadOrStore(id, true); busy {
		return Transaction{}, fail(WrongState, "the transaction is being signed", nil)
	}
	defer s.inFlight.Delete(id)
	sign, err := permit(ctx, t, items, cred) // 3
	if err != nil {
		return Transaction{}, err
	}
	err = s.advance(ctx, &t, Prepared, Authorised, audit.Event{Actor: holder, Event: "signature.intent", Subject: id, // 4
		Detail: map[string]string{"credential": t.Credential, "certificate": cred.row.Certificate,
			"count": strconv.Itoa(len(items)), "client": client}}, stillValid(cred.row.Certificate))
	if err != nil {
		s.note(ctx, holder, "signature.refused", id, map[string]string{"kind": string(KindOf(err))})
		return Transaction{}, err
	}
	signatures, err := sign(ctx, digests(items), scheme(cred.record)) // 5
	if err == nil && len(signatures) != len(items) {
		err = errors.New("the vault answered with another number of signatures")
	}
	if err != nil {
		s.setBack(ctx, &t, KindOf(FromVault(err)))
		return Transaction{}, FromVault(err)
	}
	err = s.advance(ctx, &t, Authorised, Signed, audit.Event{Actor: holder, Event: "signature.done", Subject: id, // 6
		Detail: map[string]string{"count": strconv.Itoa(len(items))}}, func(tx *store.Tx) error {
		for i := range items {
			items[i].Signature = signatures[i]
			if err := tx.SetItemSignature(id, items[i].Seq, signatures[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.setBack(ctx, &t, KindOf(err))
		return Transaction{}, err
	}
	return s.finished(ctx, holder, id) // 7
}

// stillValid refuses, in the commit that records the intent, a certificate that
// was suspended or revoked while the factors were being checked (SIG-5).
func stillValid(serial string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		c, err := tx.Certificate(serial)
		if err != nil {
			return err
		}
		return stateError(c.State)
	}
}

// authorise sends the factors to the vault. What it refuses is journalled and
// leaves the transaction as it was.
func (s *Service) authorise(ctx context.Context, t store.Transaction, items []store.Item, cred credential, e Evidence) (vault.SAD, error) {
	request, err := s.authorisation(ctx, t, items, cred)
	if err != nil {
		return vault.SAD{}, err
	}
	request.Evidence = e
	sad, err := s.cfg.Vault.Authorise(ctx, request)
	if err != nil {
		err = FromVault(err)
		s.note(ctx, t.Holder, "signature.refused", t.ID, map[string]string{"kind": string(KindOf(err)), "client": e.Client})
	}
	return sad, err
}

// authorisation is what the vault is asked for when t is signed, without factors.
func (s *Service) authorisation(ctx context.Context, t store.Transaction, items []store.Item, cred credential) (vault.Authorisation, error) {
	var owner store.Holder
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		owner, err = tx.Holder(t.Holder)
		return err
	})
	if err != nil {
		return vault.Authorisation{}, fromStore(err)
	}
	var factors vault.Factors
	if !cred.record.Graphometric { // which hangs from no factors; its holder may have none
		if err := json.Unmarshal(owner.Factors, &factors); err != nil {
			return vault.Authorisation{}, fail(Internal, "the holder's factors cannot be read", err)
		}
	}
	confirmed, err := s.confirmed(ctx, t.Holder, items)
	if err != nil {
		return vault.Authorisation{}, err
	}
	return vault.Authorisation{Factors: factors, Credential: cred.record,
		Hash: t.Hash, Digests: digests(items), Confirmed: confirmed, Request: newID()}, nil
}

// Authorisation is what the vault will be asked for when the holder signs a prepared
// transaction, without factors: a passkey's challenge, or a code that is sent, is
// bound to it. Kinds as of Sign.
func (s *Service) Authorisation(ctx context.Context, holder, id string) (vault.Authorisation, error) {
	return s.toAuthorise(ctx, holder, id, false)
}

// CounterAuthorisation is [Service.Authorisation] of a transaction that was prepared for a
// counter: what the operator's presence there is bound to.
func (s *Service) CounterAuthorisation(ctx context.Context, holder, id string) (vault.Authorisation, error) {
	return s.toAuthorise(ctx, holder, id, true)
}

func (s *Service) toAuthorise(ctx context.Context, holder, id string, counter bool) (vault.Authorisation, error) {
	t, items, err := s.load(ctx, holder, id)
	if err != nil {
		return vault.Authorisation{}, err
	}
	if State(t.State) != Prepared {
		return vault.Authorisation{}, fail(WrongState, "the transaction is "+t.State, nil)
	}
	cred, err := s.usable(ctx, holder, t.Credential, counter)
	if err != nil {
		return vault.Authorisation{}, err
	}
	return s.authorisation(ctx, t, items, cred)
}

// advance moves t from one state to the next together with its journal entry
// and whatever else belongs to the step, in one durable commit. When two
// requests race, exactly one passes; the other gets WrongState.
func (s *Service) advance(ctx context.Context, t *store.Transaction, from, to State, ev audit.Event, also func(*store.Tx) error) error {
	now := s.cfg.Now()
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetTransactionState(t.ID, string(from), string(to), now); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return audit.Append(tx, now, ev)
	})
	if err != nil {
		return fromStore(err)
	}
	t.State, t.Updated = string(to), now
	return nil
}

// setBack returns an authorised transaction to prepared: no signature was
// released, so the holder may authorise it again.
func (s *Service) setBack(ctx context.Context, t *store.Transaction, why Kind) {
	err := s.advance(ctx, t, Authorised, Prepared, audit.Event{Actor: t.Holder, Event: "signature.interrupted",
		Subject: t.ID, Detail: map[string]string{"kind": string(why)}}, nil)
	if err != nil { // Settle will do it later
		s.cfg.Log.Error("transaction left authorised", "transaction", t.ID, "err", err)
	}
}

// Abandon gives a prepared transaction up for good: its holder will not sign it. One that
// is signed, or failed, stays what it is. Kinds: NotFound, Busy, DiskFull.
func (s *Service) Abandon(ctx context.Context, holder, id, why string) error {
	t, _, err := s.load(ctx, holder, id)
	if err != nil || State(t.State) != Prepared {
		return err
	}
	now := s.cfg.Now()
	err = fromStore(s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetTransactionFailed(id, string(Prepared), string(Failed), string(Abandoned), now); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: holder, Event: "signature.abandoned", Subject: id, Detail: map[string]string{"why": why}})
	}))
	if KindOf(err) == WrongState { // somebody signs it right now
		return nil
	}
	return err
}

func digests(items []store.Item) [][]byte {
	out := make([][]byte, len(items))
	for i, it := range items {
		out[i] = it.Digest
	}
	return out
}

// scheme is the signature scheme of a credential's key.
func scheme(c vault.Credential) string {
	if strings.HasPrefix(string(c.Type), "rsa") {
		return "pkcs1"
	}
	return "ecdsa"
}

// load gives a transaction of holder with its items.
func (s *Service) load(ctx context.Context, holder, id string) (t store.Transaction, items []store.Item, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		if t, err = tx.Transaction(id); err != nil {
			return err
		}
		if t.Holder != holder {
			return fail(NotFound, "no such transaction", nil)
		}
		items, err = tx.Items(id)
		return err
	})
	return t, items, fromStore(err)
}
