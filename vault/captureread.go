package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/big"
	"time"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/store"
)

const (
	capturePurpose = "sigillo capture v1"
	pointSize      = 65 // of P-256, uncompressed
	captureIV      = 12
	captureTag     = 16
	// captureSkew is how far the tablet's count of the time may be off.
	captureSkew = 10 * time.Second
)

// check says whether s can be a signature from a tablet.
func (s *Captured) check() error {
	if err := checkName("the capture", s.Capture, maxName); err != nil {
		return err
	}
	if len(s.Nonce) != captureNonce || len(s.Ephemeral) != pointSize || len(s.Signature) != 64 ||
		len(s.Sealed) <= captureTag || len(s.Sealed) > maxCaptured {
		return fail(BadRequest, "this is not a signature as a tablet sends it")
	}
	return nil
}

// digest names s, all of it.
func (s *Captured) digest() []byte {
	return newMessage("captured").text(s.Capture).bytes(s.Nonce).bytes(s.Ephemeral).bytes(s.Sealed).bytes(s.Signature).num(s.Started).sha256()
}

// signed is what the tablet's key signs.
func (s *Captured) signed(context []byte) []byte {
	h := sha256.New()
	h.Write(s.Ephemeral)
	h.Write(s.Sealed)
	m := append([]byte(capturePurpose), s.Nonce...)
	m = append(m, context...)
	m = binary.BigEndian.AppendUint64(m, uint64(s.Started))
	return h.Sum(m)
}

// verify says whether the tablet's key signed s, for this context.
func (s *Captured) verify(spki, context []byte) bool {
	pub, err := tabletKey(spki)
	if err != nil {
		return false
	}
	h := sha256.Sum256(s.signed(context))
	return ecdsa.Verify(pub, h[:], new(big.Int).SetBytes(s.Signature[:32]), new(big.Int).SetBytes(s.Signature[32:]))
}

// captureKey derives the key that one signature is encrypted with. The caller wipes it.
func captureKey(key *ecdh.PrivateKey, peer, nonce, context []byte) ([]byte, error) {
	pub, err := ecdh.P256().NewPublicKey(peer)
	if err != nil {
		return nil, err
	}
	shared, err := key.ECDH(pub)
	if err != nil {
		return nil, err
	}
	defer clear(shared)
	return hkdf.Key(sha256.New, shared, nonce, capturePurpose+string(context), 32)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// received is a signature as it came from a tablet, opened. The caller releases it.
type received struct {
	json   *locked
	sample *graphometric.Sample
}

func (r *received) release() {
	if r == nil {
		return
	}
	r.sample.Wipe()
	r.json.release()
}

// receive opens a signature that a tablet sent for c. The tablet's key is checked first:
// whoever cannot sign with it can neither spend what the capture was armed with, nor learn
// anything. Then that is taken, and gone whatever comes of it: a nonce is good once. What is
// wrong with the encryption and what is wrong with the time is not told apart.
func (v *server) receive(ctx context.Context, c *capture, t *tablet, s *Captured) (*received, error) {
	now := v.now()
	if !s.verify(t.PublicKey, c.Context) {
		v.noteForged(ctx, c)
		return nil, fail(NotAllowed, "this was not signed by the tablet of this capture, or not for it")
	}
	a, err := v.sessions.take(c.ID, s.Nonce, now)
	if err != nil {
		v.count(ctx, countStale)
		return nil, err
	}
	started := time.UnixMilli(s.Started)
	if started.Before(a.from.Add(-captureSkew)) || started.After(now.Add(captureSkew)) {
		v.count(ctx, countStale)
		return nil, errStale
	}
	key, err := captureKey(a.key, s.Ephemeral, s.Nonce, c.Context)
	if err != nil {
		return nil, errUnreadable
	}
	defer clear(key)
	aead, err := newGCM(key)
	if err != nil {
		return nil, because(err, "the capture cannot be decrypted")
	}
	r := &received{}
	if r.json, err = newLocked(len(s.Sealed)); err != nil {
		return nil, err
	}
	plain, err := aead.Open(r.json.b[:0], make([]byte, captureIV), s.Sealed, c.Context)
	if err != nil {
		r.json.release()
		return nil, errUnreadable
	}
	r.json.b = plain
	r.sample, err = graphometric.ParseCapture(plain)
	if err == nil {
		err = v.plausible(r.sample, t, started, now)
	}
	if err == nil {
		return r, nil
	}
	r.release()
	v.count(ctx, countUnusable)
	return nil, badSample(err)
}

var errUnreadable = fail(BadRequest, "this cannot be decrypted: it was not encrypted for this capture")

// plausible refuses what cannot have been written on this tablet, in this time.
func (v *server) plausible(s *graphometric.Sample, t *tablet, started, now time.Time) error {
	if s.Device.Class != t.Class {
		return &graphometric.Error{Kind: graphometric.Unusable, Reason: graphometric.OtherDevice, Msg: "the signature is of another kind of tablet than this one"}
	}
	if err := s.Check(); err != nil {
		return err
	}
	if started.Add(s.Duration()).After(now.Add(captureSkew)) {
		return &graphometric.Error{Kind: graphometric.Unusable, Reason: graphometric.BadReadings, Msg: "the tablet's time is wrong"}
	}
	return nil
}

// badSample is the answer to a signature that cannot be compared.
func badSample(err error) error {
	e := &Error{Kind: BadSample, Msg: "what the tablet sent is not a signature that can be used; sign again"}
	var g *graphometric.Error
	if errors.As(err, &g) && g.Reason != "" {
		e.Msg, e.Reason = g.Msg, string(g.Reason)
	}
	return e
}

// noteForged journals, once for each capture, that something was not signed by its tablet.
func (v *server) noteForged(ctx context.Context, c *capture) {
	v.count(ctx, countForged)
	key, first := v.forged.first(c.ID, v.now(), time.UnixMilli(c.Expires))
	if !first {
		return
	}
	err := v.journal(ctx, audit.Event{Actor: "vault", Event: "capture.forged", Subject: c.Tablet, Detail: map[string]string{
		"capture": c.ID, "operator": c.Operator, "holder": c.Holder}})
	if err != nil {
		v.forged.forget(key)
		v.log.Error("a forged capture could not be journalled", "err", err)
	}
}

// count adds one to a count of the report, beside everything else.
func (v *server) count(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := v.db.WriteShared(ctx, func(tx *store.Tx) error { return tx.Count(name, 1) }); err != nil {
		v.log.Error("a count was not written", "count", name, "err", err)
	}
}

// fingerprintOf names a trajectory. Without the key, which the token gives, nobody can try
// whether a signature is among those that were seen.
func (v *server) fingerprintOf(s *graphometric.Sample) []byte {
	f := s.Fingerprint(&v.printKey)
	return newMessage("sigillo fingerprint v1").bytes(f[:]).mac(&v.printKey)
}

// same says whether two names of signatures are one.
func same(a, b []byte) bool { return len(a) > 0 && hmac.Equal(a, b) }
