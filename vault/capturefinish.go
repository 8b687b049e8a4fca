package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/store"
)

// content is what is asked for, without the factors: what a passkey of the second member
// signs.
func (f *FinishEnrolment) content() []byte {
	return newMessage("finish enrolment").text(f.Capture).text(f.Second.Holder).bytes(f.Consent).text(f.ID).text(string(f.Type)).
		num(int64(f.MaxDigests)).text(f.Client).sha256()
}

func (f *FinishEnrolment) check() error {
	err := firstError(checkName("the capture", f.Capture, maxName), checkName("the credential", f.ID, maxCN), checkName("the client", f.Client, maxName),
		checkName("the request", f.Request, maxName), checkPresence(&f.Second, &f.SecondPresence))
	if err != nil {
		return err
	}
	if _, ok := isRSA(f.Type); !ok {
		return fail(BadRequest, "the key type must be p256, p384, rsa2048, rsa3072 or rsa4096")
	}
	if f.MaxDigests < 1 || f.MaxDigests > MaxDigests {
		return failf(BadRequest, "a credential signs 1 to %d digests at once", MaxDigests)
	}
	if len(f.Consent) != sha256.Size {
		return fail(BadRequest, "the text that was agreed to is named by its SHA-256: without consent nobody is enrolled")
	}
	return nil
}

// finishEnrolment makes a credential that is released by a match.
//
//  1. The request makes sense. The capture is open, to enrol, and has signatures enough; the
//     second member is neither the operator nor the customer; the name is free.
//  2. The second member's presence, for exactly this. Durable: the second factor is used up,
//     the intent is in the journal.
//  3. The profile is made of the signatures. The token makes the key, wraps it under a KEK
//     that hangs from 32 random bytes, and signs a PKCS#10 request with it.
//  4. Those bytes and the profile are encrypted together, under a key that the token wraps.
//  5. The record gets the token's MAC. Durable, in one transaction: that it is the current
//     one; the profile; the capture is used up; the journal. The signatures are forgotten.
//  6. The answer, which is kept for as long as the capture is: it can be asked for again.
func (v *server) finishEnrolment(ctx context.Context, f *FinishEnrolment) (*credentialAnswer, error) {
	if err := firstError(v.withTemplates(), f.check()); err != nil { // 1
		return nil, err
	}
	if err := v.adoptShown(ctx, &f.Second); err != nil {
		return nil, err
	}
	if made, err := v.finished(ctx, f); made != nil || err != nil {
		return made, err
	}
	c, t, x, leave, err := v.enrolling(ctx, f.Capture)
	if err != nil {
		return nil, err
	}
	defer leave()
	if f.Second.Holder == c.Operator || f.Second.Holder == c.Holder {
		return nil, fail(NotAllowed, "an enrolment takes a second member of the staff: neither the operator nor the customer")
	}
	cred := &Credential{ID: f.ID, Holder: c.Holder, Epoch: 1, Type: f.Type, MaxDigests: f.MaxDigests, Graphometric: true}
	u := present(use{op: opFinishEnrolment, request: f.Request, content: f.content(),
		event: audit.Event{Actor: f.Second.Holder, Event: "enrolment.intent", Subject: c.ID, Detail: map[string]string{
			"credential": cred.ID, "holder": c.Holder, "operator": c.Operator, "type": string(f.Type), "maxDigests": strconv.Itoa(f.MaxDigests),
			"consent": hex.EncodeToString(f.Consent), "client": f.Client}}})
	if err := v.db.Read(ctx, func(tx *store.Tx) error { return v.freeName(tx, cred, u.binding()) }); err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	free, err := v.turn(ctx)
	if err != nil {
		return nil, err
	}
	of, err := v.learned(x)
	free()
	if err != nil {
		return nil, err
	}
	defer of.Wipe()
	who, err := v.checkFactors(ctx, &f.Second, &f.SecondPresence, u) // 2
	who.wipe()
	if err != nil {
		return nil, err
	}
	v.fault("enrolment-checked")
	p := &profile{Credential: cred.ID, Holder: c.Holder, Class: t.Class, Version: 1, First: 2, Consent: f.Consent, Operator: c.Operator,
		Second: f.Second.Holder, Enrolled: millis(v.now())}
	made, tpl, err := v.makeGraphometric(ctx, cred, p, of) // 3, 4
	if err != nil {
		return nil, err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 5
		now, err := v.capture(tx, c.ID)
		if err != nil || now.version != c.version {
			return firstError(err, errBusyCapture)
		}
		return v.enrolledAs(tx, now, p, tpl, made, u.binding())
	})
	if err != nil {
		return nil, because(err, "the credential could not be written down")
	}
	v.fault("enrolled")
	return made, nil // 6
}

// finished returns what this request made before.
func (v *server) finished(ctx context.Context, f *FinishEnrolment) (made *credentialAnswer, err error) {
	err = v.db.Read(ctx, func(tx *store.Tx) error {
		c, err := v.capture(tx, f.Capture)
		if err != nil || c.End != endEnrolled {
			return err
		}
		binding := use{op: opFinishEnrolment, request: f.Request, content: f.content()}.binding()
		if c.Finished != binding {
			return errCapture
		}
		made = c.Made
		return nil
	})
	return made, because(err, "the vault's state cannot be read")
}

// makeGraphometric is steps 3 and 4 of finishEnrolment.
func (v *server) makeGraphometric(ctx context.Context, c *Credential, p *profile, of *graphometric.Profile) (*credentialAnswer, *store.Template, error) {
	var secret [secretSize]byte
	defer clear(secret[:])
	rand.Read(secret[:])
	d := kekSecret(&secret, c)
	defer clear(d[:])
	a := &credentialAnswer{}
	w, err := v.tok.GenerateWrapped(ctx, keyMaster, d, c.Type, func(key crypto.Signer) (err error) {
		a.CSR, err = newCSR(c.ID, key)
		return err
	})
	if err != nil {
		return nil, nil, because(err, "the token did not make the key")
	}
	c.PublicKey, c.Wrapped = w.SPKI, w.Blob
	t, err := v.sealTemplate(ctx, p, 1, of.Algorithm(), "enrolled", &secret, of)
	if err != nil {
		return nil, nil, err
	}
	if c.MAC, err = v.tok.MAC(ctx, keyMAC, credentialMessage(c)); err != nil {
		return nil, nil, because(err, "the token did not sign the record of the credential")
	}
	a.Credential = *c
	return a, &t, nil
}

// enrolledAs is step 5 of finishEnrolment.
func (v *server) enrolledAs(tx *store.Tx, c *capture, p *profile, t *store.Template, made *credentialAnswer, binding string) error {
	detail := map[string]string{"key": hex.EncodeToString(thumbprint(made.Credential.PublicKey)), "capture": c.ID, "graphometric": "true"}
	err := v.newCredentialRow(tx, &made.Credential, binding, audit.Event{Actor: c.Operator, Event: credentialCreated, Detail: detail})
	if err != nil {
		return err
	}
	ev := audit.Event{Actor: c.Operator, Event: profileEnrolled, Detail: map[string]string{"capture": c.ID, "second": p.Second,
		"consent": hex.EncodeToString(p.Consent), "class": p.Class, "algorithm": t.Algorithm}}
	if err := firstError(v.putTemplate(tx, p, *t, ev), tx.Count(countEnrolments, 1)); err != nil {
		return err
	}
	c.Finished, c.Made = binding, made
	c.over(endEnrolled, v.now())
	return v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureEnrolled, Detail: map[string]string{
		"credential": made.Credential.ID, "second": p.Second, "tries": strconv.Itoa(c.Tries)}})
}
