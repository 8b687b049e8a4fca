package vault

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"strconv"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/store"
)

func credentialMessage(c *Credential) message {
	m := newMessage("sigillo credential v1").text(c.ID).text(c.Holder).num(int64(c.Epoch)).text(string(c.Type)).
		bytes(c.PublicKey).num(int64(c.MaxDigests)).bytes(c.Wrapped)
	if c.Automatic { // a part more: records of before there was the automatic procedure stay good
		m = m.text("automatic")
	}
	if c.Graphometric { // the same
		m = m.text("graphometric")
	}
	return m
}

// ownCredential checks that c is as the vault made it.
func (v *server) ownCredential(ctx context.Context, c *Credential) error {
	f := fingerprint(c)
	if v.known.own(f) {
		return nil
	}
	want, err := v.tok.MAC(ctx, keyMAC, credentialMessage(c))
	if err != nil {
		return because(err, "the token did not check the credential")
	}
	if !hmac.Equal(want, c.MAC) {
		return fail(Tampered, "the record of this credential was changed; restore it from a backup or issue a new one")
	}
	v.known.learn(f, -1)
	return nil
}

// kekSecret derives what the token derives the credential's KEK from.
func kekSecret(stretched *[32]byte, c *Credential) [32]byte {
	return auth.Derive(*stretched, string(newMessage("sigillo kek v1").text(c.Holder).text(c.ID).num(int64(c.Epoch))))
}

func thumbprint(spki []byte) []byte {
	h := sha256.Sum256(spki)
	return h[:]
}

// createCredential makes a key for a holder.
//
//  1. The request makes sense, and the name is free.
//  2. The holder's factors. Durable: the OTP step and the intent, in the journal.
//  3. The token makes the key, wraps it under a KEK that only the holder's
//     password gives, signs a PKCS#10 request with it (RFC 2986; proof of
//     possession, ETSI EN 319 411-1 §6.3.1) and forgets it.
//  4. The record gets the token's MAC over every field. Durable, in one transaction:
//     that this is the current record, and the journal.
//  5. The answer. The vault keeps nothing of the key.
func (v *server) createCredential(ctx context.Context, id string, n *NewCredential) (*credentialAnswer, error) {
	err := firstError(checkName("the credential", n.ID, maxCN)) // 1
	if err != nil {
		return nil, err
	}
	if _, ok := isRSA(n.Type); !ok {
		return nil, fail(BadRequest, "the key type must be p256, p384, rsa2048, rsa3072 or rsa4096")
	}
	if n.MaxDigests < 1 || n.MaxDigests > MaxDigests {
		return nil, failf(BadRequest, "a credential signs 1 to %d digests at once", MaxDigests)
	}
	c := &Credential{ID: n.ID, Holder: n.Factors.Holder, Epoch: 1, Type: n.Type, MaxDigests: n.MaxDigests, Automatic: n.Automatic}
	automatic := strconv.FormatBool(c.Automatic)
	detail := map[string]string{"type": string(c.Type), "maxDigests": strconv.Itoa(c.MaxDigests), "epoch": "1", "automatic": automatic}
	u := use{op: opCreateCredential, request: id,
		content: n.content(),
		event:   audit.Event{Actor: c.Holder, Event: "credential.intent", Subject: c.ID, Detail: detail}}
	free := func(tx *store.Tx) error { return v.freeName(tx, c, u.binding()) }
	if err := v.db.Read(ctx, free); err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	who, err := v.checkFactors(ctx, &n.Factors, &n.Evidence, u) // 2
	defer who.wipe()
	if err != nil {
		return nil, err
	}
	v.fault("credential-checked")
	d := kekSecret(&who.stretched, c)
	defer clear(d[:])
	var csr []byte
	w, err := v.tok.GenerateWrapped(ctx, keyMaster, d, c.Type, func(key crypto.Signer) (err error) { // 3
		csr, err = newCSR(c.ID, key)
		return err
	})
	if err != nil {
		return nil, because(err, "the token did not make the key")
	}
	c.PublicKey, c.Wrapped = w.SPKI, w.Blob
	if c.MAC, err = v.tok.MAC(ctx, keyMAC, credentialMessage(c)); err != nil { // 4
		return nil, because(err, "the token did not sign the record of the credential")
	}
	ev := audit.Event{Actor: c.Holder, Event: credentialCreated,
		Detail: map[string]string{"key": hex.EncodeToString(thumbprint(c.PublicKey))}}
	err = v.db.Write(ctx, func(tx *store.Tx) error {
		if err := v.settled(tx, &n.Factors); err != nil {
			return err
		}
		return v.newCredentialRow(tx, c, u.binding(), ev)
	})
	if err != nil {
		return nil, because(err, "the credential could not be written down")
	}
	return &credentialAnswer{Credential: *c, CSR: csr}, nil // 5
}

// content is what is asked for, without the factors.
func (n *NewCredential) content() []byte {
	return newMessage("credential").text(n.Factors.Holder).text(n.ID).text(string(n.Type)).num(int64(n.MaxDigests)).
		text(strconv.FormatBool(n.Automatic)).sha256()
}

// newCSR makes a PKCS#10 request with the subject CN=id.
func newCSR(id string, key crypto.Signer) ([]byte, error) {
	t := &x509.CertificateRequest{Subject: pkix.Name{CommonName: id}}
	der, err := x509.CreateCertificateRequest(rand.Reader, t, key)
	if err != nil {
		return nil, err
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	return der, r.CheckSignature()
}

// wrapped returns the credential's key as the token wants it.
func (c *Credential) wrapped() hsm.Wrapped {
	return hsm.Wrapped{Type: c.Type, SPKI: c.PublicKey, Blob: c.Wrapped}
}
