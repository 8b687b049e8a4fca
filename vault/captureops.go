package vault

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// content is what is asked for, without the factors: what a passkey of the operator signs.
func (n *NewCapture) content() []byte {
	c := &n.Credential
	return newMessage("open capture").text(n.Purpose).text(n.Operator.Holder).text(n.Holder).text(n.Tablet).text(c.ID).num(int64(c.Epoch)).
		bytes(thumbprint(c.PublicKey)).text(n.Hash).list(sorted(n.Digests)).bytes(n.Confirmed).text(n.Client).sha256()
}

// releases names what a match releases the key for. An Authorisation must ask for the same.
func releases(c *Credential, hash string, digests [][]byte, confirmed []byte) []byte {
	return newMessage("capture to sign").text(c.Holder).text(c.ID).num(int64(c.Epoch)).bytes(thumbprint(c.PublicKey)).
		text(hash).list(sorted(digests)).bytes(confirmed).sha256()
}

// context is what tablet and vault bind a signature to.
func (c *capture) context() []byte {
	return newMessage("sigillo capture context v1").text(c.ID).text(c.Purpose).text(c.Holder).text(c.Operator).text(c.Tablet).
		text(c.Credential).bytes(c.Content).sha256()
}

func (n *NewCapture) check() error {
	err := firstError(checkName("the holder", n.Holder, maxName), checkName("the tablet", n.Tablet, maxCN), checkName("the client", n.Client, maxName),
		checkName("the request", n.Request, maxName), checkPresence(&n.Operator, &n.Presence))
	switch {
	case err != nil:
		return err
	case n.Operator.Holder == n.Holder:
		return fail(NotAllowed, "the operator cannot be the customer; another member of the staff has to do it")
	case n.Purpose == ToEnrol && (n.Credential.ID != "" || n.Hash != "" || len(n.Digests) > 0 || len(n.Confirmed) > 0):
		return fail(BadRequest, "a capture to enrol is for no documents")
	case n.Purpose == ToEnrol:
		return nil
	case n.Purpose != ToSign:
		return fail(BadRequest, `a capture is to "enrol" or to "sign"`)
	}
	if _, err := checkDigests(n.Hash, n.Digests, MaxDigests); err != nil {
		return err
	}
	if !isConfirmation(n.Confirmed) {
		return fail(BadRequest, "what was confirmed is named by its SHA-256")
	}
	return nil
}

// releasable refuses a credential that a match does not release, or not for so many
// digests.
func (v *server) releasable(ctx context.Context, op string, c *Credential, digests int) error {
	if err := v.usable(ctx, op, c); err != nil {
		return err
	}
	if !c.Graphometric {
		return fail(NotAllowed, "this credential is not released by a handwritten signature")
	}
	if digests > c.MaxDigests {
		return failf(NotAllowed, "%d digests asked for; this credential signs %d at once", digests, c.MaxDigests)
	}
	return nil
}

// openCapture opens a capture.
//
//  1. The request makes sense. To sign: the credential is the vault's own, the current one,
//     graphometric and the holder's; its signature is not locked. The tablet is known.
//  2. The operator's presence, for exactly this. Durable, in one transaction: the second
//     factor is used up; 1 is so still; what was open at this tablet, or for this credential,
//     is closed; the capture is open; the journal.
//  3. The answer.
func (v *server) openCapture(ctx context.Context, n *NewCapture) (*Capture, error) {
	if err := firstError(v.withTemplates(), n.check()); err != nil { // 1
		return nil, err
	}
	if err := v.adoptShown(ctx, &n.Operator); err != nil {
		return nil, err
	}
	c := &capture{Purpose: n.Purpose, Operator: n.Operator.Holder, Holder: n.Holder, Tablet: n.Tablet, Client: n.Client}
	detail := map[string]string{"purpose": n.Purpose, "holder": n.Holder, "tablet": n.Tablet, "client": n.Client}
	if n.Purpose == ToSign {
		if err := v.releasable(ctx, opOpenCapture, &n.Credential, len(n.Digests)); err != nil {
			return nil, err
		}
		if n.Credential.Holder != n.Holder {
			return nil, fail(NotAllowed, "this credential belongs to another holder")
		}
		c.Credential, c.Content = n.Credential.ID, releases(&n.Credential, n.Hash, n.Digests, n.Confirmed)
		detail["credential"], detail["hash"], detail["count"] = n.Credential.ID, n.Hash, strconv.Itoa(len(n.Digests))
		noteConfirmed(detail, n.Confirmed)
	}
	allowed := func(tx *store.Tx) error { return v.mayCapture(tx, n) }
	if err := v.db.Read(ctx, allowed); err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	u := present(use{op: opOpenCapture, request: n.Request, content: n.content(),
		event: audit.Event{Actor: n.Operator.Holder, Event: "operator.present", Subject: n.Request, Detail: detail}})
	c.Request = u.binding()
	u.then = func(tx *store.Tx, s *holderState) (err error) {
		c, err = v.newCapture(tx, n, c, s.Serial)
		return err
	}
	who, err := v.checkFactors(ctx, &n.Operator, &n.Presence, u) // 2
	who.wipe()
	if err != nil {
		return nil, err
	}
	return &Capture{ID: c.ID, Expires: time.UnixMilli(c.Expires).UTC()}, nil // 3
}

