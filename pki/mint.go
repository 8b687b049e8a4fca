package pki

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/audit"
	"sigillo/store"
)

// order is what a certificate is made from. It was checked by whoever wrote it.
type order struct {
	profile    string
	template   *x509.Certificate // names, times, usages, extensions
	public     crypto.PublicKey
	issuer     string            // label of the issuing key
	parent     *x509.Certificate // of the issuing key; nil for a self-signed certificate
	label      string            // of the certified key, if it belongs to the house
	holder     string
	credential string
	actor      string
	detail     map[string]string // for the journal
}

// draft is an order on its way: the bytes that will be signed.
type draft struct {
	order
	serial   string // lower-case hex
	tbs      []byte // DER of TBSCertificate
	sigAlg   []byte // DER of the AlgorithmIdentifier
	hash     crypto.Hash
	at       time.Time
	findings string // what the linter said without refusing
}

// mint makes a certificate. It is the only place where the key of a CA signs one.
//
//  1. The request was checked by the caller; the serial is chosen here: 127 bits
//     from the system's generator (RFC 5280 §4.1.2.2). Nothing is durable.
//  2. A twin of the certificate, the same TBSCertificate signed by a throw-away
//     key, is linted. A certificate that the linter refuses is not signed, and
//     the refusal is journalled.
//  3. The serial, the whole TBSCertificate and the journal's entry are made
//     durable in one commit. From here on the house knows that this certificate
//     may exist, whatever happens. A serial used before is found here.
//  4. The key in the HSM signs these very bytes. If the answer is an error we
//     cannot know whether a signature was made; the intent stays, and is listed
//     as revoked by Resolve.
//  5. The certificate is parsed again: its TBSCertificate must be the linted one,
//     byte for byte, and the signature must verify.
//  6. The certificate, its state and the journal's entry are made durable in one
//     commit, with the credential or the label of the house that now has it.
//  7. Only now does it leave.
func (a *Authority) mint(ctx context.Context, o order) (*x509.Certificate, error) {
	d, err := a.draft(o) // 1
	if err != nil {
		return nil, err
	}
	if err := a.lint(ctx, d); err != nil { // 2
		return nil, err
	}
	done := a.fly(d.serial)
	defer done()
	if err := a.recordIntent(ctx, d); err != nil { // 3
		return nil, err
	}
	der, err := a.sign(ctx, d) // 4
	if err != nil {
		return nil, err
	}
	cert, err := d.verify(der) // 5
	if err != nil {
		return nil, err
	}
	if err := a.recordIssued(ctx, d, cert); err != nil { // 6
		return nil, err
	}
	if o.label != "" {
		a.setHouse(o.label, cert)
	}
	return cert, nil // 7
}

// fly marks a serial as being worked on, so that Resolve leaves it alone.
func (a *Authority) fly(serial string) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight[serial] = true
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.inFlight, serial)
	}
}

// draft chooses the serial and builds the TBSCertificate, by having the standard
// library sign it with a throw-away key of the same kind as the issuer's.
func (a *Authority) draft(o order) (*draft, error) {
	t := *o.template
	t.SerialNumber = newSerial()
	var err error
	if t.SubjectKeyId, err = keyIdentifier(o.public); err != nil {
		return nil, err
	}
	issuerKey, parent := o.public, t
	if o.parent == nil {
		t.AuthorityKeyId = t.SubjectKeyId
	} else {
		issuerKey, parent = o.parent.PublicKey, *o.parent
		if t.NotAfter.After(parent.NotAfter) {
			return nil, errorf(Failed, "the certificate would outlive that of %s, which ends %s; the CA needs a new certificate",
				o.issuer, parent.NotAfter.Format(time.DateOnly))
		}
	}
	parent.PublicKey = nil // else the library refuses the throw-away key
	twinKey, err := a.twinKey(issuerKey)
	if err != nil {
		return nil, err
	}
	d := &draft{order: o, serial: fmt.Sprintf("%x", t.SerialNumber), at: a.now()}
	if t.SignatureAlgorithm, d.hash, err = signatureAlgorithm(issuerKey); err != nil {
		return nil, err
	}
	twin, err := x509.CreateCertificate(rand.Reader, &t, &parent, o.public, twinKey)
	if err != nil {
		return nil, wrap(Failed, "build the certificate", err)
	}
	d.tbs, d.sigAlg, err = split(twin)
	return d, err
}

func newSerial() *big.Int {
	var b [16]byte
	for b[0] == 0 {
		rand.Read(b[:]) // never fails
		b[0] &= 0x7f
	}
	return new(big.Int).SetBytes(b[:])
}

// signatureAlgorithm is how a key of the house signs certificates and lists.
func signatureAlgorithm(key crypto.PublicKey) (x509.SignatureAlgorithm, crypto.Hash, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize > 256 {
			return x509.ECDSAWithSHA384, crypto.SHA384, nil
		}
		return x509.ECDSAWithSHA256, crypto.SHA256, nil
	case *rsa.PublicKey:
		return x509.SHA256WithRSA, crypto.SHA256, nil
	}
	return 0, 0, errorf(BadRequest, "keys of the house must be ECDSA or RSA, not %T", key)
}

