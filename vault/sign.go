package vault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/store"
)

// keepResults is how long after its SAD expired a result can be asked for again
// by the request that got it.
const keepResults = 10 * time.Minute

// sign is the one place where a holder's key is used.
//
//  1. The SAD was minted here and is for this credential, this key and exactly
//     these digests; the scheme fits the key. The credential is the vault's own
//     record. (EN 419 241-1 SRA_SKM: a signing key is used under the signer's
//     control only.)
//  2. Durable: the SAD is consumed and the intent journalled, in one
//     transaction. A SAD consumed by another request is refused, and so is one
//     that the journal knows but whose row is gone or changed; the same request
//     goes on where it stopped: if the result is durable it is the answer, else
//     the same digests are signed again. Only a first use and an unfinished one
//     want the SAD to be unexpired.
//  3. The token derives the KEK, unwraps the key and signs all digests.
//  4. Every signature is verified with the public key before it is released: a
//     wrong one, of a faulty token, can give the key away (Boneh, DeMillo,
//     Lipton 1997).
//  5. Durable: the signatures and the journal entry, in one transaction.
//  6. The answer.
func (v *server) sign(ctx context.Context, a *Activation) ([][]byte, error) {
	if err := checkName("the request", a.Request, maxName); err != nil {
		return nil, err
	}
	sad, err := v.admit(ctx, a) // 1
	if err != nil {
		return nil, err
	}
	row, stored, err := v.consume(ctx, a, sad) // 2
	if err != nil || stored != nil {
		return stored, err
	}
	v.fault("intent")
	signatures, err := v.useKey(ctx, a, sad) // 3, 4
	if err != nil {
		v.journalFailure(ctx, a, sad, err)
		return nil, err
	}
	v.fault("signed")
	if signatures, err = v.finish(ctx, a, row, signatures); err != nil { // 5
		return nil, err
	}
	v.fault("done")
	return signatures, nil // 6
}

// admit is step 1 of sign.
func (v *server) admit(ctx context.Context, a *Activation) (*claims, error) {
	c := &a.Credential
	sad, err := v.mint.read(a.SAD)
	if err != nil {
		return nil, err
	}
	if err := v.ownCredential(ctx, c); err != nil {
		return nil, err
	}
	if sad.Subject != c.Holder || sad.Credential != c.ID || !slices.Equal(sad.Key, thumbprint(c.PublicKey)) {
		return nil, fail(BadSAD, "the activation data is for another credential; authorise again")
	}
	if _, err := checkDigests(a.Hash, a.Digests, c.MaxDigests); err != nil {
		return nil, err
	}
	if a.Hash != sad.Hash || !slices.EqualFunc(sorted(a.Digests), sad.Digests, slices.Equal) {
		return nil, fail(BadSAD, "the activation data is for other documents; authorise again")
	}
	if !schemeFits(a.Scheme, c.Type) {
		return nil, failf(BadRequest, "a key of type %s cannot sign with this scheme", c.Type)
	}
	return sad, nil
}

// consume is step 2 of sign. It returns the signatures when there are any.
func (v *server) consume(ctx context.Context, a *Activation, sad *claims) (row store.Spent, stored [][]byte, err error) {
	content := newMessage("sign").text(sad.ID).text(a.Scheme).text(a.Hash).list(a.Digests).sha256()
	expires := time.Unix(sad.Expires, 0)
	err = v.db.Write(ctx, func(tx *store.Tx) error {
		now := v.now()
		old, err := tx.Spent(sad.ID)
		switch store.KindOf(err) {
		case "":
			row = old
			if stored, err = v.resume(old, a.Request, content); err != nil || stored != nil {
				return err
			}
		case store.NotFound:
			row = store.Spent{JTI: sad.ID, Request: a.Request, Holder: sad.Subject, Credential: sad.Credential,
				Created: now, Expires: expires.Add(keepResults)}
		default:
			return err
		}
		if !now.Before(expires) || now.Unix() < sad.Issued-int64(time.Minute/time.Second) {
			return fail(ExpiredSAD, "the authorisation is too old; authorise again")
		}
		if old.JTI == "" {
			if err := v.unheardOf(tx, sad); err != nil {
				return err
			}
			if err := v.putSpent(tx, row, content); err != nil {
				return err
			}
			if row, err = tx.Spent(sad.ID); err != nil {
				return err
			}
		}
		ev := v.signatureEvent("signature.intent", a, sad)
		ev.Detail["resumed"] = strconv.FormatBool(old.JTI != "")
		return audit.Append(tx, now, ev)
	})
	if KindOf(err) == Tampered {
		v.noteTampered(ctx, a, sad, err)
	}
	return row, stored, because(err, "the intent to sign could not be written")
}

