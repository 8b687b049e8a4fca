package vault

import (
	"bytes"
	"context"
	"crypto/x509"
	"time"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/store"
)

// labels are the infrastructure keys that may be used over the socket. The
// vault's own keys are not among them and cannot be reached; tsu-1 can only in a
// vault that makes no time-stamps itself.
var labels = map[string]bool{
	"root-ca": true, "issuing-ca": true, "tsa-ca": true, "ocsp-issuing": true, "ocsp-tsa": true, "tsu-1": true, journalKey: true,
}

const (
	journalKey = "journal"
	keyIntent  = "key:" // begins the JTI of an intent to make a key
)

// checkLabel says whether a key may be used as an infrastructure key. Those of
// time-stamping units may not: what is signed with them is for the service to say.
func (v *server) checkLabel(label string) error {
	if v.tsa != nil && isUnit(label) {
		return fail(NotAllowed, "the keys of time-stamping units sign time-stamps only")
	}
	if !labels[label] {
		return fail(NotAllowed, "there is no infrastructure key of this name")
	}
	return nil
}

// publicKey returns the public half of an infrastructure key.
func (v *server) publicKey(label string) (*keyAnswer, error) {
	if err := v.checkLabel(label); err != nil {
		return nil, err
	}
	k, err := v.tok.Signer(label)
	if hsm.KindOf(err) == hsm.NotFound {
		return nil, failf(NotAllowed, "the key %s has not been made; run the ceremony first", label)
	}
	if err != nil {
		return nil, because(err, "the token did not give the key")
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, because(err, "the public key cannot be encoded")
	}
	return &keyAnswer{SPKI: spki}, nil
}

// createKey makes an infrastructure key.
//
//  1. The vault was started to be provisioned, the label is known, the type too.
//  2. Durable: the intent, under this request's identifier.
//  3. The token makes the key. If it is there already it must be this request's,
//     sent again after the vault died; another request is refused.
//  4. Durable: that it is done. The answer.
func (v *server) createKey(ctx context.Context, id string, q *keyRequest) (*keyAnswer, error) {
	if !v.cfg.Provision { // 1
		return nil, fail(NotAllowed, "keys are made in the ceremony only; start the vault for provisioning")
	}
	if err := v.checkLabel(q.Label); err != nil {
		return nil, err
	}
	if _, ok := isRSA(q.Type); !ok {
		return nil, fail(BadRequest, "the key type must be p256, p384, rsa2048, rsa3072 or rsa4096")
	}
	v.creating.Lock()
	defer v.creating.Unlock()
	now := v.now()
	row := store.Spent{JTI: keyIntent + q.Label + ":" + id, Seq: 1, Request: id, Created: now, Expires: now.Add(keepResults)}
	event := func(name string) audit.Event {
		return audit.Event{Actor: "vault", Event: name, Subject: q.Label, Detail: map[string]string{"type": string(q.Type)}}
	}
	again := false
	content := newMessage("create key").text(q.Label).text(string(q.Type)).sha256()
	err := v.db.Write(ctx, func(tx *store.Tx) error { // 2
		_, err := v.putSpent(tx, row, content)
		if again = store.KindOf(err) == store.Conflict; !again {
			if err != nil {
				return err
			}
			if err := audit.Append(tx, now, event("key.intent")); err != nil {
				return err
			}
		}
		if row, err = tx.Spent(row.JTI, id); err != nil {
			return err
		}
		was, _, err := v.openSpent(row)
		if err == nil && !bytes.Equal(was, content) {
			err = fail(NotAllowed, "a request of this name with other content was made before")
		}
		return err
	})
	if err != nil {
		return nil, because(err, "the intent to make a key could not be written")
	}
	_, err = v.tok.GenerateSigner(ctx, q.Label, q.Type) // 3
	if hsm.KindOf(err) == hsm.Conflict && !again {
		v.closeKey(ctx, row, event("key.refused"))
		return nil, failf(NotAllowed, "the key %s exists already", q.Label)
	}
	if err != nil && hsm.KindOf(err) != hsm.Conflict {
		return nil, because(err, "the token did not make the key")
	}
	if err := v.closeKey(ctx, row, event("key.created")); err != nil { // 4
		return nil, because(err, "the journal cannot be written")
	}
	return v.publicKey(q.Label)
}

