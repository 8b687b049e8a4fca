package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

// The labels of the vault's own keys in the token.
const (
	keyMaster = "holder-master" // derives the KEKs of holders' keys
	keyMAC    = "vault-mac"     // MACs of records; the keys of this process
	keySeal   = "vault-seal"    // seals OTP secrets
)

const (
	factorsVersion = 1
	saltSize       = 16
	// retryFor is how long after its step a code may be repeated by the same
	// request: its window, and the time to start the vault again.
	retryFor = 3 * time.Minute
	// tamperedEvery is how often the journal hears that one holder's record was
	// tampered with: who sends such records must not fill the disk.
	tamperedEvery = 10 * time.Minute
)

func factorsMessage(f *Factors) message {
	return newMessage("sigillo factors v1").num(int64(f.Version)).text(f.Holder).text(f.Username).bytes(f.Salt).
		num(int64(f.Argon.MemoryKiB)).num(int64(f.Argon.Time)).num(int64(f.Argon.Threads)).bytes(f.Verifier).bytes(f.OTP)
}

func otpContext(holder string) []byte { return newMessage("sigillo otp secret v1").text(holder) }

// verifier makes the token's MAC over what the stretched password gives for
// verification. Who has the database cannot try passwords against it without
// the token; what it is made of says nothing about the value that unlocks keys.
func (v *server) verifier(ctx context.Context, f *Factors, stretched *[32]byte) ([]byte, error) {
	d := auth.Derive(*stretched, string(newMessage("sigillo verify v1").text(f.Holder)))
	defer clear(d[:])
	m := newMessage("sigillo verifier v1").text(f.Holder).bytes(f.Salt).bytes(d[:])
	defer clear(m)
	mac, err := v.tok.MAC(ctx, keyMAC, m)
	return mac, because(err, "the token did not check the password")
}

// stretch runs Argon2id, no more often at a time than there are processors:
// each run takes the memory the parameters ask for.
func (v *server) stretch(ctx context.Context, f *Factors, password []byte) ([32]byte, error) {
	select {
	case v.stretching <- struct{}{}:
		defer func() { <-v.stretching }()
	case <-ctx.Done():
		return [32]byte{}, &Error{Kind: Busy, Msg: "too many people sign in at the same time; try again", RetryAfter: 5 * time.Second}
	}
	return f.Argon.Stretch(password, f.Salt), nil
}

// ownFactors checks that f is as the vault made it.
func (v *server) ownFactors(ctx context.Context, f *Factors) error {
	want, err := v.tok.MAC(ctx, keyMAC, factorsMessage(f))
	if err != nil {
		return because(err, "the token did not check the record of the holder")
	}
	if f.Version != factorsVersion || !hmac.Equal(want, f.MAC) {
		return fail(Tampered, "the record of this holder was changed; restore it from a backup or enrol the holder again")
	}
	return nil
}

// use is what factors are asked for: it is journalled, and tells the repetition
// of a request from a new one.
type use struct {
	op      string
	request string
	content []byte // SHA-256 of all the request asks for, without the factors
	event   audit.Event
}

// binding is what OTPState.Request holds.
func (u use) binding() string { return hex.EncodeToString(u.content) + ":" + u.name() }

func (u use) name() string { return u.op + ":" + u.request }

// recognised is a holder whose factors were right. Its zero value is nobody.
type recognised struct {
	stretched [32]byte // the password, stretched; see wipe
	// serial rises each time the holder's factors are used up. The repetition of a
	// request whose answer was lost has the same one.
	serial  int64
	methods []string // how the holder was recognised, RFC 8176
}

func (r *recognised) wipe() { clear(r.stretched[:]) }

// checkFactors is the one place where a holder is recognised. The caller wipes what
// it returns. Whatever it refuses of a holder is journalled, what can be repeated
// without end by the period.
func (v *server) checkFactors(ctx context.Context, f *Factors, e *Evidence, u use) (recognised, error) {
	if f.Version == 0 && f.Holder == "" {
		return recognised{}, v.decoy(ctx, e.Password)
	}
	stretched, step, err := v.weigh(ctx, f, e, u)
	if err != nil {
		return recognised{}, v.noteRefusal(ctx, f, u, err)
	}
	return recognised{stretched, step, []string{amrPassword, amrOTP}}, nil
}

