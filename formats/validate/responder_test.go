package validate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
)

// producedAt gives an OCSP answer with another producedAt, signed anew.
func producedAt(t *testing.T, der []byte, at time.Time, by *party) []byte {
	t.Helper()
	var outer struct {
		Status   asn1.Enumerated
		Response struct {
			Type asn1.ObjectIdentifier
			Data []byte
		} `asn1:"explicit,tag:0"`
	}
	var basic struct {
		Data         asn1.RawValue
		Algorithm    asn1.RawValue
		Signature    asn1.BitString
		Certificates asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	must(asn1.Unmarshal(der, &outer))
	must(asn1.Unmarshal(outer.Response.Data, &basic))
	tbs := bytes.Clone(basic.Data.FullBytes)
	i := bytes.Index(tbs, []byte{asn1.TagGeneralizedTime, 15}) // the first of them
	copy(tbs[i+2:], at.UTC().Format("20060102150405Z"))
	value := must(by.key.Sign(rand.Reader, sha(tbs), crypto.SHA256))
	basic.Data, basic.Signature = asn1.RawValue{FullBytes: tbs}, asn1.BitString{Bytes: value, BitLength: 8 * len(value)}
	outer.Response.Data = must(asn1.Marshal(basic))
	return must(asn1.Marshal(outer))
}

// The key of a responder was stolen, and its certificate revoked for that. What
// it signs since then bears whatever time its thief likes.
func TestStolenResponder(t *testing.T) {
	t.Parallel()
	w := pki()
	holder := issue(w.sub, newKey(), "Ada Prova", nil)
	stolen := issue(w.sub, newKey(), "Responder", func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	})
	const day = 24 * time.Hour
	now, revoked := validatedAt.Add(5*day), publishedAt.Add(-time.Minute)
	file := sign(t, "CAdES", []byte("x"), holder, nil, time.Time{})
	for _, c := range []struct {
		name           string
		produced, this time.Time
		reason         int
		want           Indication
	}{
		{"a status later than the answer", revoked.Add(-time.Minute), now.Add(-time.Minute), 1, Indeterminate},
		{"an answer of before", revoked.Add(-time.Second), publishedAt.Add(time.Second), 1, Indeterminate},
		{"an answer of before, and the responder only replaced", revoked.Add(-time.Second), publishedAt.Add(time.Second), 4, TotalPassed},
	} {
		answer := must(ocsp.CreateResponse(w.sub.cert, stolen.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: holder.cert.SerialNumber,
			ThisUpdate: c.this, NextUpdate: now.Add(365 * day), Certificate: stolen.cert}, stolen.key))
		r := validate(t, file, Options{Anchors: []*x509.Certificate{w.root.cert}, Time: now, OCSP: [][]byte{producedAt(t, answer, c.produced, stolen)},
			CRLs: [][]byte{list(w.root, now.Add(-time.Hour), now.Add(day), nil), list(w.sub, publishedAt, publishedAt.Add(day), nil, entry{stolen, revoked, c.reason})}})
		if r.Indication != c.want {
			t.Errorf("%s: %s", c.name, r.Text("en"))
		}
	}
}

// A responder whose certificate says that its revocation need not be asked for (RFC
// 6960 §4.2.2.2.1) is believed without a list, but not when a list at hand revokes
// it, whether the caller or the file has it.
func TestRevokedResponderWithoutCheck(t *testing.T) {
	t.Parallel()
	w := pki()
	by := issue(w.root, newKey(), "Authority of the responder", ca)
	holder := issue(by, newKey(), "Ada Prova", nil)
	responder := issue(by, newKey(), "Responder", func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}})
	})
	next := publishedAt.Add(24 * time.Hour)
	answer := producedAt(t, must(ocsp.CreateResponse(by.cert, responder.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: holder.cert.SerialNumber,
		ThisUpdate: publishedAt, NextUpdate: next, Certificate: responder.cert}, responder.key)), publishedAt, responder)
	file := sign(t, "CAdES", []byte("x"), holder, nil, time.Time{})
	// The list is of before the holder's certificate could be on it: it says nothing about that.
	revoking := func(at time.Time, reason int) []byte {
		return list(by, holder.cert.NotBefore.Add(-time.Hour), next, nil, entry{responder, at, reason})
	}
	long := holder.cert.NotBefore.Add(-2 * time.Hour)
	for _, c := range []struct {
		name           string
		caller, inside []byte
		want           Indication
	}{
		{"no list", nil, nil, TotalPassed},
		{"the caller's list revokes it", revoking(long, 1), nil, Indeterminate},
		{"the file's list revokes it", nil, revoking(long, 4), Indeterminate},
		{"on hold", revoking(long, onHold), nil, Indeterminate},
		{"replaced after it answered", revoking(validatedAt.Add(-time.Second), 4), nil, TotalPassed},
		{"stolen after it answered, as it says", revoking(validatedAt.Add(-time.Second), 1), nil, Indeterminate},
	} {
		o := Options{Anchors: []*x509.Certificate{w.root.cert}, Time: validatedAt, OCSP: [][]byte{answer}, CRLs: [][]byte{list(w.root, publishedAt, next, nil)}}
		file := file
		if c.caller != nil {
			o.CRLs = append(o.CRLs, c.caller)
		}
		if c.inside != nil {
			file = stuffed(t, file, ades.Evidence{CRLs: [][]byte{c.inside}})
		}
		if r := validate(t, file, o); r.Indication != c.want {
			t.Errorf("%s: %s", c.name, r.Text("en"))
		}
	}
}