// twinKey returns the throw-away key that stands in for an issuer's key; it has
// the same kind, so that the TBSCertificate names the same algorithm.
func (a *Authority) twinKey(like crypto.PublicKey) (crypto.Signer, error) {
	kind := "rsa"
	k, isEC := like.(*ecdsa.PublicKey)
	if isEC {
		kind = k.Curve.Params().Name
	}
	if known, ok := a.twins.Load(kind); ok {
		return known.(crypto.Signer), nil
	}
	var key crypto.Signer
	var err error
	if isEC {
		key, err = ecdsa.GenerateKey(k.Curve, rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return nil, wrap(Failed, "make a key for the linter", err)
	}
	known, _ := a.twins.LoadOrStore(kind, key)
	return known.(crypto.Signer), nil
}

// split takes a certificate apart: its TBSCertificate and its algorithm.
func split(certificate []byte) (tbs, sigAlg []byte, err error) {
	var inner, t, s cryptobyte.String
	outer := cryptobyte.String(certificate)
	if !outer.ReadASN1(&inner, cbasn1.SEQUENCE) ||
		!inner.ReadASN1Element(&t, cbasn1.SEQUENCE) || !inner.ReadASN1Element(&s, cbasn1.SEQUENCE) {
		return nil, nil, errorf(Failed, "the built certificate cannot be read")
	}
	return t, s, nil
}

// join puts a certificate together.
func (d *draft) join(signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(d.tbs)
		b.AddBytes(d.sigAlg)
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}

func (a *Authority) recordIntent(ctx context.Context, d *draft) error {
	return stored("record the intent", a.db.Write(ctx, func(tx *store.Tx) error {
		err := tx.PutCertificate(store.Certificate{
			Serial: d.serial, Issuer: d.issuer, Profile: d.profile, Subject: d.subject(),
			Holder: d.holder, Credential: d.credential, State: store.CertIntent, TBS: d.tbs,
			NotBefore: d.template.NotBefore, NotAfter: d.template.NotAfter,
			Intent: d.at, StatusAt: d.at, Actor: d.actor,
		})
		if err != nil {
			return err
		}
		sum := sha256.Sum256(d.tbs)
		more := map[string]string{"tbs-sha256": hex.EncodeToString(sum[:])}
		if d.findings != "" {
			more["lint"] = d.findings
		}
		return d.journal(tx, d.at, "certificate.intent", more)
	}))
}

func (d *draft) subject() string { return readableName(d.template.RawSubject) }

func (d *draft) journal(tx *store.Tx, at time.Time, event string, more map[string]string) error {
	detail := map[string]string{"profile": d.profile, "issuer": d.issuer, "subject": d.subject()}
	for k, v := range map[string]string{"holder": d.holder, "credential": d.credential, "label": d.label} {
		if v != "" {
			detail[k] = v
		}
	}
	for _, m := range []map[string]string{d.detail, more} {
		for k, v := range m {
			detail[k] = v
		}
	}
	return audit.Append(tx, at, audit.Event{Actor: d.actor, Event: event, Subject: d.serial, Detail: detail})
}

func (a *Authority) sign(ctx context.Context, d *draft) ([]byte, error) {
	signer, err := a.keys.Signer(ctx, d.issuer)
	if err != nil {
		return nil, wrap(KeyUnavailable, "the key "+d.issuer+" cannot be used", err)
	}
	h := d.hash.New()
	h.Write(d.tbs)
	signature, err := signer.Sign(rand.Reader, h.Sum(nil), d.hash)
	if err != nil {
		return nil, wrap(KeyUnavailable, "the key "+d.issuer+" did not sign; if it did after all, the certificate will be listed as revoked", err)
	}
	return d.join(signature)
}

func (d *draft) verify(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, wrap(Failed, "the signed certificate cannot be read", err)
	}
	if string(cert.RawTBSCertificate) != string(d.tbs) {
		return nil, errorf(Failed, "the signed certificate is not the one that was linted")
	}
	parent := d.parent
	if parent == nil {
		parent = cert
	}
	if err := parent.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return nil, wrap(Failed, "the signature by "+d.issuer+" does not verify", err)
	}
	return cert, nil
}

func (a *Authority) recordIssued(ctx context.Context, d *draft, cert *x509.Certificate) error {
	now := a.now()
	return stored("record the certificate", a.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetCertificateIssued(d.serial, cert.Raw, now); err != nil {
			return err
		}
		if d.label != "" {
			if err := tx.PutSetting(labelSetting(d.label), []byte(d.serial)); err != nil {
				return err
			}
		}
		if d.credential != "" {
			if err := tx.SetCredentialCertificate(d.credential, d.serial); err != nil {
				return err
			}
		}
		sum := sha256.Sum256(cert.Raw)
		return d.journal(tx, now, "certificate.issued", map[string]string{"sha256": hex.EncodeToString(sum[:])})
	}))
}