// unheardOf refuses a SAD that has no row although the journal speaks of it.
// Every entry about a SAD, the one of noteTampered too, is made when it has been
// consumed; so one suffices. Rows that are forgotten in good order are of SADs
// that have expired.
func (v *server) unheardOf(tx *store.Tx, sad *claims) error {
	about, err := tx.JournalOf(sad.ID, 1)
	if err != nil || len(about) == 0 {
		return err
	}
	return fail(Tampered, "the vault's record of this activation data was removed; nothing is signed with it")
}

// noteTampered journals that the record of a SAD is not as the vault left it:
// once for as long as nothing else happens to it, however often somebody tries.
func (v *server) noteTampered(ctx context.Context, a *Activation, sad *claims, cause error) {
	const name = "sad.tampered"
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		last, err := tx.JournalOf(sad.ID, 1)
		if err != nil || len(last) == 1 && last[0].Event == name {
			return err
		}
		return audit.Append(tx, v.now(), audit.Event{Actor: "vault", Event: name, Subject: sad.ID,
			Detail: map[string]string{"request": a.Request, "holder": sad.Subject, "credential": sad.Credential}})
	})
	if err != nil {
		v.log.Error("a tampered record could not be journalled", "err", err, "cause", cause)
	}
}

// resume says what is left to do for a SAD that was consumed before.
func (v *server) resume(old store.Spent, request string, content []byte) (stored [][]byte, err error) {
	was, stored, err := v.openSpent(old)
	if err != nil {
		return nil, err
	}
	if old.Request != request || !slices.Equal(was, content) {
		return nil, fail(SpentSAD, "this activation data was used already; authorise again")
	}
	if old.State == store.SpentDone && len(stored) == 0 {
		return nil, fail(ExpiredSAD, "the authorisation is too old; authorise again")
	}
	return stored, nil
}

// useKey is steps 3 and 4 of sign.
func (v *server) useKey(ctx context.Context, a *Activation, sad *claims) ([][]byte, error) {
	d, err := v.mint.secret(sad)
	if err != nil {
		return nil, err
	}
	defer clear(d[:])
	c := &a.Credential
	pub, err := x509.ParsePKIXPublicKey(c.PublicKey)
	if err != nil {
		return nil, because(err, "the credential's public key cannot be read")
	}
	opts := signerOpts(a.Scheme, hashes[a.Hash])
	signatures := make([][]byte, 0, len(a.Digests))
	err = v.tok.UseWrapped(ctx, keyMaster, d, c.wrapped(), func(key crypto.Signer) error {
		for _, digest := range a.Digests {
			if err := ctx.Err(); err != nil {
				return err
			}
			s, err := key.Sign(rand.Reader, digest, opts)
			if err != nil {
				return err
			}
			signatures = append(signatures, s)
		}
		return nil
	})
	if hsm.KindOf(err) == hsm.WrongSecret {
		return nil, &Error{Kind: Tampered, Msg: "the key does not open; restore the credential from a backup or issue a new one", Err: err}
	}
	if err != nil {
		return nil, because(err, "the token did not sign")
	}
	for i, digest := range a.Digests {
		if !verified(pub, digest, signatures[i], opts) {
			return nil, fail(Failed, "the token made a wrong signature; nothing was released, have the token checked")
		}
	}
	return signatures, nil
}

