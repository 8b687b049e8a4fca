package front

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// Answer answers a TimeStampReq under the policy that it names, or the default.
// The answer is always a TimeStampResp; an error means that the caller has to
// say who he is, or has said it wrongly (kind [accounts.Unknown]). The request
// is not kept.
func (f *Front) Answer(ctx context.Context, caller accounts.Caller, request []byte) ([]byte, error) {
	return f.AnswerUnder(ctx, "", caller, request)
}

// AnswerUnder is [Front.Answer] at the address of one policy: a request that
// names no policy is stamped under this one, and one that names another is
// refused. The name "" stands for no policy in particular.
func (f *Front) AnswerUnder(ctx context.Context, name string, caller accounts.Caller, request []byte) ([]byte, error) {
	began := time.Now()
	account, err := f.cfg.Book.Identify(ctx, caller)
	if accounts.KindOf(err) == accounts.Unknown {
		f.meter.refuse(nobody)
		return nil, err
	}
	if err != nil { // known, but may not
		return f.refuse(ctx, "", err), nil
	}
	return f.answer(ctx, began, account, name, request), nil
}

// AnswerFor answers a request that another room makes on an account in
// somebody's name: whoever it is was identified there. The answer is always a
// TimeStampResp.
func (f *Front) AnswerFor(ctx context.Context, account string, request []byte) []byte {
	began := time.Now()
	a, err := f.cfg.Book.Account(account)
	if err != nil {
		return f.refuse(ctx, account, err)
	}
	return f.answer(ctx, began, a, "", request)
}

// Stamp makes a token over a digest for the appliance's own signatures, with the
// certificates in it. An error is a *[tsa.Error].
func (f *Front) Stamp(ctx context.Context, h crypto.Hash, digest []byte, account string) ([]byte, error) {
	began := time.Now()
	request, err := cms.MarshalTimestampRequest(h, digest, nil, true)
	if err != nil {
		return nil, f.note(ctx, account, fail(tsa.BadRequest, err, "the digest to stamp is wrong"))
	}
	a, err := f.cfg.Book.Account(account)
	if err != nil {
		return nil, f.note(ctx, account, err)
	}
	view, refusal := cms.ReadRequest(request)
	if refusal != nil { // cannot happen: we have just written it
		return nil, f.note(ctx, account, fail(tsa.BadRequest, refusal, "the request is wrong"))
	}
	stamp, err := f.issue(ctx, a, "", &view, request)
	if err != nil {
		return nil, f.note(ctx, account, err)
	}
	f.meter.grant(time.Since(began))
	return stamp.Token, nil
}

func (f *Front) answer(ctx context.Context, began time.Time, a *accounts.Account, name string, request []byte) []byte {
	view, refusal := cms.ReadRequest(request)
	if refusal != nil && f.cfg.LooseTrue {
		if mended, v, ok := withTrue(request); ok {
			request, view, refusal = mended, v, nil
		}
	}
	if refusal != nil {
		return f.refuse(ctx, a.ID, fail(tsa.BadRequest, refusal, "the request is wrong"))
	}
	stamp, err := f.issue(ctx, a, name, &view, request)
	if err != nil {
		return f.refuse(ctx, a.ID, err)
	}
	f.meter.grant(time.Since(began))
	return cms.MarshalResponse(stamp.Token)
}

// issue is the one place where a time-stamp comes into the hands of a customer.
// A crash between two steps leaves what the step before it made durable, and
// nothing else has to be set right afterwards.
func (f *Front) issue(ctx context.Context, a *accounts.Account, name string, r *cms.RequestView, request []byte) (tsa.Stamp, error) {
	// 1. The policy is one that there is and that the account may have (RFC 3161
	// §2.4.1: reqPolicy). Durable: nothing.
	request, err := f.choosePolicy(a, name, r, request)
	if err != nil {
		return tsa.Stamp{}, err
	}
	// 2. One stamp of the account is set aside, so that two requests can't use the
	// last one twice. Durable: nothing; a crash gives it back. None is made that the
	// ledger would not take.
	if err := f.cfg.Ledger.Ready(); err != nil {
		return tsa.Stamp{}, err
	}
	ticket, err := f.cfg.Book.Take(a)
	if err != nil {
		return tsa.Stamp{}, err
	}
	// 3. The back end makes the token: its time, its serial number, its key.
	// Durable, there: that the serial number is used up. Nobody has seen the token.
	asked := time.Now()
	stamp, err := f.cfg.Backend.Stamp(ctx, request)
	f.meter.backend.add(time.Since(asked))
	if err == nil {
		err = fits(&stamp, r)
	}
	if err != nil {
		ticket.Return()
		return tsa.Stamp{}, err
	}
	// 4. The ledger takes it in. Durable: the token for twenty years, that it was
	// issued, and that the account has used it, in one record (EN 319 421 §7.12:
	// records of issued time-stamps; DPCM 22/2/2013 art. 53: the archive). From
	// here on it counts, whatever becomes of the answer.
	asked = time.Now()
	err = f.cfg.Ledger.Append(ctx, entry(&stamp, r, ticket))
	f.meter.ledger.add(time.Since(asked))
	if err != nil {
		if unrecorded(err) {
			ticket.Return()
		}
		return tsa.Stamp{}, err
	}
	// 5. Only now may anyone see it.
	return stamp, nil
}

