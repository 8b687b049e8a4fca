package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

// enrol makes the factors of a new holder, or of one who was recovered.
//
//  1. The request makes sense and the password is good enough.
//  2. Salt and OTP secret are drawn; verifier, sealed secret and MAC are made.
//  3. Durable: the holder's row (nobody may be enrolled twice: a web process that
//     was taken over cannot put its own factors in the place of a holder's, unless it
//     has the holder recovered, which destroys the holder's keys) and the journal
//     entry. The same request sent again replaces its own row as long as nothing was
//     done with it. The authenticator counts from its first code on; that is the first
//     thing a holder has to show.
//  4. The answer: the only time the OTP secret is outside the vault.
func (v *server) enrol(ctx context.Context, id string, e *Enrolment) (*enrolAnswer, error) {
	err := firstError(checkName("the holder", e.Holder, maxName), checkName("the user name", e.Username, maxName)) // 1
	if err != nil {
		return nil, err
	}
	if err := v.checkPassword(e.Password, e.Username); err != nil {
		return nil, err
	}
	code, isCode := auth.ParseActivationCode(e.Activation)
	if e.Activation != "" && !isCode {
		return nil, errActivation
	}
	secret, err := auth.NewOTPSecret() // 2
	if err != nil {
		return nil, because(err, "no random numbers")
	}
	defer clear(secret)
	f, err := v.makeFactors(ctx, e, secret)
	if err != nil {
		return nil, err
	}
	u := use{op: opEnrol, request: id, content: newMessage("enrol").text(e.Holder).text(e.Username).sha256()}
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 3
		s, again, err := v.enrollable(tx, e.Holder, u.binding(), code)
		if err != nil {
			return err
		}
		s.Factors, s.Pending, s.Enrolment = f.MAC, nil, u.binding()
		s.Devices = map[string]*deviceState{f.Devices[0].ID: {Added: millis(v.now())}}
		if !again {
			s.Generation++
		}
		if err := v.keepHolder(tx, s); err != nil || again {
			return err
		}
		return v.tellGeneration(tx, s, audit.Event{Actor: "vault", Event: holderEnrolled,
			Detail: map[string]string{"username": e.Username}})
	})
	if err != nil {
		return nil, because(err, "the enrolment could not be written")
	}
	return &enrolAnswer{Factors: *f, URI: auth.OTPURI("Sigillo", e.Username, secret)}, nil // 4
}

var errActivation = fail(NotAllowed, "the activation code is wrong or too old; ask for another")

// enrollable returns the state in which the holder can be enrolled: a fresh one, or
// that of a holder who was recovered and has the activation code. again: it is this
// request, sent again.
func (v *server) enrollable(tx *store.Tx, holder, request, code string) (s *holderState, again bool, err error) {
	enrolled := fail(NotAllowed, "this holder is enrolled already")
	if s, err = v.holder(tx, holder); err != nil {
		return nil, false, err
	}
	if s == nil {
		if _, err := tx.OTPState(holder); store.KindOf(err) != store.NotFound {
			return nil, false, firstError(err, enrolled)
		}
		if code != "" {
			return nil, false, errActivation
		}
		return &holderState{Holder: holder}, false, nil
	}
	if len(s.Factors) > 0 {
		if s.Enrolment != request || s.Pending != nil || s.Strangers.Failures+s.Known.Failures > 0 || s.used() {
			return nil, false, enrolled
		}
		return s, true, nil
	}
	if a := s.Activation; a == nil || code == "" || !v.now().Before(time.UnixMilli(a.Until)) ||
		!hmac.Equal(a.MAC, v.activationMAC(holder, code)) {
		return nil, false, errActivation
	}
	s.Activation = nil
	return s, false, nil
}

// used says whether the holder's present factors were ever right.
func (s *holderState) used() bool {
	for _, d := range s.Devices {
		if d.Confirmed {
			return true
		}
	}
	return false
}

func (v *server) makeFactors(ctx context.Context, e *Enrolment, secret []byte) (*Factors, error) {
	f := &Factors{Version: factorsVersion, Holder: e.Holder, Username: e.Username, Argon: v.cfg.Argon,
		Devices: []Device{{ID: newDeviceID(), Kind: TOTP, Created: v.now().UTC().Truncate(time.Second)}}}
	stretched, err := v.setPassword(ctx, f, e.Password)
	clear(stretched[:])
	if err != nil {
		return nil, err
	}
	return f, v.finishFactors(ctx, f, [][]byte{secret})
}

// setPassword gives a record another password, and returns it stretched.
func (v *server) setPassword(ctx context.Context, f *Factors, password []byte) (stretched [32]byte, err error) {
	f.Salt, f.Argon = make([]byte, saltSize), v.cfg.Argon
	rand.Read(f.Salt)
	if stretched, err = v.stretch(ctx, f, password); err != nil {
		return stretched, err
	}
	f.Verifier, err = v.verifier(ctx, f, &stretched)
	return stretched, err
}

// checkPassword says whether a password may become a holder's.
func (v *server) checkPassword(password []byte, username string) error {
	if err := auth.CheckPasswordBytes(password, username); err != nil {
		return &Error{Kind: WeakPassword, Msg: "the password is too weak: at least 12 characters, nothing well-known, not the user name", Err: err}
	}
	stolen, err := v.breached.Contains(password)
	if err != nil {
		return because(err, "the list of breached passwords cannot be read")
	}
	if stolen {
		return fail(WeakPassword, "this password was stolen elsewhere and is on the lists of those who guess; choose another")
	}
	return nil
}
