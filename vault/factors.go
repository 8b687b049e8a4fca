package vault

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"strconv"
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
	// keyTemplates wraps the keys of profiles of handwritten signatures, and nothing else.
	keyTemplates = "vault-templates"
)

const (
	factorsVersion = 2
	saltSize       = 16
	// firstDevice is the ID of the only device of records of version 1.
	firstDevice = "otp"
	// retryFor is how long after its step a code may be repeated by the same
	// request: its window, and the time to start the vault again.
	retryFor = 3 * time.Minute
	// tamperedEvery is how often the journal hears that one holder's record was
	// tampered with: who sends such records must not fill the disk.
	tamperedEvery = 10 * time.Minute
)

// factorsMessage is what the token's MAC is over. Records of version 1 had one
// authenticator and did not name it; they stay good until they are changed.
func factorsMessage(f *Factors) message {
	m := newMessage("sigillo factors v" + strconv.Itoa(f.Version)).num(int64(f.Version)).text(f.Holder).text(f.Username).bytes(f.Salt).
		num(int64(f.Argon.MemoryKiB)).num(int64(f.Argon.Time)).num(int64(f.Argon.Threads)).bytes(f.Verifier).bytes(f.OTP)
	if f.Version == 1 {
		return m
	}
	m = m.num(int64(len(f.Devices)))
	for _, d := range f.Devices {
		m = m.text(d.ID).text(string(d.Kind)).text(d.Label).num(d.Created.Unix()).text(d.To).bytes(d.Key)
	}
	return m
}

// devices are the holder's devices.
func (f *Factors) devices() []Device {
	if f.Version == 1 {
		return []Device{{ID: firstDevice, Kind: TOTP}}
	}
	return f.Devices
}

// find returns a device of the holder; nil when there is none of this ID.
func (f *Factors) find(id string) *Device {
	for _, d := range f.devices() {
		if d.ID == id {
			return &d
		}
	}
	return nil
}

func secretsContext(f *Factors) []byte {
	if f.Version == 1 {
		return newMessage("sigillo otp secret v1").text(f.Holder)
	}
	return newMessage("sigillo otp secrets v2").text(f.Holder)
}

// sealSecrets seals the secrets of the holder's devices together, in their order, so
// that to open them takes the token once, however many there are.
func (v *server) sealSecrets(ctx context.Context, f *Factors, secrets [][]byte) (err error) {
	var plain []byte
	for _, s := range secrets {
		plain = append(append(plain, byte(len(s))), s...)
	}
	defer clear(plain)
	f.OTP, err = v.tok.Seal(ctx, keySeal, secretsContext(f), plain)
	return because(err, "the token did not seal the secrets of the holder's devices")
}

// unsealSecrets opens them. The caller wipes them.
func (v *server) unsealSecrets(ctx context.Context, f *Factors) (secrets [][]byte, err error) {
	plain, err := v.tok.Unseal(ctx, keySeal, secretsContext(f), f.OTP)
	if err != nil {
		return nil, because(err, "the token did not open the record of the holder")
	}
	if f.Version == 1 {
		return [][]byte{plain}, nil
	}
	for range f.Devices {
		if len(plain) == 0 || len(plain) <= int(plain[0]) {
			return nil, fail(Tampered, "the secrets of the holder's devices do not fit the devices")
		}
		n := 1 + int(plain[0])
		secrets, plain = append(secrets, plain[1:n:n]), plain[n:]
	}
	return secrets, nil
}

// signFactors puts the token's MAC on a record.
func (v *server) signFactors(ctx context.Context, f *Factors) (err error) {
	f.MAC, err = v.tok.MAC(ctx, keyMAC, factorsMessage(f))
	return because(err, "the token did not sign the record of the holder")
}

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
	if f.Version < 1 || f.Version > factorsVersion || !hmac.Equal(want, f.MAC) {
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
	// open is what an application's code or challenge may be bound to instead, see
	// Authorisation.open; nil: nothing.
	open  []byte
	event audit.Event

	// strong: who has a passkey must use it, or a recovery code, because an OTP does not
	// say what it was typed for. For changes of the factors, and for delegations.
	strong bool
	// presence: the second factor alone, see presence.go.
	presence bool
	pair     *pair // the second code of a resynchronisation
	// then is done in the transaction that uses the factors up.
	then func(tx *store.Tx, s *holderState) error
}

// binding is what holderState.Request holds.
func (u use) binding() string { return hex.EncodeToString(u.content) + ":" + u.name() }

func (u use) name() string { return u.op + ":" + u.request }

// recognised is a holder whose factors were right. Its zero value is nobody.
type recognised struct {
	stretched [32]byte // the password, stretched; see wipe
	// serial rises each time the holder's factors are used up. The repetition of a
	// request whose answer was lost has the same one.
	serial   int64
	methods  []string  // how the holder was recognised, RFC 8176
	at       time.Time // when; of a repetition, when the first was
	browsers int64     // holderState.Browsers
}

func (r *recognised) wipe() { clear(r.stretched[:]) }