// choosePolicy gives the request to hand on. It is the one that came, unless the
// account or the address decides about the policy: then the policy is put in, and
// everything that is echoed stays as it was.
func (f *Front) choosePolicy(a *accounts.Account, name string, r *cms.RequestView, request []byte) ([]byte, error) {
	if name == "" && r.Policy == nil && len(a.Policies) == 0 {
		return request, nil // the back end's default
	}
	var wanted *policy
	if name != "" {
		if wanted = f.named(name); wanted == nil {
			return nil, fail(tsa.UnacceptedPolicy, nil, "there is no policy at this address; send to the address without its last part to get the default")
		}
	}
	if r.Policy != nil {
		asked := f.known(r.Policy)
		switch {
		case asked == nil:
			return nil, fail(tsa.UnacceptedPolicy, nil, "the policy is not known; leave it out to get the default")
		case wanted != nil && wanted != asked:
			return nil, fail(tsa.UnacceptedPolicy, nil, "this address stamps under policy %v only", wanted.OID)
		case !mayUse(a, asked):
			return nil, fail(tsa.UnacceptedPolicy, nil, "this account may not have stamps under policy %v", asked.OID)
		}
		return request, nil
	}
	if wanted == nil { // the first that the account may have
		for i := range f.policies {
			if mayUse(a, &f.policies[i]) {
				wanted = &f.policies[i]
				break
			}
		}
	}
	switch {
	case wanted == nil || !mayUse(a, wanted):
		return nil, fail(tsa.UnacceptedPolicy, nil, "this account may not have stamps under the policy of this address")
	case wanted == &f.policies[0]:
		return request, nil
	}
	return withPolicy(r, wanted.oid), nil
}

func mayUse(a *accounts.Account, p *policy) bool { return len(a.Policies) == 0 || a.MayUse(p.OID) }

func (f *Front) known(oid []byte) *policy {
	for i := range f.policies {
		if bytes.Equal(f.policies[i].oid, oid) {
			return &f.policies[i]
		}
	}
	return nil
}

// fits makes sure that what came back is over what was sent. The back end is
// believed about time and number, but answers share a line with many others, and
// one that was mixed up would be somebody else's stamp in this account's archive.
func fits(s *tsa.Stamp, r *cms.RequestView) error {
	at := bytes.Index(s.Token, r.Imprint)
	if at < 0 || r.Nonce != nil && !bytes.Contains(s.Token[at:], r.Nonce) || s.Serial < 1 || s.Unit == "" {
		return fail(tsa.Unavailable, nil, "the back end gave the stamp of another request; it is not given out")
	}
	return nil
}

func entry(s *tsa.Stamp, r *cms.RequestView, t accounts.Ticket) ledger.Entry {
	return ledger.Entry{
		Unit: s.Unit, Serial: s.Serial, GenTime: s.GenTime, Policy: s.Policy, Hash: r.Hash, Imprint: r.Imprint,
		Nonce: content(r.Nonce), Account: t.Account, Lot: t.Lot, Token: s.Token, Certs: s.Certs,
	}
}

// unrecorded says that the ledger certainly does not have the entry: by its promise
// that is so after every error but Stopped, also when a write failed. Of anything
// else a later look at the ledger decides: a stamp that may be in it is not given
// back.
func unrecorded(err error) bool {
	e, ok := errors.AsType[*ledger.Error](err)
	if !ok {
		return false
	}
	switch e.Kind {
	case ledger.BadEntry, ledger.Repeated, ledger.Backwards, ledger.Busy, ledger.Full, ledger.Failed:
		return true
	}
	return false
}