// finish is step 5 of sign. When the same request has been finished meanwhile,
// sent twice, the signatures stored first are everybody's answer.
func (v *server) finish(ctx context.Context, a *Activation, row store.Spent, signatures [][]byte) ([][]byte, error) {
	answer := signatures
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		err := v.setSpentDone(tx, row, signatures)
		if store.KindOf(err) == store.Conflict {
			now, err := tx.Spent(row.JTI)
			if err != nil {
				return err
			}
			answer, err = v.resume(now, row.Request, row.Binding[:bindingSize])
			return err
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, v.now(), v.signatureEvent("signature.done", a,
			&claims{ID: row.JTI, Subject: row.Holder, Credential: row.Credential}))
	})
	if err != nil {
		return nil, because(err, "the signatures could not be stored; send the same request again")
	}
	return answer, nil
}

// signatureEvent is about the SAD, not the request: whoever uses it again under
// another name must find it there.
func (v *server) signatureEvent(name string, a *Activation, sad *claims) audit.Event {
	ev := audit.Event{Actor: sad.Subject, Event: name, Subject: sad.ID, Detail: map[string]string{
		"request": a.Request, "credential": sad.Credential, "scheme": a.Scheme, "hash": a.Hash, "count": strconv.Itoa(len(a.Digests)),
	}}
	noteConfirmed(ev.Detail, sad.Confirmed)
	return ev
}

// journalFailure notes that an intent came to nothing. The intent stays: the
// same request may try again while the SAD is good.
func (v *server) journalFailure(ctx context.Context, a *Activation, sad *claims, cause error) {
	ev := v.signatureEvent("signature.failed", a, sad)
	ev.Detail["reason"] = string(KindOf(cause))
	if err := v.journal(ctx, ev); err != nil {
		v.log.Error("the failure of a signature could not be journalled", "err", err, "cause", cause)
	}
}

func signerOpts(scheme string, h crypto.Hash) crypto.SignerOpts {
	if scheme == schemePSS {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	return h
}

// verified reports whether signature is one over digest with the given options.
func verified(pub crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, signature)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(k, pss.Hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, opts.HashFunc(), digest, signature) == nil
	}
	return false
}

// settle looks after the intents that have no result: at the start each one is
// journalled, and again when its SAD has expired, when it is closed without
// signatures. It also forgets results nobody can ask for any more.
func (v *server) settle(ctx context.Context, start bool) error {
	return v.db.Write(ctx, func(tx *store.Tx) error {
		open, err := tx.SpentInState(store.SpentIntent)
		if err != nil {
			return err
		}
		now := v.now()
		for _, s := range open {
			if err := v.settleOne(tx, s, start, now); err != nil {
				return err
			}
		}
		_, err = tx.DeleteExpiredSpent(now)
		return err
	})
}

func (v *server) settleOne(tx *store.Tx, s store.Spent, start bool, now time.Time) error {
	what := "signature"
	if strings.HasPrefix(s.JTI, keyIntent) {
		what = "key"
	}
	ev := audit.Event{Actor: "vault", Event: what + ".unfinished", Subject: s.Request,
		Detail: map[string]string{"intent": s.JTI, "holder": s.Holder, "credential": s.Credential}}
	_, _, bad := v.openSpent(s)
	if bad != nil {
		ev.Detail["tampered"] = "true"
	}
	if now.After(s.Expires) {
		ev.Event = what + ".abandoned"
		close := v.setSpentDone
		if bad != nil { // without a good MAC it stays unusable
			close = func(tx *store.Tx, s store.Spent, _ [][]byte) error { return tx.SetSpentDone(s.JTI, []byte("tampered")) }
		}
		if err := close(tx, s, nil); err != nil {
			return err
		}
	} else if !start {
		return nil
	}
	return audit.Append(tx, now, ev)
}
