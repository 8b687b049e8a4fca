package vault

import (
	"context"
	"encoding/hex"
	"strconv"

	"sigillo/audit"
)

// authorise mints a SAD.
//
//  1. The request makes sense: names, hash function, length of each digest.
//  2. The credential is the vault's own record and the current one, of this holder,
//     and signs as many digests at once.
//  3. The holder's factors (EN 419 241-1 SRA_SAP.1: the signer is authenticated
//     for this activation). Durable: the OTP step and the journal entry with the
//     SAD's identifier and a hash of what was asked for.
//  4. What the KEK is derived from is made of the password and sealed into the
//     SAD, which is bound to holder, credential, key, digests and five minutes.
//     Nothing of it is durable; a SAD that is lost is authorised again.
func (v *server) authorise(ctx context.Context, a *Authorisation) (*SAD, error) {
	c := &a.Credential
	if a.Capture != nil || c.Graphometric {
		return v.authoriseCaptured(ctx, a)
	}
	err := firstError(checkName("the client", a.Client, maxName), checkName("the request", a.Request, maxName)) // 1
	if err != nil {
		return nil, err
	}
	if _, err := checkDigests(a.Hash, a.Digests, MaxDigests); err != nil {
		return nil, err
	}
	if err := a.checkApplication(); err != nil {
		return nil, err
	}
	if !isConfirmation(a.Confirmed) {
		return nil, fail(BadRequest, "what was confirmed is named by its SHA-256")
	}
	if err := v.adoptShown(ctx, &a.Factors); err != nil {
		return nil, err
	}
	if err := v.usable(ctx, opAuthorise, c); err != nil { // 2
		return nil, err
	}
	if c.Holder != a.Factors.Holder {
		return nil, fail(NotAllowed, "this credential belongs to another holder")
	}
	if len(a.Digests) > c.MaxDigests {
		return nil, failf(NotAllowed, "%d digests asked for; this credential signs %d at once", len(a.Digests), c.MaxDigests)
	}
	u := use{op: opAuthorise, request: a.Request, content: a.content(), open: a.open(),
		event: audit.Event{Actor: c.Holder, Event: "signature.authorised", Subject: a.Request, Detail: map[string]string{
			"credential": c.ID, "client": a.Client, "hash": a.Hash, "count": strconv.Itoa(len(a.Digests)),
		}}}
	if a.Documents {
		u.event.Detail["documents"] = "true"
	}
	if a.Application != "" {
		u.event.Detail["application"] = a.Application
	}
	noteConfirmed(u.event.Detail, a.Confirmed)
	who, err := v.checkFactors(ctx, &a.Factors, &a.Evidence, u) // 3
	defer who.wipe()
	if err != nil {
		return nil, err
	}
	v.fault("authorised")
	now := v.now() // 4
	d := kekSecret(&who.stretched, c)
	defer clear(d[:])
	s, err := v.mint.issue(claims{
		Subject: c.Holder, Credential: c.ID, Epoch: c.Epoch, Key: thumbprint(c.PublicKey), Hash: a.Hash, Digests: sorted(a.Digests),
		Documents: a.Documents, Count: len(a.Digests), Confirmed: a.Confirmed, AMR: who.methods, Client: a.Client,
		Authorised: min(who.at.Unix(), now.Unix()), ID: newJTI(&v.rowKey, u.binding(), c.Holder, who.serial),
	}, &d, now)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// content is what is asked for, without the factors. An application is asking from
// wherever it is: of one, the address in Client is no part of it.
func (a *Authorisation) content() []byte {
	c, purpose, who := &a.Credential, "authorise", a.Client
	if a.Application != "" {
		purpose, who = "authorise for an application", a.Application
	}
	return newMessage(purpose).text(c.Holder).text(c.ID).bytes(thumbprint(c.PublicKey)).
		text(a.Hash).list(sorted(a.Digests)).bytes(a.Confirmed).text(strconv.FormatBool(a.Documents)).text(who).sha256()
}

// open is what a code or a challenge is bound to that an application asks for before it
// has the digests: to itself and the credential. Nil where no application asks.
func (a *Authorisation) open() []byte {
	if a.Application == "" {
		return nil
	}
	c := &a.Credential
	return newMessage("authorise anything for an application").text(c.Holder).text(c.ID).bytes(thumbprint(c.PublicKey)).text(a.Application).sha256()
}

// checkApplication refuses names that cannot be shown.
func (a *Authorisation) checkApplication() error {
	if a.Application == "" {
		return nil
	}
	return firstError(checkName("the application", a.Application, maxName), checkName("the credential", a.Credential.ID, maxName))
}

// noteConfirmed lets an entry of the journal name what was confirmed.
func noteConfirmed(detail map[string]string, confirmed []byte) {
	if len(confirmed) > 0 {
		detail["confirmed"] = hex.EncodeToString(confirmed)
	}
}
