package pki

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1" // what RFC 6960 names keys and issuers with, not a protection
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"sigillo/store"
)

// ocspStatus is OCSPResponseStatus, RFC 6960 §4.2.1.
type ocspStatus int64

const (
	ocspSuccessful   ocspStatus = 0
	ocspMalformed    ocspStatus = 1
	ocspInternal     ocspStatus = 2
	ocspTryLater     ocspStatus = 3
	ocspUnauthorized ocspStatus = 6
)

var (
	oidOCSPBasic     = mustOID("1.3.6.1.5.5.7.48.1.1")
	oidOCSPNonce     = mustOID("1.3.6.1.5.5.7.48.1.2")
	oidArchiveCutoff = mustOID("1.3.6.1.5.5.7.48.1.6")
)

// OCSP answers a status request (RFC 6960) for certificates of one CA, named by
// its label. The answer is signed for this request, with the status as it is in
// the register now; it is always a DER OCSPResponse, be it one that refuses.
// Serials the CA does not know, or of other CAs, are "unknown"; certificates on
// hold are revoked with the reason certificateHold.
func (a *Authority) OCSP(ctx context.Context, label string, request []byte) []byte {
	ca, responder := a.CA(label), a.CA(responders[label])
	if ca == nil || responder == nil {
		return ocspRefusal(ocspUnauthorized)
	}
	req, err := parseOCSPRequest(request)
	if err != nil {
		return ocspRefusal(ocspMalformed)
	}
	now := a.now().UTC().Truncate(time.Second)
	if now.After(responder.NotAfter) {
		return ocspRefusal(ocspTryLater) // its renewal failed; a stale certificate would only be refused by the client
	}
	answers, err := a.answers(ctx, label, ca, req)
	if err != nil {
		return ocspRefusal(ocspTryLater)
	}
	data, err := ocspData(a.cfg, ca, responder, req, answers, now)
	if err != nil {
		return ocspRefusal(ocspInternal)
	}
	der, err := a.signOCSP(ctx, responders[label], responder, data)
	if err != nil {
		return ocspRefusal(ocspTryLater)
	}
	return der
}

// StatusOf gives a signed answer about a certificate the house issued, as the
// register has it now: the evidence about one that is younger than the current
// list. Certificates of CAs have none, their status is in the root's list.
// Errors: NotFound, Failed.
func (a *Authority) StatusOf(ctx context.Context, cert *x509.Certificate) ([]byte, error) {
	ca, label := a.issuer(cert)
	if ca == nil {
		return nil, errorf(NotFound, "the certificate is of none of the house's issuing authorities")
	}
	req, err := ocsp.CreateRequest(cert, ca, &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		return nil, wrap(Failed, "no status request can be made for the certificate", err)
	}
	der := a.OCSP(ctx, label, req)
	if _, err := ocsp.ParseResponse(der, nil); err != nil {
		return nil, wrap(Failed, "the status of the certificate could not be signed", err)
	}
	return der, nil
}

func ocspRefusal(status ocspStatus) []byte {
	return []byte{0x30, 3, 0x0a, 1, byte(status)}
}

// ocspAnswer is the status of one certificate; the zero value is "unknown".
type ocspAnswer struct {
	known   bool
	revoked time.Time // zero: good
	reason  int
}

// answers looks the certificates up, all in one snapshot.
func (a *Authority) answers(ctx context.Context, label string, ca *x509.Certificate, req *ocspRequest) ([]ocspAnswer, error) {
	list := make([]ocspAnswer, len(req.ids))
	key, err := subjectPublicKey(ca.PublicKey)
	if err != nil {
		return nil, err
	}
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		for i, id := range req.ids {
			if !id.names(ca.RawSubject, key) {
				continue
			}
			c, err := tx.Certificate(fmt.Sprintf("%x", id.serial))
			if store.KindOf(err) == store.NotFound || err == nil && c.Issuer != label {
				continue
			}
			if err != nil {
				return err
			}
			switch c.State {
			case store.CertValid:
				list[i].known = true
			case store.CertSuspended, store.CertRevoked, store.CertPresumedIssued:
				list[i] = ocspAnswer{true, c.StatusAt, c.Reason}
			}
		}
		return nil
	})
	return list, err
}

// names reports whether the CertID's issuer is the one with this name and key.
func (id *certID) names(subject, key []byte) bool {
	return string(digest(id.hash, subject)) == string(id.nameHash) && string(digest(id.hash, key)) == string(id.keyHash)
}

