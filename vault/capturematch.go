package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/store"
)

// How a holder was authenticated at the counter: values of amr that RFC 8176 does not have.
const (
	amrGraphometric = "graphometric" // a match of the handwritten signature
	amrOperator     = "operator"     // in the presence of an operator, who showed a second factor
)

// looked is what authoriseCaptured reads of the state.
type looked struct {
	capture  *capture
	tablet   *tablet
	profile  *profile
	template store.Template
}

func (v *server) look(tx *store.Tx, a *Authorisation) (l looked, err error) {
	if l.capture, err = v.capture(tx, a.Capture.Capture); err != nil {
		return l, err
	}
	if l.capture.Purpose != ToSign || l.capture.Credential != a.Credential.ID || !same(l.capture.Content, releases(&a.Credential, a.Hash, a.Digests, a.Confirmed)) {
		return l, errOtherUse
	}
	if l.tablet, err = v.tabletForUse(tx, l.capture.Tablet); err != nil {
		return l, err
	}
	if l.profile, err = v.profile(tx, a.Credential.ID); err != nil {
		return l, err
	}
	l.template, err = tx.Template(a.Credential.ID, l.profile.Version)
	if store.KindOf(err) == store.NotFound {
		err = errCounterRow
	}
	return l, err
}

// binding tells the repetition of a request from another.
func (a *Authorisation) binding() string {
	content := newMessage("authorise captured").bytes(releases(&a.Credential, a.Hash, a.Digests, a.Confirmed)).text(a.Client).sha256()
	return hex.EncodeToString(content) + ":" + opAuthorise + ":" + a.Request
}

// authoriseCaptured mints a SAD by a match.
//
//  1. The request makes sense. The credential is the vault's own record, the current one,
//     and graphometric.
//  2. The capture is open, and for exactly this: an operator was there (openCapture). Its
//     tablet is known still. A signature that was looked at before gets the answer it got.
//  3. The signature is opened: signed by the tablet, for this capture, for the nonce it was
//     armed with last, within two minutes. The nonce is spent.
//  4. Durable: the attempt is counted as a mismatch, in the capture and in the day of the
//     profile, so that who kills the vault in time has not tried for nothing.
//  5. It is compared with the profile.
//  6. Durable, in one transaction, before anybody knows: what came of it; the signature's
//     fingerprint, so that it is good once; of a match, that it was none of the day's
//     mismatches, the next version of the profile, and that the capture is used up; the
//     journal.
//  7. The answer: a match gives the SAD, bound to holder, credential, key and digests.
func (v *server) authoriseCaptured(ctx context.Context, a *Authorisation) (*SAD, error) {
	if err := v.admitCaptured(ctx, a); err != nil { // 1
		return nil, err
	}
	var l looked
	read := func(tx *store.Tx) (err error) { l, err = v.look(tx, a); return err }
	if err := v.db.Read(ctx, read); err != nil { // 2
		return nil, because(err, "the vault's state cannot be read")
	}
	x, err := v.sessions.of(l.capture, v.now())
	if err != nil {
		return nil, err
	}
	if !x.busy.TryLock() {
		return nil, errBusyCapture
	}
	defer v.sessions.leave(x)
	if err := v.db.Read(ctx, read); err != nil { // as it is now
		return nil, because(err, "the vault's state cannot be read")
	}
	if same(l.capture.Last, a.Capture.digest()) && v.now().Sub(time.UnixMilli(l.capture.LastAt)) < retryFor {
		return v.answerAgain(ctx, a, &l)
	}
	if err := firstError(l.capture.is(ToSign, v.now()), l.profile.locked(v.now())); err != nil {
		return nil, err
	}
	if l.capture.Attempts >= MaxAttempts { // the last one died with the vault
		return nil, errUnrecognised
	}
	s, err := v.receive(ctx, l.capture, l.tablet, a.Capture) // 3
	if err != nil {
		return nil, err
	}
	defer s.release()
	before := l.profile.mismatches
	if err := v.change(ctx, a, &l, v.tried); err != nil { // 4
		return nil, err
	}
	v.fault("tried")
	r, err := v.compare(ctx, l.profile, &l.template, &a.Credential, s.sample) // 5
	defer clear(r.d[:])
	if err != nil { // nothing was compared
		back := func(tx *store.Tx, _ *Authorisation, l *looked) error { return v.untried(tx, l, before, err) }
		return nil, firstError(v.conclude(ctx, a, &l, back), err)
	}
	v.fault("compared")
	if r.decision == graphometric.Match {
		r.impostor = v.impostors(ctx, l.profile, s.sample)
	}
	print := v.fingerprintOf(s.sample)
	err = v.conclude(ctx, a, &l, func(tx *store.Tx, a *Authorisation, l *looked) error { return v.ruled(tx, a, l, &r, print, before) }) // 6
	if err != nil {
		return nil, err
	}
	v.fault("matched")
	if err := l.capture.answer(); err != nil { // 7
		return nil, err
	}
	return v.mintCaptured(a, l.capture, &r.d)
}