// mayCapture says whether a capture may be opened on a state.
func (v *server) mayCapture(tx *store.Tx, n *NewCapture) error {
	t, err := v.tabletForUse(tx, n.Tablet)
	if err != nil || n.Purpose == ToEnrol {
		return err
	}
	if err := v.current(tx, &n.Credential); err != nil {
		return err
	}
	p, err := v.profile(tx, n.Credential.ID)
	if err != nil {
		return err
	}
	if p.Class != t.Class {
		return fail(NotAllowed, "the customer was enrolled on another kind of tablet; use one of that kind, or enrol anew")
	}
	return p.locked(v.now())
}

// newCapture is what openCapture does with the presence: c, or the one that this request
// opened before.
func (v *server) newCapture(tx *store.Tx, n *NewCapture, c *capture, serial int64) (*capture, error) {
	c.ID = newJTI(&v.rowKey, "capture "+c.Request, n.Operator.Holder, serial)
	switch old, err := v.capture(tx, c.ID); {
	case err == nil && old.Request == c.Request:
		return old, nil
	case err != errCapture:
		return nil, firstError(err, errCapture)
	}
	if err := v.mayCapture(tx, n); err != nil {
		return nil, err
	}
	if err := v.endCapturesAt(tx, c.Tablet, "another was opened at the tablet"); err != nil {
		return nil, err
	}
	if err := v.endCapturesFor(tx, c.Holder, c.Credential, "another was opened for the customer"); err != nil {
		return nil, err
	}
	now := v.now()
	c.Opened, c.Expires = millis(now), millis(now.Add(CaptureLife))
	c.Context = c.context()
	if c.Purpose == ToSign {
		if err := tx.Count(countCaptures, 1); err != nil {
			return nil, err
		}
	}
	return c, v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureOpened, Detail: map[string]string{"client": c.Client}})
}

const captureNonce = 32

// armCapture makes nonce and key for one signature. Nothing of it is durable: a vault that
// is started again has it armed again. It is done in the place of a change, though it
// changes no row: else a capture that ends at this moment would be open again in memory,
// with the signatures of an enrolment.
func (v *server) armCapture(ctx context.Context, id string) (*Armed, error) {
	if err := checkName("the capture", id, maxName); err != nil {
		return nil, err
	}
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, because(err, "no random numbers")
	}
	now := v.now()
	a := &armed{nonce: make([]byte, captureNonce), key: key, from: now, until: now.Add(ArmedLife)}
	rand.Read(a.nonce)
	v.fault("arming")
	var c *capture
	err = v.db.Write(ctx, func(tx *store.Tx) (err error) {
		if c, err = v.capture(tx, id); err != nil {
			return err
		}
		if err := c.is(c.Purpose, now); err != nil {
			return err
		}
		if _, err = v.tabletForUse(tx, c.Tablet); err != nil {
			return err
		}
		x, err := v.sessions.of(c, now)
		if err == nil {
			v.sessions.arm(x, a)
		}
		return err
	})
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	return &Armed{Nonce: a.nonce, PublicKey: key.PublicKey().Bytes(), Context: c.Context, Expires: a.until.UTC()}, nil
}
