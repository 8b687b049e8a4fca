package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"time"

	"sigillo/auth/passkey"
	"sigillo/store"
)

const (
	// ChallengeLife is how long a challenge, or a code that was sent, is good for.
	ChallengeLife  = 5 * time.Minute
	challengeNonce = 16
	challengeMAC   = 32
	challengeSize  = challengeNonce + 8 + challengeMAC
	// maxNonces is how many used challenges of a holder are remembered until they
	// expire; beyond that the holder must wait.
	maxNonces  = 256
	amrPasskey = "pop" // RFC 8176 §2: proof of possession of a key
	amrSMS     = "sms"
)

// A challenge is nonce ‖ expiry, seconds ‖ MAC over both, the operation, the holder and
// what is asked for. The vault keeps nothing of it until it is used: what a passkey has
// signed is either for exactly the request it comes with, or worthless. That is what an
// OTP cannot say, and why a service that was taken over cannot use a passkey's answer
// to a sign-in, or to another document, for a signature. It can still ask for the wrong
// challenge: the browser does not show what it is for.
func (v *server) challengeTag(op, holder string, content, head []byte) []byte {
	return newMessage("sigillo challenge v1").text(op).text(holder).bytes(content).bytes(head).mac(&v.rowKey)
}

func (v *server) newChallenge(op, holder string, content []byte) (challenge []byte, expires time.Time) {
	expires = v.now().Add(ChallengeLife).Truncate(time.Second)
	b := make([]byte, challengeNonce, challengeSize)
	rand.Read(b)
	b = binary.BigEndian.AppendUint64(b, uint64(expires.Unix()))
	return append(b, v.challengeTag(op, holder, content, b)...), expires.UTC()
}

// openChallenge returns the nonce and the expiry of a challenge that was minted for
// this.
func (v *server) openChallenge(challenge []byte, op, holder string, content []byte) (nonce []byte, expires time.Time, ok bool) {
	if len(challenge) != challengeSize {
		return nil, expires, false
	}
	head, tag := challenge[:challengeNonce+8], challenge[challengeNonce+8:]
	if !hmac.Equal(tag, v.challengeTag(op, holder, content, head)) {
		return nil, expires, false
	}
	return challenge[:challengeNonce], time.Unix(int64(binary.BigEndian.Uint64(head[challengeNonce:])), 0), true
}

func (v *server) party() (*passkey.Party, error) {
	if v.cfg.RPID == "" || len(v.cfg.Origins) == 0 {
		return nil, fail(NotAllowed, "there are no passkeys here: the domain and the origin are not configured")
	}
	return &passkey.Party{ID: v.cfg.RPID, Name: "Sigillo", Origins: v.cfg.Origins}, nil
}

// challenge mints what a passkey is to sign for a request. For a sign-in, and for who
// asks unnamed, no keys are named and nothing is looked up: a stranger learns nothing of
// the holder.
func (v *server) challenge(ctx context.Context, q *challengeRequest) (*Challenge, error) {
	p, err := v.party()
	if err != nil {
		return nil, err
	}
	a, err := asking(q)
	if err != nil {
		return nil, err
	}
	f := &a.factors
	var keys [][]byte
	if a.op != opAuthenticate && !q.Unnamed {
		if err := v.shown(ctx, f); err != nil {
			return nil, err
		}
		if keys, err = f.passkeys(); err != nil {
			return nil, err
		}
	}
	c, expires := v.newChallenge(a.op, f.Holder, a.content)
	o, err := p.RequestOptions(c, keys, ChallengeLife.Milliseconds())
	return &Challenge{Options: o, Expires: expires}, because(err, "the challenge could not be made")
}

// registering names the challenge for a new passkey.
func registering(holder string) []byte { return newMessage("new passkey").text(holder).sha256() }

// passkeyOptions mints what a browser needs to make a passkey.
func (v *server) passkeyOptions(ctx context.Context, f *Factors) (*Challenge, error) {
	p, err := v.party()
	if err != nil {
		return nil, err
	}
	if err := v.shown(ctx, f); err != nil {
		return nil, err
	}
	have, err := f.passkeys()
	if err != nil {
		return nil, err
	}
	c, expires := v.newChallenge(opPasskeyOptions, f.Holder, registering(f.Holder))
	// The handle goes to the authenticator and names nobody (WebAuthn §14.6.1).
	handle := newMessage("sigillo user handle v1").text(f.Holder).mac(&v.rowKey)
	o, err := p.CreationOptions(c, passkey.User{ID: handle, Name: f.Username, Display: f.Username}, have, ChallengeLife.Milliseconds())
	return &Challenge{Options: o, Expires: expires}, because(err, "the challenge could not be made")
}