// closeKey ends the intent of createKey.
func (v *server) closeKey(ctx context.Context, row store.Spent, ev audit.Event) error {
	return v.db.Write(ctx, func(tx *store.Tx) error {
		if err := v.setSpentDone(tx, row, nil); err != nil {
			if store.KindOf(err) == store.Conflict { // this request's, sent again
				return nil
			}
			return err
		}
		return audit.Append(tx, v.now(), ev)
	})
}

// signDigest uses an infrastructure key. What the digest is of the vault cannot
// know; it sees to it that it is a digest of an allowed hash function, and not
// structured data that the key's owner would not sign. Each signature is counted,
// and the counts are journalled: one that the service's own records do not
// account for shows.
func (v *server) signDigest(ctx context.Context, q *digestRequest) (*signatureAnswer, error) {
	if err := v.checkLabel(q.Label); err != nil {
		return nil, err
	}
	h, err := checkDigests(q.Hash, [][]byte{q.Digest}, 1)
	if err != nil {
		return nil, err
	}
	k, err := v.tok.Signer(q.Label)
	if hsm.KindOf(err) == hsm.NotFound {
		return nil, failf(NotAllowed, "the key %s has not been made; run the ceremony first", q.Label)
	}
	if err != nil {
		return nil, because(err, "the token did not give the key")
	}
	scheme := schemePKCS1
	if q.PSS {
		scheme = schemePSS
	}
	s, err := k.SignContext(ctx, q.Digest, signerOpts(scheme, h))
	if err != nil {
		return nil, because(err, "the token did not sign")
	}
	v.uses.add(q.Label)
	if !verified(k.Public(), q.Digest, s, signerOpts(scheme, h)) {
		return nil, fail(Failed, "the token made a wrong signature; nothing was released, have the token checked")
	}
	return &signatureAnswer{Signature: s}, nil
}

// provision makes the vault's own keys when they are missing, or says that they
// are.
func (v *server) provision(ctx context.Context) error {
	for _, k := range []struct {
		label string
		make  func(context.Context, string) error
	}{
		{keyMaster, v.tok.GenerateMaster}, {keyMAC, v.tok.GenerateMACKey}, {keySeal, v.tok.GenerateSealKey},
	} {
		has, err := v.tok.Has(k.label)
		if err != nil {
			return because(err, "the token cannot be searched")
		}
		if has {
			continue
		}
		if !v.cfg.Provision {
			return failf(Failed, "the token lacks the key %s; provision it first (sigillo init), or restore it from a backup", k.label)
		}
		if err := k.make(ctx, k.label); err != nil {
			return because(err, "the token did not make the key "+k.label)
		}
		v.made = append(v.made, k.label)
	}
	return nil
}

// deriveKey derives a key of this process from the token, for one purpose.
func (v *server) deriveKey(ctx context.Context, purpose string) (k [32]byte, err error) {
	b, err := v.tok.MAC(ctx, keyMAC, newMessage("sigillo vault key v1").text(purpose).text(v.cfg.Node))
	if err != nil {
		return k, because(err, "the token did not derive the key for "+purpose)
	}
	defer clear(b)
	if len(b) != len(k) {
		return k, fail(Failed, "the token makes MACs of another length")
	}
	copy(k[:], b)
	return k, nil
}

// checkpoint has the journal's head signed, once the journal key exists.
func (v *server) checkpoint(ctx context.Context) error {
	k, err := v.tok.Signer(journalKey)
	if hsm.KindOf(err) == hsm.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return audit.New(v.db, v.now).Checkpoint(ctx, k, journalKey)
}

const writeTimeout = 10 * time.Second