// weigh is checkFactors for a holder who exists.
//
//  1. The record is the vault's own (MAC by the token).
//  2. Password and OTP are both evaluated, whatever the first gave and whether
//     or not the holder is locked out: the time tells neither which was wrong
//     nor, beside an invented name, that the holder exists.
//  3. In one transaction, on the state as it is now: the record is the current
//     one (MAC of the state row), the holder is not locked out, the verdict.
//     Good: the step is consumed and the event journalled; of two requests with
//     one code, one gets here first. Bad: the failure is counted and journalled.
//     Durable after it, and before anybody knows: the step or the failure.
//  4. The answer.
func (v *server) weigh(ctx context.Context, f *Factors, e *Evidence, u use) (stretched [32]byte, step int64, err error) {
	if err := v.ownFactors(ctx, f); err != nil { // 1
		return stretched, 0, err
	}
	password, otp := e.Password, e.OTP
	if len(password) > maxPassword {
		password = nil // counted as wrong
	}
	if len(otp) > maxOTP {
		otp = ""
	}
	if stretched, err = v.stretch(ctx, f, password); err != nil { // 2
		return stretched, 0, err
	}
	mac, err := v.verifier(ctx, f, &stretched)
	if err != nil {
		clear(stretched[:])
		return stretched, 0, err
	}
	secret, err := v.tok.Unseal(ctx, keySeal, otpContext(f.Holder), f.OTP)
	if err != nil {
		clear(stretched[:])
		return stretched, 0, because(err, "the token did not open the record of the holder")
	}
	defer clear(secret)
	var ruling verdict
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 3
		s, err := v.otpState(tx, f)
		if err != nil {
			return err
		}
		if err := v.locked(s); err != nil {
			return err
		}
		ruling = judge(s, u, hmac.Equal(mac, f.Verifier), secret, otp, v.now())
		return v.record(tx, s, f, u, &ruling)
	})
	if err == nil {
		err = ruling.err()
	}
	if err != nil {
		clear(stretched[:])
		return stretched, 0, because(err, "the vault's state cannot be written")
	}
	return stretched, ruling.step, nil // 4
}

// locked says whether the holder must wait.
func (v *server) locked(s store.OTPState) error {
	if wait := s.LockedUntil.Sub(v.now()); wait > 0 {
		return &Error{Kind: Locked, Msg: "too many wrong attempts; wait and try again", RetryAfter: wait}
	}
	return nil
}

// noteRefusal journals a refusal that came before a verdict, and gives the error
// to answer with. A lock-out is journalled once, however often somebody knocks
// while it lasts.
func (v *server) noteRefusal(ctx context.Context, f *Factors, u use, cause error) error {
	now, holder := v.now(), f.Holder
	if checkName("the holder", holder, maxName) != nil {
		holder = "" // not the vault's own record: anything may stand there
	}
	n, until, actor := &v.tampered, now.Add(tamperedEvery), "vault"
	switch KindOf(cause) {
	case Locked:
		n, until, actor = &v.lockouts, now.Add(retryAfter(cause)), holder
	case Tampered:
	default:
		return cause
	}
	key, first := n.first(holder, now, until)
	if !first {
		return cause
	}
	err := v.journal(ctx, audit.Event{Actor: actor, Event: "factors.refused", Subject: holder,
		Detail: map[string]string{"operation": u.op, "reason": string(KindOf(cause))}})
	if err != nil {
		n.forget(key)
		v.log.Error("a refusal could not be journalled", "err", err, "cause", cause)
	}
	return firstError(because(err, "the journal cannot be written"), cause)
}

// verdict is what the factors are worth.
type verdict struct {
	kind     Kind // "": good
	step     int64
	repeated bool // the repetition of a request whose answer was lost
}

// judge evaluates the factors on a state. The work is the same for every
// outcome.
func judge(s store.OTPState, u use, password bool, secret []byte, otp string, now time.Time) verdict {
	step, fresh := auth.MatchTOTP(secret, otp, now, s.Step)
	_, current := auth.MatchTOTP(secret, otp, now, -1)
	last := auth.MatchStep(secret, otp, s.Step) && s.Step > 0 &&
		now.Sub(time.Unix(s.Step*int64(auth.OTPPeriod/time.Second), 0)) < retryFor
	repeated := !fresh && last && s.Request == u.binding()
	switch {
	case !password:
		return verdict{kind: WrongPassword}
	case repeated:
		return verdict{step: s.Step, repeated: true}
	case fresh && s.Request != u.binding() && strings.HasSuffix(s.Request, ":"+u.name()):
		return verdict{kind: NotAllowed}
	case fresh:
		return verdict{step: step}
	case current || last:
		return verdict{kind: ReusedOTP}
	}
	return verdict{kind: WrongOTP}
}

// record writes a verdict down. A code that was right but used is not a failure:
// a button pressed twice must not lock anybody out.
func (v *server) record(tx *store.Tx, s store.OTPState, f *Factors, u use, r *verdict) error {
	if r.repeated {
		return nil
	}
	now, ev := v.now(), u.event
	switch r.kind {
	case "":
		s.Step, s.Request, s.Failures, s.LockedUntil = r.step, u.binding(), 0, time.Time{}
	case WrongPassword, WrongOTP:
		s.Failures++
		if wait := auth.Delay(s.Failures); wait > 0 {
			s.LockedUntil = now.Add(wait)
		}
		fallthrough
	default:
		ev = audit.Event{Actor: f.Holder, Event: "factors.refused", Subject: f.Holder, Detail: map[string]string{
			"operation": u.op, "reason": string(r.kind), "failures": strconv.Itoa(s.Failures),
		}}
	}
	if err := v.setOTPState(tx, s, f); err != nil {
		return err
	}
	return because(audit.Append(tx, now, ev), "the journal cannot be written")
}

