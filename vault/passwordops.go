package vault

import (
	"context"
	"slices"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/store"
)

// maxCredentials is how many credentials a password change wraps anew.
const maxCredentials = 64

// changePassword gives a holder another password.
//
//  1. The request makes sense; the new password is good enough; the credentials are
//     the vault's own, current, and the holder's.
//  2. The holder's factors. Durable: the second factor as used, and the intent.
//  3. The new record is made. The token wraps each key anew, from what the old
//     password gives to what the new one gives, with the next epoch.
//  4. Durable: the new records as pending, all together, and the journal.
//  5. The answer. The old records count until the new one is shown, see change.go.
func (v *server) changePassword(ctx context.Context, id string, p *PasswordChange) (*ChangedPassword, error) {
	if err := checkName("the client", p.Client, maxName); err != nil { // 1
		return nil, err
	}
	if err := v.checkPassword(p.New, p.Factors.Username); err != nil {
		return nil, err
	}
	if err := v.adoptShown(ctx, &p.Factors); err != nil {
		return nil, err
	}
	if err := v.allHis(ctx, p); err != nil {
		return nil, err
	}
	u := use{op: opChangePassword, request: id, content: p.content(), strong: true,
		event: audit.Event{Actor: p.Factors.Holder, Event: "password.intent", Subject: p.Factors.Holder,
			Detail: map[string]string{"client": p.Client, "credentials": strconv.Itoa(len(p.Credentials))}}}
	who, err := v.checkFactors(ctx, &p.Factors, &p.Evidence, u) // 2
	defer who.wipe()
	if err != nil {
		return nil, err
	}
	v.fault("password-checked")
	f, secrets, err := v.next(ctx, &p.Factors) // 3
	if err != nil {
		return nil, err
	}
	for _, s := range secrets {
		defer clear(s)
	}
	stretched, err := v.setPassword(ctx, f, p.New)
	defer clear(stretched[:])
	if err != nil {
		return nil, err
	}
	if err := v.finishFactors(ctx, f, secrets); err != nil {
		return nil, err
	}
	a := &ChangedPassword{Factors: *f}
	var pairs []rewrapped
	for i := range p.Credentials {
		old := &p.Credentials[i]
		if old.Graphometric { // does not hang from the password
			a.Credentials = append(a.Credentials, *old)
			continue
		}
		c, err := v.rewrap(ctx, old, &who.stretched, &stretched)
		if err != nil {
			return nil, err
		}
		a.Credentials = append(a.Credentials, *c)
		pairs = append(pairs, rewrapped{Old: old.bare(), New: c.bare()})
	}
	v.fault("password-rewrapped")
	err = v.alter(ctx, &p.Factors, func(tx *store.Tx, s *holderState) error { // 4
		if err := p.complete(tx); err != nil { // one more may have been made meanwhile
			return err
		}
		s.propose(&p.Factors, f, "password changed", pairs...)
		s.Pending.Until = millis(v.now().Add(changeWait))
		return because(audit.Append(tx, v.now(), audit.Event{Actor: f.Holder, Event: "password.changed", Subject: f.Holder,
			Detail: map[string]string{"client": p.Client, "credentials": strconv.Itoa(len(pairs))}}), "the journal cannot be written")
	})
	if err != nil {
		return nil, err
	}
	v.fault("password-pending")
	v.tell(ctx, &p.Factors, opChangePassword)
	return a, nil // 5
}

// allHis refuses credentials that are not the vault's own, current, of the holder, and
// each given once, and a change that leaves one out by mistake.
func (v *server) allHis(ctx context.Context, p *PasswordChange) error {
	if len(p.Credentials) > maxCredentials {
		return failf(BadRequest, "more than %d credentials", maxCredentials)
	}
	given := map[string]bool{}
	for i := range p.Credentials {
		c := &p.Credentials[i]
		if c.Holder != p.Factors.Holder || given[c.ID] {
			return fail(NotAllowed, "a credential is of another holder, or given twice")
		}
		given[c.ID] = true
		if err := v.usable(ctx, opChangePassword, c); err != nil {
			return err
		}
	}
	return v.db.Read(ctx, p.complete)
}

// complete refuses a change that leaves a credential of the holder out.
func (p *PasswordChange) complete(tx *store.Tx) error {
	rows, err := tx.CredentialStatesOf(p.Factors.Holder)
	if err != nil {
		return because(err, "the vault's state cannot be read")
	}
	for _, r := range rows {
		if r.State == store.CredentialActive && !slices.ContainsFunc(p.Credentials, func(c Credential) bool { return c.ID == r.ID }) {
			if _, err := tx.CounterRow(store.CounterProfile, r.ID); err == nil { // graphometric: does not hang from the password
				continue
			}
			return failf(NotAllowed, "the credential %s is missing: its key would be lost; give all, or destroy it first", r.ID)
		}
	}
	return nil
}

// changeWait is how long a service may take to store and show what a change of the
// password gave.
const changeWait = 2 * time.Minute

// settled refuses a key that was made under a password which is not the holder's any
// more, or is just being changed: it would be lost.
func (v *server) settled(tx *store.Tx, f *Factors) error {
	s, err := v.holderOf(tx, f)
	if err == errOtherFactors {
		return &Error{Kind: Busy, Msg: "the password or the devices were changed meanwhile; try again", RetryAfter: shortestRetry}
	}
	if err != nil {
		return err
	}
	if s.Pending != nil && millis(v.now()) < s.Pending.Until {
		return &Error{Kind: Busy, Msg: "the password is just being changed; try again", RetryAfter: time.UnixMilli(s.Pending.Until).Sub(v.now())}
	}
	return nil
}