func digest(h crypto.Hash, data []byte) []byte {
	switch h {
	case crypto.SHA1:
		d := sha1.Sum(data) // see the import
		return d[:]
	case crypto.SHA256:
		d := sha256.Sum256(data)
		return d[:]
	case crypto.SHA384:
		d := sha512.Sum384(data)
		return d[:]
	}
	d := sha512.Sum512(data)
	return d[:]
}

// ocspData encodes ResponseData, RFC 6960 §4.2.1. The archive cut-off is the
// CA's beginning: the status of expired certificates is answered for ever.
func ocspData(cfg Config, ca, responder *x509.Certificate, req *ocspRequest, answers []ocspAnswer, now time.Time) ([]byte, error) {
	key, err := subjectPublicKey(responder.PublicKey)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { // byKey
			b.AddASN1OctetString(digest(crypto.SHA1, key))
		})
		b.AddASN1GeneralizedTime(now) // producedAt
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i, id := range req.ids {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddBytes(id.raw)
					answers[i].encode(b)
					b.AddASN1GeneralizedTime(now)
					explicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(now.Add(cfg.OCSPLife)) })
					if answers[i].known {
						explicit(b, 1, extensionList(oidArchiveCutoff, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(ca.NotBefore.UTC()) }))
					}
				})
			}
		})
		if req.nonce != nil {
			explicit(b, 1, extensionList(oidOCSPNonce, func(b *cryptobyte.Builder) { b.AddBytes(req.nonce) }))
		}
	})
	return b.Bytes()
}

// encode adds the CertStatus.
func (s ocspAnswer) encode(b *cryptobyte.Builder) {
	switch {
	case !s.known:
		b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
	case s.revoked.IsZero():
		b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
	default:
		explicit(b, 1, func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(s.revoked.UTC().Truncate(time.Second))
			if s.reason != reasonUnspecified {
				explicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.reason)) })
			}
		})
	}
}

func explicit(b *cryptobyte.Builder, tag uint8, f cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.Tag(tag).ContextSpecific().Constructed(), f)
}

// extensionList is Extensions with one that is not critical.
func extensionList(oid []int, value cryptobyte.BuilderContinuation) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				b.AddASN1(cbasn1.OCTET_STRING, value)
			})
		})
	}
}

// signOCSP signs ResponseData with the responder's key, checks the signature and
// encodes the OCSPResponse, with the responder's certificate in it.
func (a *Authority) signOCSP(ctx context.Context, label string, responder *x509.Certificate, data []byte) ([]byte, error) {
	algorithm, hash, err := signatureAlgorithm(responder.PublicKey)
	if err != nil {
		return nil, err
	}
	signer, err := a.keys.Signer(ctx, label)
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(rand.Reader, digest(hash, data), hash)
	if err != nil {
		return nil, err
	}
	if err := responder.CheckSignature(algorithm, data, signature); err != nil {
		return nil, err
	}
	var basic cryptobyte.Builder
	basic.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(data)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addSignatureAlgorithm(b, algorithm) })
		b.AddASN1BitString(signature)
		explicit(b, 0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(responder.Raw) })
		})
	})
	inner, err := basic.Bytes()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(int64(ocspSuccessful))
		explicit(b, 0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidOCSPBasic)
				b.AddASN1OctetString(inner)
			})
		})
	})
	return b.Bytes()
}

var signatureOIDs = map[x509.SignatureAlgorithm][]int{
	x509.ECDSAWithSHA256: mustOID("1.2.840.10045.4.3.2"),
	x509.ECDSAWithSHA384: mustOID("1.2.840.10045.4.3.3"),
	x509.SHA256WithRSA:   mustOID("1.2.840.113549.1.1.11"),
}

func addSignatureAlgorithm(b *cryptobyte.Builder, algorithm x509.SignatureAlgorithm) {
	b.AddASN1ObjectIdentifier(signatureOIDs[algorithm])
	if algorithm == x509.SHA256WithRSA {
		b.AddASN1NULL() // RFC 4055 §5: present for RSA, absent for ECDSA
	}
}

// renewResponders gives each responder a new certificate for its key when a
// third of the old one's life is left.
func (a *Authority) renewResponders(ctx context.Context) error {
	for _, step := range ceremonyPlan(a.cfg) {
		old := a.CA(step.label)
		if step.profile != ProfileResponder || old == nil {
			continue
		}
		left := old.NotAfter.Sub(a.now())
		if left > old.NotAfter.Sub(old.NotBefore)/3 {
			continue
		}
		if err := a.certify(ctx, step, old.PublicKey, "pki"); err != nil {
			return err
		}
	}
	return nil
}