// change does something on the state as it is now, if that is what was looked at.
func (v *server) change(ctx context.Context, a *Authorisation, l *looked, do func(*store.Tx, *Authorisation, *looked) error) error {
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		now, err := v.look(tx, a)
		switch {
		case err != nil:
			return err
		case now.capture.version != l.capture.version || now.profile.version != l.profile.version:
			return errBusyCapture
		}
		*l = now
		return firstError(v.current(tx, &a.Credential), do(tx, a, l))
	})
	return because(err, "the vault's state cannot be written")
}

// conclude is change for what came of an attempt. It has a time of its own: else one that
// took too long, because token or processors were busy, would stay a mismatch.
func (v *server) conclude(ctx context.Context, a *Authorisation, l *looked, do func(*store.Tx, *Authorisation, *looked) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return v.change(ctx, a, l, do)
}

// admitCaptured is step 1 of authoriseCaptured.
func (v *server) admitCaptured(ctx context.Context, a *Authorisation) error {
	err := firstError(v.withTemplates(), checkName("the client", a.Client, maxName), checkName("the request", a.Request, maxName))
	switch {
	case err != nil:
		return err
	case a.Capture == nil:
		return fail(NotAllowed, "this credential is released by a handwritten signature, at a counter, and by nothing else")
	case len(a.Password) > 0 || a.OTP != "" || len(a.Passkey) > 0:
		return fail(BadRequest, "beside a handwritten signature there is neither password nor code")
	case a.Documents || a.Application != "":
		return fail(NotAllowed, "at the counter what is signed is prepared here, by nobody else")
	case !isConfirmation(a.Confirmed):
		return fail(BadRequest, "what was confirmed is named by its SHA-256")
	}
	if _, err := checkDigests(a.Hash, a.Digests, MaxDigests); err != nil {
		return err
	}
	if err := a.Capture.check(); err != nil {
		return err
	}
	return v.releasable(ctx, opAuthorise, &a.Credential, len(a.Digests))
}

// answerAgain answers the repetition of a request.
func (v *server) answerAgain(ctx context.Context, a *Authorisation, l *looked) (*SAD, error) {
	if err := l.capture.answer(); err != nil {
		return nil, err
	}
	if !bytes.Equal([]byte(l.capture.Granted), []byte(a.binding())) {
		return nil, errOtherUse
	}
	plain, err := v.openTemplate(ctx, l.profile, &l.template)
	if err != nil {
		return nil, err
	}
	defer plain.release()
	secret := [secretSize]byte(plain.b[:secretSize])
	defer clear(secret[:])
	d := kekSecret(&secret, &a.Credential)
	defer clear(d[:])
	return v.mintCaptured(a, l.capture, &d)
}

var capturedMethods = []string{amrGraphometric, amrOperator}

// mintCaptured is step 7 of authoriseCaptured.
func (v *server) mintCaptured(a *Authorisation, of *capture, d *[32]byte) (*SAD, error) {
	c, now := &a.Credential, v.now()
	s, err := v.mint.issue(claims{
		Subject: c.Holder, Credential: c.ID, Epoch: c.Epoch, Key: thumbprint(c.PublicKey), Hash: a.Hash, Digests: sorted(a.Digests),
		Count: len(a.Digests), Confirmed: a.Confirmed, AMR: capturedMethods, Capture: of.ID, Client: a.Client,
		Authorised: min(of.LastAt/1000, now.Unix()), ID: newJTI(&v.rowKey, "captured "+of.Granted, c.Holder, of.LastAt),
	}, d, now)
	if err != nil {
		return nil, err
	}
	return &s, nil
}