// rewrap makes the next record of a credential, wrapped under another password.
func (v *server) rewrap(ctx context.Context, old *Credential, from, to *[32]byte) (*Credential, error) {
	c := *old
	c.Epoch++
	dOld, dNew := kekSecret(from, old), kekSecret(to, &c)
	defer clear(dOld[:])
	defer clear(dNew[:])
	w, err := v.tok.Rewrap(ctx, keyMaster, dOld, dNew, old.wrapped())
	if hsm.KindOf(err) == hsm.WrongSecret {
		return nil, &Error{Kind: Tampered, Msg: "a key does not open; restore the credential from a backup or destroy it", Err: err}
	}
	if err != nil {
		return nil, because(err, "the token did not wrap the key anew")
	}
	c.Wrapped = w.Blob
	c.MAC, err = v.tok.MAC(ctx, keyMAC, credentialMessage(&c))
	return &c, because(err, "the token did not sign the record of the credential")
}

// bare is a credential without what is wrapped.
func (c *Credential) bare() Credential {
	b := *c
	b.Wrapped = nil
	return b
}

// activation is what the vault remembers of an [ActivationCode].
type activation struct {
	MAC   []byte `json:"mac"`
	Until int64  `json:"until"` // ms
}

func (v *server) activationMAC(holder, code string) []byte {
	return newMessage("sigillo activation v1").text(holder).text(code).mac(&v.rowKey)
}

// recover is for a holder who has forgotten the password.
//
//  1. The request makes sense, and names two people.
//  2. Durable, in one transaction: every credential of the holder is destroyed, the
//     factors are void, all that the vault knew of the holder's devices is forgotten,
//     the journal.
//  3. The answer: a code with which the holder, and nobody else, enrols again.
//
// Who has taken over the service can ask for this too, and enrol in the holder's name.
// What they have then is a holder without keys: those there were open to no password
// any more, because the vault refuses every record of them for ever (see credstate.go),
// and new ones want new certificates, which are journalled and published. It is the
// same as if they had enrolled a stranger.
func (v *server) recover(ctx context.Context, r *Recovery) (*ActivationCode, error) {
	err := firstError(checkName("the holder", r.Holder, maxName), checkName("the reason", r.Reason, maxName)) // 1
	if err != nil {
		return nil, err
	}
	if len(r.By) != 2 || r.By[0] == r.By[1] {
		return nil, fail(NotAllowed, "two people decide that a holder is recovered")
	}
	if err := firstError(checkName("who decides", r.By[0], maxName), checkName("who decides", r.By[1], maxName)); err != nil {
		return nil, err
	}
	code, err := auth.NewActivationCode()
	if err != nil {
		return nil, because(err, "no random numbers")
	}
	plain, _ := auth.ParseActivationCode(code)
	until := v.now().Add(ActivationLife)
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 2
		before, err := v.formerState(tx, r.Holder)
		if err != nil {
			return err
		}
		destroyed, err := v.destroyAll(tx, r)
		if err != nil {
			return err
		}
		s := &holderState{Holder: r.Holder, Generation: before.Generation + 1, Serial: before.Serial, Browsers: before.Browsers + 1,
			Activation: &activation{MAC: v.activationMAC(r.Holder, plain), Until: millis(until)}, version: before.version}
		if err := v.keepHolder(tx, s); err != nil {
			return err
		}
		return v.tellGeneration(tx, s, audit.Event{Actor: "vault", Event: holderRecovered, Detail: map[string]string{
			"by": r.By[0], "and": r.By[1], "reason": r.Reason, "destroyed": strconv.Itoa(destroyed)}})
	})
	if err != nil {
		return nil, because(err, "the recovery could not be written")
	}
	return &ActivationCode{Code: code, Expires: until.UTC().Truncate(time.Second)}, nil // 3
}

// formerState is what is left of a holder's state. One that was tampered with is no
// hindrance: nothing of it but numbers that only rise is taken over.
func (v *server) formerState(tx *store.Tx, holder string) (*holderState, error) {
	s, err := v.holder(tx, holder)
	if err == nil && s != nil {
		return s, nil
	}
	if err != nil && KindOf(err) != Tampered {
		return nil, err
	}
	generation, err := told(tx, aboutFactors(holder), "generation", changesOfFactors...)
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	s = &holderState{Holder: holder, Generation: generation, Serial: v.now().Unix(), Browsers: generation}
	row, err := tx.HolderState(holder)
	if err == nil {
		s.version = row.Version
		return s, nil
	}
	if store.KindOf(err) != store.NotFound {
		return nil, because(err, "the vault's state cannot be read")
	}
	if _, err := tx.OTPState(holder); err != nil && generation == 0 {
		if store.KindOf(err) == store.NotFound {
			return nil, fail(NotAllowed, "the vault knows no holder of this name")
		}
		return nil, because(err, "the vault's state cannot be read")
	}
	return s, nil
}

// destroyAll destroys all credentials of a holder.
func (v *server) destroyAll(tx *store.Tx, r *Recovery) (n int, err error) {
	rows, err := tx.CredentialStatesOf(r.Holder)
	if err != nil {
		return 0, because(err, "the vault's state cannot be read")
	}
	by := r.By[0] + ", " + r.By[1]
	for _, row := range rows {
		if row.State == store.CredentialDestroyed {
			continue
		}
		if err := v.destroyRow(tx, row, by, r.Reason); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