// readRegistration checks a new passkey. Its challenge is good for five minutes and,
// since the new key is in it, for nothing but the same key again.
func (v *server) readRegistration(f *Factors, registration []byte) (key passkey.Key, count uint32, err error) {
	p, err := v.party()
	if err != nil {
		return key, 0, err
	}
	bad := func(err error) error {
		return &Error{Kind: BadRequest, Msg: "the passkey was not made as it was asked for; try again", Err: err}
	}
	r, err := passkey.ParseRegistration(registration)
	if err != nil {
		return key, 0, bad(err)
	}
	_, expires, ok := v.openChallenge(r.Challenge, opPasskeyOptions, f.Holder, registering(f.Holder))
	if !ok || !v.now().Before(expires) {
		return key, 0, bad(nil)
	}
	if key, count, err = r.Verify(p); err != nil {
		return key, 0, bad(err)
	}
	have, err := f.passkeys()
	if err != nil {
		return key, 0, err
	}
	for _, id := range have {
		if bytes.Equal(id, key.ID) {
			return key, 0, fail(NotAllowed, "this passkey is one of the holder's already")
		}
	}
	return key, count, nil
}

// passkeys returns the IDs of the keys of a holder.
func (f *Factors) passkeys() (ids [][]byte, err error) {
	for _, d := range f.devices() {
		if d.Kind != Passkey {
			continue
		}
		k, err := d.passkey()
		if err != nil {
			return nil, err
		}
		ids = append(ids, k.ID)
	}
	return ids, nil
}

func (d *Device) passkey() (k passkey.Key, err error) {
	if err := json.Unmarshal(d.Key, &k); err != nil {
		return k, &Error{Kind: Failed, Msg: "the record of a passkey cannot be read", Err: err}
	}
	return k, nil
}

// proved is what a passkey has signed.
type proved struct {
	good    bool // by a key of the holder, for this request
	device  string
	count   uint32
	nonce   []byte
	expires time.Time
}

// readPasskey checks the answer of a passkey, all that does not depend on the holder's
// state. What is wrong with it is not told: it counts as a wrong code.
func (v *server) readPasskey(f *Factors, assertion []byte, u use) *proved {
	p := &proved{}
	party, err := v.party()
	if err != nil {
		return p
	}
	a, err := passkey.ParseAssertion(assertion)
	if err != nil {
		return p
	}
	var ok bool
	if p.nonce, p.expires, ok = v.openChallenge(a.Challenge, u.op, f.Holder, u.content); !ok && u.open != nil {
		p.nonce, p.expires, ok = v.openChallenge(a.Challenge, u.op, f.Holder, u.open)
	}
	if !ok {
		return p
	}
	for _, d := range f.devices() {
		if d.Kind != Passkey {
			continue
		}
		k, err := d.passkey()
		if err != nil || !bytes.Equal(k.ID, a.KeyID) {
			continue
		}
		if p.count, err = a.Verify(party, &k); err == nil {
			p.good, p.device = true, d.ID
		}
	}
	return p
}

// usedNonce is a challenge that was used, until nobody could use it anyway.
type usedNonce struct {
	Nonce []byte `json:"nonce"`
	Until int64  `json:"until"` // ms
}

// match says what the passkey's answer is worth on a state. One that came too late is
// no failure.
func (p *proved) match(s *holderState, m *found, now time.Time) {
	if !p.good || !s.counts(p.device) {
		return
	}
	for _, n := range s.Nonces {
		m.used = m.used || bytes.Equal(n.Nonce, p.nonce)
	}
	if m.used = m.used || !now.Before(p.expires) || millis(p.expires) <= s.Forgotten; m.used {
		return
	}
	if m.cloned = passkey.Cloned(s.device(p.device).Count, p.count); m.cloned {
		return
	}
	m.hits = append(m.hits, hit{device: p.device, method: amrPasskey, count: p.count})
}

// useNonce remembers a challenge as used and forgets those that have expired.
func (s *holderState) useNonce(p *proved, now time.Time) {
	kept := s.Nonces[:0]
	for _, n := range s.Nonces {
		if n.Until > millis(now) {
			kept = append(kept, n)
		} else {
			s.Forgotten = max(s.Forgotten, n.Until)
		}
	}
	s.Nonces = append(kept, usedNonce{p.nonce, millis(p.expires)})
}

// opShown is what the journal calls requests that show a record and no factors.
const opShown = "factors-shown"

// shown is for requests that show a record and no factors: it is the vault's own, and
// the one that counts.
func (v *server) shown(ctx context.Context, f *Factors) error {
	err := firstError(v.ownFactors(ctx, f), v.adoptShown(ctx, f))
	if err == nil {
		err = v.db.Read(ctx, func(tx *store.Tx) error {
			_, err := v.holderOf(tx, f)
			return err
		})
	}
	return v.noteRefusal(ctx, f, use{op: opShown}, because(err, "the vault's state cannot be read"))
}
