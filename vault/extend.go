package vault

import (
	"context"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// SADChain is how long after the holder authorised it a SAD can be good, however
// often it is extended.
const SADChain = 15 * time.Minute

// Extension asks for a fresh SAD in the place of one that is good still and has not
// signed everything (CSC API, credentials/extendTransaction). Digests are some of
// those not signed yet; none stand for all of them. New digests want the holder's
// factors.
type Extension struct {
	SAD        string     `json:"sad"`
	Credential Credential `json:"credential"`
	Digests    [][]byte   `json:"digests,omitempty"`
	Client     string     `json:"client"`
	Request    string     `json:"request"`
}

// ExtendSAD consumes a SAD and mints another, for what the first has not signed, or
// some of it; what is not taken over is lost. The new one is good for five minutes at
// most and never longer than [SADChain] after the holder authorised the first. Sent
// again under the same Request it gets the same SAD. SpentSAD when nothing is left, or
// not these digests; ExpiredSAD when the SAD or the chain is too old.
func (c *Client) ExtendSAD(ctx context.Context, e Extension) (s SAD, err error) {
	return s, c.call(ctx, opExtendSAD, e, &s)
}

// extendSAD mints a SAD in the place of another.
//
//  1. The request makes sense; the SAD was minted here and is for this credential,
//     the vault's own record, and the digests are some of its own.
//  2. Durable, in one transaction, as in sign: the credential, and the delegation if
//     there is one, may be used; all that is left of the SAD is consumed. The row says
//     for which digests the next SAD is.
//  3. The next SAD is minted, with the age and the authentication of the first. Its
//     identifier follows from that of the one before and the request.
func (v *server) extendSAD(ctx context.Context, e *Extension) (*SAD, error) {
	err := firstError(checkName("the client", e.Client, maxName), checkName("the request", e.Request, maxName)) // 1
	if err != nil {
		return nil, err
	}
	sad, err := v.sadFor(ctx, e.SAD, &e.Credential)
	if err != nil {
		return nil, err
	}
	if len(e.Digests) > 0 {
		if _, err := checkDigests(sad.Hash, e.Digests, MaxDigests); err != nil {
			return nil, err
		}
		if !newTaken(len(sad.Digests)).take(sad.Digests, e.Digests) {
			return nil, fail(BadSAD, "the activation data is for other documents; authorise again")
		}
	}
	content := newMessage("extend").text(sad.ID).list(sorted(e.Digests)).text(e.Client).sha256()
	next := *sad
	next.ID = newJTI(&v.rowKey, "extend:"+sad.ID+":"+e.Request, sad.Subject, 0)
	var row store.Spent
	err = v.db.WriteShared(ctx, func(tx *store.Tx) (err error) { // 2
		row, next.Digests, err = v.moveOn(tx, e, sad, next.ID, content)
		return err
	})
	switch {
	case aboutCredential(err):
		v.noteCredential(ctx, opExtendSAD, &e.Credential, err)
	case KindOf(err) == Tampered:
		v.noteTampered(ctx, e.Request, sad, err)
	}
	if err != nil {
		return nil, because(err, "the extension could not be written")
	}
	v.fault("extended")
	d, err := v.mint.secret(sad) // 3
	if err != nil {
		return nil, err
	}
	defer clear(d[:])
	next.Count, next.Client = len(next.Digests), e.Client
	s, err := v.mint.issue(next, &d, row.Created)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// moveOn consumes what is left of a SAD and says for which digests the next one is.
func (v *server) moveOn(tx *store.Tx, e *Extension, sad *claims, jti string, content []byte) (row store.Spent, digests [][]byte, err error) {
	now := v.now()
	until, err := v.stands(tx, sad)
	if err := firstError(v.current(tx, &e.Credential), err); err != nil {
		return row, nil, err
	}
	u, err := v.usageOf(tx, sad, e.Request)
	if err != nil {
		return row, nil, err
	}
	if u.mine.Seq != 0 {
		if digests, err = v.resume(u.mine, content); err == nil && len(digests) == 0 {
			err = errSpentTampered // an extension has its result from the beginning
		}
		return u.mine, digests, err
	}
	digests = u.taken.left(sad.Digests)
	if len(digests) == 0 || len(e.Digests) > 0 && !u.taken.take(sad.Digests, e.Digests) {
		return row, nil, u.spent(tx, sad)
	}
	if err := firstError(sad.inTime(now, until), u.agrees(tx, sad)); err != nil {
		return row, nil, err
	}
	if now.Unix() >= sad.Authorised+int64(SADChain/time.Second) {
		return row, nil, fail(ExpiredSAD, "the authorisation is too old; authorise again")
	}
	if len(e.Digests) > 0 {
		digests = sorted(e.Digests)
	}
	u.taken.take(sad.Digests, u.taken.left(sad.Digests))
	if row, err = v.putSpent(tx, u.next(sad, e.Request, u.taken, now), content); err != nil {
		return row, nil, err
	}
	if err := v.setSpentDone(tx, row, digests); err != nil {
		return row, nil, err
	}
	return row, digests, audit.Append(tx, now, audit.Event{Actor: sad.Subject, Event: "signature.extended", Subject: sad.ID,
		Detail: map[string]string{"request": e.Request, "credential": sad.Credential, "client": e.Client, "next": jti,
			"count": strconv.Itoa(len(digests)), "uses": strconv.Itoa(row.Seq)}})
}