// err is the answer. That a failure has locked the holder out it does not say:
// only a name that exists can be.
func (r verdict) err() error {
	switch r.kind {
	case "":
		return nil
	case ReusedOTP:
		return &Error{Kind: ReusedOTP, Msg: "this code was used already; wait for the next one"}
	case NotAllowed:
		return fail(NotAllowed, "a request of this name with other content was made before; start a new one")
	}
	return fail(r.kind, "the password or the code is wrong")
}

// decoy does the work of a check for a holder who does not exist, all but the
// durable write: nobody may fill the disk by inventing names. Whoever guesses
// often enough learns from the lock-out, if not from the clock, that a name
// exists; the face must limit how often.
func (v *server) decoy(ctx context.Context, password []byte) error {
	f := &Factors{Argon: v.cfg.Argon, Salt: make([]byte, saltSize)}
	if len(password) > maxPassword {
		password = nil
	}
	if err := v.ownFactors(ctx, f); err != nil && KindOf(err) != Tampered {
		return err
	}
	stretched, err := v.stretch(ctx, f, password)
	defer clear(stretched[:])
	if err != nil {
		return err
	}
	if _, err := v.verifier(ctx, f, &stretched); err != nil {
		return err
	}
	return verdict{kind: WrongPassword}.err()
}

// enrol makes the factors of a new holder.
//
//  1. The request makes sense and the password is good enough.
//  2. Salt and OTP secret are drawn; verifier, sealed secret and MAC are made.
//  3. Durable: the state row (nobody may be enrolled twice: a web process that
//     was taken over cannot put its own factors in the place of a holder's)
//     and the journal entry. The same request sent again replaces its own row
//     as long as nothing was done with it.
//  4. The answer: the only time the OTP secret is outside the vault.
func (v *server) enrol(ctx context.Context, id string, e *Enrolment) (*enrolAnswer, error) {
	err := firstError(checkName("the holder", e.Holder, maxName), checkName("the user name", e.Username, maxName)) // 1
	if err != nil {
		return nil, err
	}
	if err := auth.CheckPasswordBytes(e.Password, e.Username); err != nil {
		return nil, &Error{Kind: BadRequest, Msg: "the password is too weak: at least 12 characters, nothing well-known, not the user name", Err: err}
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
		s := store.OTPState{Holder: e.Holder, Request: u.binding()}
		s.MAC = v.otpMAC(s, f.MAC)
		err := tx.PutOTPState(s)
		if store.KindOf(err) == store.Conflict {
			if old, err := tx.OTPState(e.Holder); err != nil || old.Request != s.Request || old.Failures != 0 {
				return fail(NotAllowed, "this holder is enrolled already")
			}
			return v.setOTPState(tx, s, f)
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, v.now(), audit.Event{Actor: "vault", Event: "holder.enrolled", Subject: e.Holder,
			Detail: map[string]string{"username": e.Username}})
	})
	if err != nil {
		return nil, because(err, "the enrolment could not be written")
	}
	return &enrolAnswer{Factors: *f, URI: auth.OTPURI("Sigillo", e.Username, secret)}, nil // 4
}

func (v *server) makeFactors(ctx context.Context, e *Enrolment, secret []byte) (*Factors, error) {
	f := &Factors{Version: factorsVersion, Holder: e.Holder, Username: e.Username, Salt: make([]byte, saltSize), Argon: v.cfg.Argon}
	rand.Read(f.Salt)
	stretched, err := v.stretch(ctx, f, e.Password)
	defer clear(stretched[:])
	if err != nil {
		return nil, err
	}
	if f.Verifier, err = v.verifier(ctx, f, &stretched); err != nil {
		return nil, err
	}
	if f.OTP, err = v.tok.Seal(ctx, keySeal, otpContext(f.Holder), secret); err != nil {
		return nil, because(err, "the token did not seal the OTP secret")
	}
	if f.MAC, err = v.tok.MAC(ctx, keyMAC, factorsMessage(f)); err != nil {
		return nil, because(err, "the token did not sign the record of the holder")
	}
	return f, nil
}

// authenticate checks both factors and consumes the OTP.
func (v *server) authenticate(ctx context.Context, id string, a *Authentication) (*Recognition, error) {
	if err := checkName("the client", a.Client, maxName); err != nil {
		return nil, err
	}
	u := use{op: opAuthenticate, request: id, content: newMessage("authenticate").text(a.Factors.Holder).text(a.Client).sha256(),
		event: audit.Event{Actor: a.Factors.Holder, Event: "holder.authenticated", Subject: a.Factors.Holder,
			Detail: map[string]string{"client": a.Client}}}
	who, err := v.checkFactors(ctx, &a.Factors, &a.Evidence, u)
	who.wipe()
	if err != nil {
		return nil, err
	}
	return &Recognition{Methods: who.methods}, nil
}
