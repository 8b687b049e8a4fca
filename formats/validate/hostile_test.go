package validate

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Lists that contradict each other, or say things in a roundabout way, are
// read against the signature.
func TestContradictingLists(t *testing.T) {
	t.Parallel()
	w := pki()
	const day = 24 * time.Hour
	delta := func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}})
	}
	someReasons := func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 4, 0x83, 2, 6, 0x40}})
	}
	newer := publishedAt.Add(time.Minute)
	early := entry{w.holder, signedAt.Add(-time.Hour), 1}
	add := func(shape func(*x509.RevocationList), entries ...entry) func(*Options) {
		return func(o *Options) {
			o.CRLs = append(o.CRLs, list(w.sub, newer, newer.Add(day), shape, entries...))
		}
	}
	replace := func(entries ...entry) func(*Options) {
		return func(o *Options) { o.CRLs[2] = list(w.sub, publishedAt, publishedAt.Add(day), nil, entries...) }
	}
	late := entry{w.holder, stampedAt.Add(time.Hour), 1}
	judged(t, []certificateCase{
		{"a newer delta list revokes", w.holder, true, add(delta, early), Indeterminate, RevokedNoPOE},
		{"a newer list of some reasons revokes", w.holder, true, add(someReasons, early), Indeterminate, RevokedNoPOE},
		{"a delta list that says nothing", w.holder, true, add(delta), TotalPassed, ""},
		{"the earlier of two dates counts", w.holder, true, func(o *Options) {
			replace(late)(o)
			add(nil, early)(o)
		}, Indeterminate, RevokedNoPOE},
		{"revoked, then removed, in one list", w.holder, false, replace(early, entry{w.holder, signedAt, removeFromCRL}), Indeterminate, RevokedNoPOE},
		{"OCSP of another authority's certificate", w.holder, false, func(o *Options) {
			// The same serial number and the same responder's key, but another CA.
			r := responder(w.sub, true)
			tpl := ocsp.Response{Status: ocsp.Good, SerialNumber: w.holder.cert.SerialNumber, ThisUpdate: publishedAt, NextUpdate: publishedAt.Add(day), Certificate: r.cert}
			der := must(ocsp.CreateResponse(w.tsaCA.cert, r.cert, tpl, r.key))
			o.CRLs, o.OCSP = o.CRLs[:2], [][]byte{der}
		}, Indeterminate, TryLater},
	})
}

// A certificate made for something else does not sign documents.
func TestOtherPurposes(t *testing.T) {
	t.Parallel()
	w := pki()
	purpose := func(usages ...x509.ExtKeyUsage) *party {
		return issue(w.sub, newKey(), "Ada Prova", func(t *x509.Certificate) { t.ExtKeyUsage = usages })
	}
	documents := issue(w.sub, newKey(), "Ada Prova", func(t *x509.Certificate) {
		t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 36}}
	})
	authority := issue(w.sub, newKey(), "Ada Prova", func(t *x509.Certificate) {
		ca(t)
		t.KeyUsage |= x509.KeyUsageDigitalSignature
	})
	judged(t, []certificateCase{
		{"server", purpose(x509.ExtKeyUsageServerAuth), false, nil, Indeterminate, ChainConstraintsFailure},
		{"status answers", purpose(x509.ExtKeyUsageOCSPSigning), false, nil, Indeterminate, ChainConstraintsFailure},
		{"time-stamps", issue(w.sub, newKey(), "Ada Prova", stamping), false, nil, Indeterminate, ChainConstraintsFailure},
		{"an authority", authority, false, nil, Indeterminate, ChainConstraintsFailure},
		{"e-mail", purpose(x509.ExtKeyUsageEmailProtection), false, nil, TotalPassed, ""},
		{"documents", documents, false, nil, TotalPassed, ""},
	})
}

// A signer trusted directly must be within its own validity.
func TestExpiredAnchor(t *testing.T) {
	t.Parallel()
	old := issue(nil, newKey(), "Ada Prova", func(t *x509.Certificate) { t.NotAfter = signedAt.Add(time.Minute) })
	file := sign(t, "XAdES", []byte("<a>42</a>"), old, nil, stampedAt)
	expect(t, validate(t, file, Options{Anchors: []*x509.Certificate{old.cert}, Time: publishedAt.Add(time.Hour)}), Indeterminate, OutOfBoundsNoPOE)
}

// Content given beside a file that has its own would not be looked at: refused.
func TestContentNotLookedAt(t *testing.T) {
	t.Parallel()
	w := pki()
	for _, form := range []string{"CAdES", "XAdES", "PAdES"} {
		file := sign(t, form, document(t, form), w.holder, nil, stampedAt)
		o := w.options()
		o.Content, o.ContentSize = bytes.NewReader([]byte("other")), 5
		if _, err := Validate(bytes.NewReader(file), int64(len(file)), "f", o); KindOf(err) != BadOptions {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// Only the first of two PEM blocks would be validated: refused.
func TestTwoBlocks(t *testing.T) {
	t.Parallel()
	w := pki()
	block := pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: sign(t, "CAdES", document(t, "CAdES"), w.holder, nil, stampedAt)})
	expect(t, validate(t, append([]byte(nil), block...), w.options()), TotalPassed, "")
	two := append(append([]byte(nil), block...), block...)
	if _, err := Validate(bytes.NewReader(two), int64(len(two)), "f", w.options()); KindOf(err) != Unreadable {
		t.Errorf("got %v", err)
	}
}
