package vault

import (
	"context"
	"slices"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// keepResults is how long after its SAD expired a result can be asked for again
// by the request that got it.
const keepResults = 10 * time.Minute

// sign is the one place where a holder's key is used.
//
//  1. The SAD was minted here and is for this credential and this key, and the
//     digests are some of its own; the scheme fits the key. The credential is the
//     vault's own record. (EN 419 241-1 SRA_SKM: a signing key is used under the
//     signer's control only.)
//  2. In one transaction: the record of the credential is the current one and may
//     be used, and so may the delegation that the SAD is from; the digests are
//     consumed and the intent is journalled. Digests consumed by another request
//     are refused, and so is a SAD whose rows and journal do not agree; the same
//     request goes on where it stopped: if the result is durable it is the answer,
//     else the same digests are signed again. Only a first use and an unfinished
//     one want the SAD to be unexpired. See uses.go.
//  3. When all that is found good, and while it is being made durable, the token
//     derives the KEK and unwraps the key. It is not asked for a signature before
//     the intent is durable; if it cannot be made durable, the key is destroyed
//     unused.
//  4. The token signs the digests. Every signature is verified with the public key
//     before it is released: a wrong one, of a faulty token, can give the key away
//     (Boneh, DeMillo, Lipton 1997).
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
	key, err := v.holdKey(ctx, a, sad)
	if err != nil {
		return nil, err
	}
	defer key.drop()
	row, stored, err := v.consume(ctx, a, sad, key.unwrap) // 2, 3
	if err != nil || stored != nil {
		return stored, err
	}
	v.fault("intent")
	signatures, err := key.sign() // 4
	if err != nil {
		v.journalFailure(ctx, a, sad, row, err)
		return nil, err
	}
	v.fault("signed")
	if signatures, err = v.finish(ctx, a, sad, row, signatures); err != nil { // 5
		return nil, err
	}
	v.fault("done")
	return signatures, nil // 6
}

// admit is step 1 of sign.
func (v *server) admit(ctx context.Context, a *Activation) (*claims, error) {
	sad, err := v.sadFor(ctx, a.SAD, &a.Credential)
	if err != nil {
		return nil, err
	}
	if _, err := checkDigests(a.Hash, a.Digests, a.Credential.MaxDigests); err != nil {
		return nil, err
	}
	if err := a.ofKind(sad); err != nil {
		return nil, err
	}
	if a.Hash != sad.Hash || !newTaken(len(sad.Digests)).take(sad.Digests, a.authorised()) {
		return nil, fail(BadSAD, "the activation data is for other documents; authorise again")
	}
	if !schemeFits(a.Scheme, a.Credential.Type) {
		return nil, failf(BadRequest, "a key of type %s cannot sign with this scheme", a.Credential.Type)
	}
	return sad, nil
}

// sadFor reads a SAD that is for the credential c, which is the vault's own record.
func (v *server) sadFor(ctx context.Context, token string, c *Credential) (*claims, error) {
	sad, err := v.mint.read(token)
	if err != nil {
		return nil, err
	}
	if err := v.ownCredential(ctx, c); err != nil {
		return nil, err
	}
	if sad.Subject != c.Holder || sad.Credential != c.ID || sad.Epoch != c.Epoch || !slices.Equal(sad.Key, thumbprint(c.PublicKey)) {
		return nil, fail(BadSAD, "the activation data is for another credential; authorise again")
	}
	return sad, nil
}

// finish is step 5 of sign. When the same request has been finished meanwhile,
// sent twice, the signatures stored first are everybody's answer.
func (v *server) finish(ctx context.Context, a *Activation, sad *claims, row store.Spent, signatures [][]byte) ([][]byte, error) {
	answer := signatures
	err := v.db.WriteShared(ctx, func(tx *store.Tx) error {
		err := v.setSpentDone(tx, row, signatures)
		if store.KindOf(err) == store.Conflict {
			now, err := tx.Spent(row.JTI, row.Request)
			if err != nil {
				return err
			}
			answer, err = v.resume(now, row.Binding[:bindingSize])
			return err
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, v.now(), v.signatureEvent("signature.done", a, sad, row.Seq))
	})
	if err != nil {
		return nil, because(err, "the signatures could not be stored; send the same request again")
	}
	return answer, nil
}

// signatureEvent is about the SAD, not the request: whoever uses it again under
// another name must find it there.
func (v *server) signatureEvent(name string, a *Activation, sad *claims, use int) audit.Event {
	ev := audit.Event{Actor: sad.Subject, Event: name, Subject: sad.ID, Detail: map[string]string{
		"request": a.Request, "credential": sad.Credential, "scheme": a.Scheme, "hash": a.Hash, "count": strconv.Itoa(len(a.Digests)),
		"use": strconv.Itoa(use), "of": strconv.Itoa(sad.Count),
	}}
	if sad.Delegation != "" {
		ev.Detail["delegation"] = sad.Delegation
	}
	if sad.Capture != "" {
		ev.Detail["capture"] = sad.Capture
	}
	if sad.Documents {
		ev.Detail["documents"] = "true"
	}
	noteConfirmed(ev.Detail, sad.Confirmed)
	return ev
}

// journalFailure notes that an intent came to nothing. The intent stays: the
// same request may try again while the SAD is good.
func (v *server) journalFailure(ctx context.Context, a *Activation, sad *claims, row store.Spent, cause error) {
	ev := v.signatureEvent("signature.failed", a, sad, row.Seq)
	ev.Detail["reason"] = string(KindOf(cause))
	if err := v.journal(ctx, ev); err != nil {
		v.log.Error("the failure of a signature could not be journalled", "err", err, "cause", cause)
	}
}