// checkFactors is the one place where a holder is recognised. The caller wipes what
// it returns. Whatever it refuses of a holder is journalled, what can be repeated
// without end by the period.
func (v *server) checkFactors(ctx context.Context, f *Factors, e *Evidence, u use) (recognised, error) {
	if e.Capture != nil {
		return recognised{}, errNoEvidence
	}
	if f.Version == 0 && f.Holder == "" {
		return recognised{}, v.decoy(ctx, e)
	}
	who, err := v.weigh(ctx, f, e, u)
	if err != nil {
		who.wipe()
		return recognised{}, v.noteRefusal(ctx, f, u, err)
	}
	return who, nil
}

var errNoEvidence = fail(BadRequest, "a handwritten signature is good for a signature with a graphometric credential, and for nothing else")

// weigh is checkFactors for a holder who exists.
//
//  1. The record is the vault's own (MAC by the token).
//  2. Password and second factor are both evaluated, whatever the first gave and
//     whether or not the holder is locked out: the time tells neither which was wrong
//     nor, beside an invented name, that the holder exists. (Of a presence there is no
//     password.)
//  3. In one transaction, on the state as it is now: the record is the one that counts
//     (MAC in the holder's row), its lane is not locked, the verdict. Good: the second
//     factor is used up and the event journalled, and what u wants to have done then
//     is; of two requests with one code, one gets here first. Bad: the failure is
//     counted in its lane and journalled. Durable after it, and before anybody knows:
//     what was used up, or the failure.
//  4. The answer.
func (v *server) weigh(ctx context.Context, f *Factors, e *Evidence, u use) (who recognised, err error) {
	if err := firstError(v.ownFactors(ctx, f), v.adoptShown(ctx, f)); err != nil { // 1
		return who, err
	}
	password := u.presence
	if !u.presence { // 2
		if password, err = v.weighPassword(ctx, f, e, &who); err != nil {
			return who, err
		}
	}
	p, err := v.prepare(ctx, f, e, u)
	if err != nil {
		return who, err
	}
	defer p.wipe()
	var ruling verdict
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 3
		s, err := v.holderOf(tx, f)
		if err != nil {
			return err
		}
		p.known = v.knownBrowser(s, e.Browser)
		ruling = judge(s, f, u, password, p, v.now())
		ruling.lane = &s.Strangers
		if ruling.unguessed || p.known {
			ruling.lane = &s.Known
		}
		if err := ruling.lane.locked(v.now()); err != nil {
			return err
		}
		return v.record(tx, s, f, u, p, &ruling)
	})
	if err == nil {
		err = ruling.err()
	}
	who.serial, who.methods, who.browsers, who.at = ruling.serial, ruling.methods, ruling.browsers, time.UnixMilli(ruling.at)
	return who, because(err, "the vault's state cannot be written") // 4
}

// weighPassword stretches the password into who, and says whether it is right.
func (v *server) weighPassword(ctx context.Context, f *Factors, e *Evidence, who *recognised) (right bool, err error) {
	password := e.Password
	if len(password) > maxPassword {
		password = nil // counted as wrong
	}
	if who.stretched, err = v.stretch(ctx, f, password); err != nil {
		return false, err
	}
	mac, err := v.verifier(ctx, f, &who.stretched)
	return err == nil && hmac.Equal(mac, f.Verifier), err
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

// decoy does the work of a check for a holder who does not exist, all but the
// durable write: nobody may fill the disk by inventing names. Whoever guesses
// often enough learns from the lock-out, if not from the clock, that a name
// exists; the face must limit how often.
func (v *server) decoy(ctx context.Context, e *Evidence) error {
	f := &Factors{Argon: v.cfg.Argon, Salt: make([]byte, saltSize)}
	password := e.Password
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
	f.Version = factorsVersion
	if err := v.sealSecrets(ctx, f, [][]byte{stretched[:auth.OTPSecretSize]}); err != nil { // as long as to open some
		return err
	}
	if code, ok := auth.ParseRecoveryCode(e.OTP); ok && len(e.Passkey) == 0 {
		if _, err := v.recoveryMAC(ctx, f.Holder, code); err != nil {
			return err
		}
	}
	return verdict{kind: WrongPassword}.err()
}

// authenticate checks both factors and uses up the second.
func (v *server) authenticate(ctx context.Context, id string, a *Authentication) (*Recognition, error) {
	if err := checkName("the client", a.Client, maxName); err != nil {
		return nil, err
	}
	u := use{op: opAuthenticate, request: id, content: a.content(),
		event: audit.Event{Actor: a.Factors.Holder, Event: "holder.authenticated", Subject: a.Factors.Holder,
			Detail: map[string]string{"client": a.Client}}}
	who, err := v.checkFactors(ctx, &a.Factors, &a.Evidence, u)
	defer who.wipe()
	if err != nil {
		return nil, err
	}
	r := &Recognition{Methods: who.methods}
	r.Browser, r.BrowserExpires = v.newBrowser(a.Factors.Holder, who.browsers)
	return r, nil
}
